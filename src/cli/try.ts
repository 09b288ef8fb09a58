/** The command `try`: an instance of a production container, or of an image, for as long as something is done with it. */
import { randomBytes } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import type { Config } from "../core/config/config.ts";
import { HostError } from "../core/errors.ts";
import { filled, tryName } from "../core/methods/try.ts";
import { pathsOf } from "../core/paths.ts";
import { SCHEMA_VERSION } from "../core/report/report.ts";
import { eventLog } from "../host/disk/event-log.ts";
import { connectActions } from "../host/docker/actions.ts";
import { connectCreation } from "../host/docker/creation.ts";
import { isUnanswered, wordsOf } from "../host/docker/error.ts";
import { connectMethods, type DockerMethods } from "../host/docker/methods.ts";
import { openHost } from "../host/host.ts";
import { requirePrivilege } from "../host/install/privilege.ts";
import { type Argv, attached } from "../host/kernel/run.ts";
import { describe } from "../lifecycle/methods/describe.ts";
import { methodRunner, resultWords } from "../lifecycle/methods/run.ts";
import { type Tried, type TryMeans, untilInterrupted, withTry } from "../lifecycle/methods/try.ts";
import { type Answer, reapLeftovers } from "./commands.ts";
import { converge } from "./converge.ts";
import { nameServerAt } from "./doctor/answers.ts";
import { servedZone } from "./doctor/served.ts";
import { prepareFirstRun } from "./initialize.ts";
import { type TrySignals, trySignals } from "./try-signals.ts";
import { type Asked, wantedOf } from "./try-wanted.ts";

export interface TryOptions extends Asked {
  /** Run on this host; empty for none. */
  readonly command: readonly string[];
  readonly json: boolean;
  /** Standard input is a terminal. */
  readonly hasTerminal: boolean;
}

/** Prints a line at once. */
export interface TryPrinter {
  /** On standard output. */
  say(line: string): void;
  /** On standard error. */
  note(line: string): void;
}

/** What has been done with the container. */
interface Done {
  readonly validate: {
    readonly ok: boolean;
    readonly status: number | null;
    readonly reason: string | null;
  } | null;
  /** Exit status of the command; null where none was run. */
  readonly command: number | null;
}

const NOTHING: Done = { validate: null, command: null };
const FAILED = 1;

/** Milliseconds for which the name server is waited for. */
const NAME_MS = 1_000;

/**
 * Creates the container, validates it and runs the command, and removes it. The status is that of VALIDATE or of the command, 128 and
 * the signal's number where it was interrupted, 1 where the container could not be made. Throws HostError before anything is made,
 * and where Docker does not answer.
 */
export async function runTry(config: Config, options: TryOptions, printer: TryPrinter): Promise<Answer> {
  const signals = trySignals(options.hasTerminal);
  await requirePrivilege();
  await prepareFirstRun(config, openHost(config));
  for (const line of await reapLeftovers(config)) printer.note(line);
  const engine = { socket: config.dockerSocket, ...config.api };
  const methods = connectMethods(engine);
  const wanted = await wantedOf(config, options, methods);
  const events = eventLog(pathsOf(config).events);
  const began = performance.now();
  let tried: Tried | undefined;
  let readyMs: number | null = null;
  let done = NOTHING;
  let error: string | null = null;
  try {
    const means = {
      config,
      docker: connectActions(engine),
      creation: connectCreation(engine),
      directory: pathsOf(config).tries,
      events,
      converge: () => converge(config),
      nextName: () => tryName(wanted.like, randomBytes(2).toString("hex")),
      say: printer.note,
      signal: signals.signal,
    };
    done = await withTry(means, wanted, async (it) => {
      tried = it;
      readyMs = Math.round(performance.now() - began);
      return use(it, { config, options, methods, signals, printer, means });
    });
  } catch (failure) {
    if (!signals.signal.aborted) {
      if (!(failure instanceof HostError) || LEFT_TO_OTHERS.has(failure.fault) || isUnanswered(failure))
        throw failure;
      error = failure.fault === "docker" ? wordsOf(failure) : failure.message;
      printer.note(`ocdd: ${error}`);
      if (failure.remedy !== undefined) printer.note(`remedy: ${failure.remedy}`);
    }
  }
  await events.written();
  const stays = !options.validate && options.command.length === 0;
  const interrupted = signals.signal.aborted && (tried === undefined || !stays);
  const status = error !== null ? FAILED : interrupted ? signals.status() : statusOf(done);
  const why = error ?? (interrupted ? "it was interrupted" : null);
  const document = documentOf({ like: wanted.like, tried, readyMs, done, status, error: why });
  return { out: options.json ? `${JSON.stringify(document, null, 2)}\n` : "", warnings: [], status };
}

interface Told {
  readonly like: string;
  readonly tried: Tried | undefined;
  readonly readyMs: number | null;
  readonly done: Done;
  readonly status: number;
  readonly error: string | null;
}

const documentOf = ({ like, tried, readyMs, done, status, error }: Told): object => ({
  schemaVersion: SCHEMA_VERSION,
  command: "try",
  like,
  name: tried?.name ?? null,
  container: tried?.id ?? null,
  fqdn: tried?.service.fqdn ?? null,
  address: tried?.service.address ?? null,
  readyMs,
  validate: done.validate,
  commandStatus: done.command,
  status,
  error,
});

/** Faults that have an exit status of their own. */
const LEFT_TO_OTHERS: ReadonlySet<string> = new Set(["privilege", "busy", "storage"]);

const statusOf = ({ validate, command }: Done): number =>
  validate?.ok === false ? validate.status || FAILED : (command ?? 0);

interface UseMeans {
  readonly config: Config;
  readonly options: TryOptions;
  readonly methods: DockerMethods;
  readonly signals: TrySignals;
  readonly printer: TryPrinter;
  readonly means: TryMeans;
}

/** VALIDATE, and where it passes the command; without both it stays until it is interrupted. */
async function use(tried: Tried, use: UseMeans): Promise<Done> {
  const { config, options, signals, printer } = use;
  const { fqdn, address } = tried.service;
  // the command may ask for the name at once; without a name server nothing is waited for
  await Promise.race([
    servedZone(config, { address: nameServerAt(config, tried.hostIp), port: config.dnsPort }),
    sleep(NAME_MS, undefined, { ref: false }),
  ]);
  const [program, ...args] = filled(options.command, { name: fqdn, address });
  if (!options.validate && program === undefined) {
    if (!options.json) printer.say(`${fqdn} ${address}`);
    printer.note(stayNote(tried.name, options.hasTerminal));
    await untilInterrupted(tried.id, use.means);
    return NOTHING;
  }
  const validate = options.validate ? await validated(tried, use) : null;
  signals.signal.throwIfAborted();
  if (validate?.ok === false || program === undefined) return { validate, command: null };
  const argv: Argv = [program, ...args];
  return { validate, command: await signals.passTo(attached(argv, options.json)) };
}

/** What is said where nothing else is to be done with it. */
export const stayNote = (name: string, hasTerminal: boolean): string =>
  `${name} stays until ${hasTerminal ? "Ctrl-C is pressed" : `process ${process.pid} gets SIGTERM`}; it is removed then`;

async function validated(
  { id, name }: Tried,
  { methods, options, signals, printer }: UseMeans,
): Promise<NonNullable<Done["validate"]>> {
  const described = await describe(methods, id);
  const method = described?.methods.found.get("validate");
  if (method === undefined) {
    const why = described?.methods.problems.find((line) => line.startsWith("validate"));
    throw new HostError("refused", why ?? `${name} has no VALIDATE method`, {
      remedy: "set the label ocdd.validate, or see what ocdd examine prints",
    });
  }
  // the results of one that is removed are of no use
  const runner = methodRunner({ docker: methods, paths: null, now: () => Date.now(), exists: () => false });
  const onLine = options.json ? printer.note : printer.say;
  const signal = signals.signal;
  const result = await runner.run({ container: id, method, by: "ocdd try", signal, onLine });
  printer.note(`${name}: VALIDATE ${resultWords(result)}`);
  const { ok, status, reason } = result;
  return { ok, status, reason };
}
