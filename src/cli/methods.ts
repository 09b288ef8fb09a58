/** The commands that run methods inside containers: `validate`, `update`, `monitor`. */
import type { Config } from "../core/config/config.ts";
import type { MethodName } from "../core/methods/method.ts";
import { pathsOf } from "../core/paths.ts";
import {
  doneText,
  type MethodOutcome,
  outcomesDocument,
  roundText,
  succeeded,
} from "../core/report/methods.ts";
import { eventLog } from "../host/disk/event-log.ts";
import { connectMethods } from "../host/docker/methods.ts";
import { commandEvent } from "../lifecycle/event-texts.ts";
import { runRound } from "../lifecycle/methods/rounds.ts";
import { methodRunner, resultWords } from "../lifecycle/methods/run.ts";
import type { Answer } from "./commands.ts";
import { lookAtServices, type Selected, selected, type Wanted } from "./select.ts";

export type MethodCommand = "validate" | "update" | "monitor";

/** What a command runs; UPDATE is followed by VALIDATE where there is one. */
const METHODS_OF: Readonly<Record<MethodCommand, readonly [MethodName, ...MethodName[]]>> = {
  validate: ["validate"],
  update: ["update", "validate"],
  monitor: ["monitor"],
};

/** Methods that are run at once where no batch is given. */
const AT_ONCE = 8;
const FAILED = 1;
/** 128 and the number of SIGINT, as shells say it. */
const INTERRUPTED = 130;

export interface MethodOptions extends Wanted {
  readonly json: boolean;
  /** Containers at once; undefined for the command's own. */
  readonly batch: number | undefined;
  readonly signal: AbortSignal;
}

/**
 * Runs the command's methods for all containers that are named. `say` is called with each line of their output; where there are several,
 * it begins with the service's name, and a line says when each is done. The status of one service's only method is the command's; of several it is 1 when one has
 * failed. Throws HostError when Docker does not answer or a name is not known: nothing has been run then.
 */
export async function runMethods(
  config: Config,
  command: MethodCommand,
  options: MethodOptions,
  say: (line: string) => void,
): Promise<Answer> {
  const { json, signal } = options;
  const look = await lookAtServices(config);
  const targets = selected(options, config, look);
  const docker = connectMethods({ socket: config.dockerSocket, ...config.api });
  const ids = new Set([...look.seen.containers, ...(look.seen.stopped ?? [])].map(({ id }) => id));
  const events = eventLog(pathsOf(config).events);
  const prefix = prefixOf(targets);
  const notStored = new Set<string>();
  let printed = false;
  const print = (name: string, line: string): void => {
    if (json) return;
    printed = true;
    say(`${prefix(name)}${line}`);
  };
  const runner = methodRunner({
    docker,
    paths: pathsOf(config),
    now: () => Date.now(),
    exists: (id) => ids.has(id),
  });
  const { outcomes, without, notTouched } = await runRound(
    {
      targets,
      methods: METHODS_OF[command],
      atOnce: options.batch ?? (command === "update" ? 1 : AT_ONCE),
      stopAtFailure: command === "update",
      by: `ocdd ${command}`,
      signal,
    },
    {
      docker,
      runner: {
        async run(wanted) {
          const result = await runner.run(wanted);
          if (result.notStored !== null) notStored.add(result.notStored);
          return result;
        },
      },
      onLine: ({ name }, line) => print(name, line),
      done: ({ container, name }, outcome) => {
        if (targets.length > 1) print(name, doneText(outcome));
        if (command !== "update") return;
        const last = outcome.results.at(-1);
        const result = outcome.skipped ?? (last === undefined ? "" : resultWords(last));
        events.add(commandEvent(container, "update", `ocdd update: ${result}`, Date.now()));
      },
    },
  );
  await events.written();
  // of those that were not named it is no fault
  const missing = options.names.length > 0 ? without : [];
  const left = { without: without.length - missing.length, notTouched: notTouched.map(({ name }) => name) };
  const [asked] = METHODS_OF[command];
  return {
    out: json
      ? `${JSON.stringify(outcomesDocument(command, outcomes, left.notTouched), null, 2)}\n`
      : `${printed ? "\n" : ""}${roundText(asked, outcomes, left)}`,
    warnings: [
      ...missing.map(
        ({ name }) => `${name} has no ${asked.toUpperCase()} method: the label ocdd.${asked} gives it one`,
      ),
      ...[...notStored].map((reason) => `the result is not stored: ${reason}`),
    ],
    status: signal.aborted
      ? INTERRUPTED
      : missing.length > 0
        ? FAILED
        : statusOf(outcomes, notTouched.length),
  };
}

/** Of one method its own exit status, so that a script may use it; else whether all have succeeded. */
function statusOf(outcomes: readonly MethodOutcome[], notTouched: number): number {
  const [only] = outcomes;
  if (outcomes.length === 1 && only?.skipped === null && notTouched === 0) {
    const failed = only.results.find(({ ok }) => !ok);
    return failed === undefined ? 0 : failed.status || FAILED;
  }
  return outcomes.every(succeeded) && notTouched === 0 ? 0 : FAILED;
}

/** `web  | `, of one width; nothing for a single service. */
function prefixOf(targets: readonly Selected[]): (name: string) => string {
  if (targets.length < 2) return () => "";
  const width = Math.max(...targets.map(({ name }) => name.length));
  return (name) => `${name.padEnd(width)} | `;
}
