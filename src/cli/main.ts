#!/usr/bin/env node
/**
 * The command line: the only file that reads arguments and the environment, prints, and sets the exit status.
 * Longer than most, since every command and option is to be seen in one place.
 */
import { existsSync } from "node:fs";
import { constants } from "node:os";
import { createInterface } from "node:readline/promises";
import { Command, CommanderError, Option } from "commander";
import { misspelt, type Outside } from "../core/config/assigned.ts";
import { type Config, type KeyName, readConfig } from "../core/config/config.ts";
import { PROPOSED } from "../core/config/unfilled.ts";
import { ConfigError, HostError, type HostFault } from "../core/errors.ts";
import { type LogFormat, logLine, type Say } from "../daemon/log.ts";
import { TEMPLATE_FILES } from "../host/disk/page.ts";
import { type NamedPath, readTrustedSync, requireTrusted } from "../host/disk/trusted-file.ts";
import { defaultDevice } from "../host/kernel/default-device.ts";
import { version } from "../platform/version.ts";
import { colours } from "./colour.ts";
import type { CommandSpec, SpecFlags } from "./command-spec.ts";
import type { Answer, Wish } from "./commands.ts";
import type { Questions } from "./first-conf.ts";
import { isListed, unknownCommand } from "./help.ts";
import { METHOD_COMMANDS } from "./method-commands.ts";
import { SERVICE_COMMANDS } from "./service-commands.ts";
import { variablesOf } from "./variables.ts";

// A disk that hangs holds one thread of libuv's pool for each file that is written: with four, nothing else could be
// read meanwhile. The variable is read when the pool is first used, which no import does.
if (process.argv.includes("watch")) process.env.UV_THREADPOOL_SIZE ??= "16";

/** sysexits.h, and what the contract adds to it. */
const EXIT = {
  failed: 1,
  changes: 2,
  partial: 3,
  usage: 64,
  docker: 69,
  busy: 75,
  privilege: 77,
  config: 78,
} as const;
const EXIT_OF: Readonly<Record<HostFault, number>> = {
  docker: EXIT.docker,
  privilege: EXIT.privilege,
  busy: EXIT.busy,
  missing: EXIT.failed,
  storage: EXIT.failed,
  command: EXIT.failed,
  refused: EXIT.failed,
};

interface Flags {
  readonly config?: string;
  readonly set?: readonly string[];
  readonly json?: boolean;
  readonly debug?: boolean;
  readonly yes?: boolean;
  readonly stats?: boolean;
  readonly color?: boolean;
  readonly detailedExitcode?: boolean;
  readonly logFormat?: LogFormat;
}

const out = (text: string): void => void process.stdout.write(text);
const err = (line: string): void => void process.stderr.write(`${line}\n`);

const environment = (): ReadonlyMap<string, string> =>
  new Map(Object.entries(process.env).map(([key, value]) => [key, value ?? ""]));

/** The configuration file that is named; an empty variable names none, as DOCKER_HOST does. */
const namedConf = (flags: Flags): string | undefined => flags.config ?? (process.env.OCDD_CONF || undefined);

/** Where the configuration is looked for. */
function confPlaces(flags: Flags): readonly string[] {
  const named = namedConf(flags);
  return named === undefined ? ["./ocdd.conf", "/etc/ocdd/ocdd.conf"] : [named];
}

/** What configures OCDD beside the file. */
const outside = (flags: Flags): Outside => ({
  environment: variablesOf(environment()),
  flags: [...(flags.debug === true ? ["DEBUG=1"] : []), ...(flags.set ?? [])],
});

/** The configuration, from the first place that has one; `given` is what is set beside it. */
function configOf(flags: Flags, given: Outside = outside(flags)): Config {
  const places = confPlaces(flags);
  for (const file of places) {
    let text: string;
    try {
      text = readTrustedSync(file);
    } catch (error) {
      if (error instanceof ConfigError) throw error;
      const code = (error as NodeJS.ErrnoException).code;
      if (code === "ENOENT" && file !== places.at(-1)) continue;
      const why = code === "ENOENT" ? "there is no such file" : `it cannot be read (${code})`;
      throw new ConfigError([{ where: file, message: why }], code === "ENOENT" ? PROPOSED : undefined);
    }
    const config = readConfig({ file, text, ...given, defaultDevice: defaultDevice() });
    requireTrusted(sensitiveFiles(config));
    return config;
  }
  throw new ConfigError([]);
}

/** Files named in the configuration whose content takes effect, or is published unchanged. */
function sensitiveFiles({ tsigKeyFile, templateDir, where }: Config): NamedPath[] {
  const named = (key: KeyName, path: string): NamedPath => ({
    key,
    where: where.get(key) ?? "default",
    path,
  });
  const templates = templateDir === "" ? [] : TEMPLATE_FILES.map((name) => `${templateDir}/${name}`);
  return [
    named("DNS_TSIG_KEY_FILE", tsigKeyFile),
    ...templates.map((path) => named("WEB_TEMPLATE_DIR", path)),
  ];
}

async function configured(
  flags: Flags,
  warn: (line: string) => void = (line) => err(`warning: ${line}`),
): Promise<Config> {
  const config = configOf(flags);
  misspelt(environment()).forEach(warn);
  if (config.debug) {
    const { traceCommands } = await import("../host/kernel/run.ts");
    traceCommands((line) => err(`debug: ${line}`));
  }
  return config;
}

/** Loaded when they are needed: a name server needs no Docker client. */
const commands = (): Promise<typeof import("./commands.ts")> => import("./commands.ts");
const wishOf = (flags: Flags): Wish => ({
  json: flags.json === true,
  yes: flags.yes === true,
  stats: flags.stats === true,
  terminal: process.stderr.isTTY === true,
  paint: colours(flags.color !== false, process.stdout),
});

function give(answer: Answer, debug: boolean): number {
  for (const warning of answer.warnings) err(`warning: ${warning}`);
  if (debug) for (const line of answer.details ?? []) err(`debug: ${line}`);
  out(answer.out);
  for (const note of answer.notes ?? []) err(note);
  return answer.status;
}

async function apply(flags: Flags): Promise<number> {
  const config = await configured(flags);
  return give(await (await commands()).runApply(config, wishOf(flags)), config.debug);
}

async function showPlan(flags: Flags): Promise<number> {
  const config = await configured(flags);
  const answer = await (await commands()).runPlan(config, wishOf(flags), flags.detailedExitcode === true);
  return give(answer, config.debug);
}

async function status(flags: Flags): Promise<number> {
  const config = await configured(flags);
  return give(await (await commands()).runStatus(config, wishOf(flags), version()), config.debug);
}

async function zone(flags: Flags): Promise<number> {
  const answer = await (await commands()).runZone(configOf(flags), wishOf(flags));
  // the file's octets, unchanged
  process.stdout.write(flags.json === true ? answer.out : Buffer.from(answer.out, "latin1"));
  return answer.status;
}

/** Puts one question after the other to a person; undefined where there is no terminal. */
const questions = (flags: Flags): Questions | undefined =>
  process.stdin.isTTY && process.stderr.isTTY && flags.json !== true ? person() : undefined;

/** The person at the terminal. */
function person(): Questions {
  const input = createInterface({ input: process.stdin, terminal: false });
  const answers = input[Symbol.asyncIterator]();
  return {
    async ask(question) {
      process.stderr.write(question);
      const { value } = await answers.next();
      return String(value ?? "").trim();
    },
    close: () => input.close(),
  };
}

async function init(flags: Flags): Promise<number> {
  const { firstConf, unconfigured } = await import("./first-conf.ts");
  const variables = Object.keys(process.env).flatMap((name) => /^OCDD_(.+)/.exec(name)?.[1] ?? []);
  const missing = unconfigured(confPlaces(flags), [...(flags.set ?? []), ...variables]);
  if (missing !== undefined && !(await firstConf(missing, outside(flags), err, questions(flags))))
    return EXIT.config;
  const config = await configured(flags);
  const [{ runInitialize }, { servicesLack }] = await Promise.all([commands(), import("./services-conf.ts")]);
  const own = (given: Outside): Config => configOf({ ...flags, config: config.file }, given);
  for (const line of servicesLack(config, own)) err(`warning: ${line}`);
  const say = (line: string): void => out(`${line}\n`);
  const ask = process.stdin.isTTY && flags.json !== true ? yesOrNo : undefined;
  return give(await runInitialize(config, wishOf(flags), say, ask), config.debug);
}

async function yesOrNo(question: string): Promise<boolean> {
  const { ask, close } = person();
  return (await import("./first-conf.ts")).agreed(ask, question).finally(close);
}

async function down(flags: Flags): Promise<number> {
  const config = await configured(flags);
  if (flags.yes !== true) {
    if (!process.stdin.isTTY) {
      err("ocdd: teardown removes every alias, rule and chain of OCDD; without a terminal it needs --yes");
      return EXIT.usage;
    }
    // what would be refused after a yes is refused before the question
    await (await import("./beside-watch.ts")).requireNoWatch(config);
    if (!(await yesOrNo(`Remove every alias, rule and chain of OCDD from ${config.device}?`))) {
      err("ocdd: nothing has been removed");
      return EXIT.failed;
    }
  }
  return give(await (await commands()).runTeardown(config, wishOf(flags)), config.debug);
}

/** Aborted by SIGTERM or SIGINT: the step in progress is finished first. A second signal ends the process at once. */
function untilStopped(): AbortSignal {
  const stop = new AbortController();
  // the listener stays: execa raises a signal again for which it finds no other one
  for (const name of ["SIGTERM", "SIGINT"] as const)
    process.on(name, () => {
      if (stop.signal.aborted) process.exit(128 + constants.signals[name]);
      stop.abort();
    });
  return stop.signal;
}

/** The log format of `watch` and `serve`. */
function logFormatOf(flags: Flags): LogFormat {
  return flags.logFormat ?? (process.env.JOURNAL_STREAM === undefined ? "text" : "journal");
}

/** Where that log goes. */
function logger(flags: Flags): Say {
  const format = logFormatOf(flags);
  return (level, message) => err(logLine(format, level, message, Date.now()));
}

async function serve(flags: Flags): Promise<number> {
  const [{ serveAll }, { activatedSockets }, { readValidConfig }] = await Promise.all([
    import("../serve/serve.ts"),
    import("../serve/socket-activation.ts"),
    import("../serve/wait-for-config.ts"),
  ]);
  const say = logger(flags);
  for (const line of misspelt(environment())) say("warning", line);
  const stopped = untilStopped();
  const handed = await activatedSockets(process.env, process.pid);
  const config = await readValidConfig(() => configOf(flags), handed, say, stopped);
  if (config === undefined) return 0;
  // systemd's LoadCredential=tsig:, for a server that runs as an unprivileged user
  const directory = process.env.CREDENTIALS_DIRECTORY;
  const keys = directory === undefined ? undefined : `${directory}/tsig`;
  await serveAll(config, say, stopped, {
    handed,
    logFormat: logFormatOf(flags),
    tsigKeyFile: keys !== undefined && existsSync(keys) ? keys : undefined,
  });
  return 0;
}

async function lifecycle(
  command: "wake" | "start" | "stop" | "restart",
  names: readonly string[],
  flags: Flags,
): Promise<number> {
  const config = await configured(flags);
  const { runLifecycle } = await import("./lifecycle.ts");
  const answer = await runLifecycle(config, command, names, { json: flags.json === true }, (line) =>
    out(`${line}\n`),
  );
  return give(answer, config.debug);
}

async function keepWatch(flags: Flags): Promise<number> {
  const say = logger(flags);
  await configured(flags, (line) => say("warning", line));
  const [{ watch }, { requirePrivilege }, { notifier }, { run }] = await Promise.all([
    import("../director/watch.ts"),
    import("../host/install/privilege.ts"),
    import("../daemon/sd-notify.ts"),
    import("../host/kernel/run.ts"),
  ]);
  await requirePrivilege();
  await watch({
    read: () => configOf(flags),
    say,
    notify: notifier(environment(), run),
    signal: untilStopped(),
    onReload: (reload) => void process.on("SIGHUP", reload),
  });
  return 0;
}

async function doctor(flags: Flags, name: string | undefined): Promise<number> {
  const config = await configured(flags);
  const { diagnose } = await import("./doctor/doctor.ts");
  const findings = await diagnose(config, name);
  if (flags.json === true) out(`${JSON.stringify({ schemaVersion: 1, checks: findings }, null, 2)}\n`);
  else {
    const paint = colours(flags.color !== false, process.stdout);
    for (const { ok, subject, message, remedy } of findings) {
      const word = ok === null ? "-   " : ok ? paint("OK  ", "good") : paint("FAIL", "bad");
      out(`${word} ${subject}: ${message}\n`);
      if (ok === false && remedy !== null) out(`       remedy: ${remedy}\n`);
    }
  }
  return findings.some(({ ok }) => ok === false) ? EXIT.failed : 0;
}

/** The whole command tree. */
export function commandTree(finish: (status: number) => void): Command {
  const program = new Command("ocdd");
  const names = (): string[] => program.commands.map((one) => one.name());
  const done = (work: Promise<number>): Promise<void> => work.then(finish);
  const json = ["--json", "print one JSON document"] as const;
  const ending = "accept that a changed range or host address ends active leases";
  const yes = ["--yes", `do not ask for confirmation; ${ending}`] as const;
  program
    .description(
      "OctoCop Director for Docker: every container its own name and its own address on the network",
    )
    .option("--config <file>", "configuration file (else $OCDD_CONF, ./ocdd.conf, /etc/ocdd/ocdd.conf)")
    .option(
      "--set <key=value>",
      "set one configuration key; may be repeated",
      (value, all: string[] = []) => [...all, value],
    )
    .option("--debug", "log every command to stderr")
    .option(...json)
    .option("--no-color", "no colours (also NO_COLOR in the environment)")
    .option(...yes)
    .version(version(), "-V, --version", "print the version")
    .helpOption("-h, --help", "print help")
    .argument("[word...]")
    .usage("[options] [command]")
    .exitOverride()
    // every command understands the options of the program too
    .configureHelp({
      visibleArguments: () => [],
      showGlobalOptions: true,
      visibleGlobalOptions: (command) => program.options.filter((one) => isListed(command.options, one)),
    })
    .configureOutput({ outputError: (text, write) => write(text.replace(/^error: /, "ocdd: ")) })
    .helpCommand("help [command]", "print help")
    // an error only after `help` and a word that is no command
    .addHelpText("beforeAll", ({ error }) =>
      error ? program.error(unknownCommand(program.args[1] ?? "", names())) : "",
    )
    .action(([word, ...more]: readonly string[]) => {
      if (word === "version" && more.length === 0) return out(`${version()}\n`);
      if (word === "version") program.error("ocdd: version takes no argument");
      if (word !== undefined) program.error(unknownCommand(word, names()));
      return done(apply(program.opts()));
    });
  const logFormat = (): Option =>
    new Option(
      "--log-format <format>",
      "form of the log; default: journal under journald, else text",
    ).choices(["text", "journal", "json"]);
  const add = (name: string, text: string, work: (flags: Flags, name?: string) => Promise<number>): Command =>
    program
      .command(name)
      .description(text)
      .action((...args: unknown[]) => {
        const command = args.at(-1) as Command;
        return done(work(command.optsWithGlobals(), command.args[0]));
      });
  add(
    "initialize",
    "first set-up of this host; proposes a configuration where there is none; safe to repeat",
    init,
  )
    .option(...json)
    .option(...yes);
  add("apply", "update addresses, rules, zone and page (default command)", apply)
    .option(...json)
    .option("--yes", ending);
  add("plan", "show the changes apply would make, one per line", showPlan)
    .option(...json)
    .option("--detailed-exitcode", "exit status 2 when there are changes")
    .option("--yes", ending);
  add(
    "watch",
    "run as a daemon: apply on every Docker event and every SYNC_INTERVAL seconds",
    keepWatch,
  ).addOption(logFormat());
  add("serve", "serve the zone (UDP and TCP) and the index page", serve).addOption(logFormat());
  for (const spec of SERVICE_COMMANDS) addSpec(program, spec, done);
  add(
    "status",
    "overview: last run, whether the servers answer, containers not served and why, drift, versions",
    status,
  )
    .option(...json)
    .option("--stats", "also processor time and memory that each service uses");
  add("zone", "print the zone in master-file form", zone).option(...json);
  add("doctor", "check every component, or one service end to end", doctor)
    .argument("[name]", "a service's name")
    .option(...json);
  add(
    "teardown",
    "remove every alias, rule, chain and record OCDD made; leases, zone file and page stay, without services",
    down,
  )
    .option(...json)
    .option("--yes", "do not ask for confirmation");
  const LIFECYCLE = {
    wake: "start services, with what they need, and wait until they are ready",
    start: "start the containers of services",
    stop: "stop the containers of services; one that may sleep keeps its name, and a visit starts it again",
    restart: "stop the containers of services and start them again",
  } as const;
  for (const name of ["wake", "start", "stop", "restart"] as const)
    program
      .command(name)
      .description(LIFECYCLE[name])
      .argument("<name...>", "services or containers")
      .option(...json)
      .action((names: string[], _options: unknown, command: Command) =>
        done(lifecycle(name, names, command.optsWithGlobals())),
      );
  for (const spec of METHOD_COMMANDS) addSpec(program, spec, done);
  program.addHelpText(
    "after",
    "\nWithout a command: one run, as from cron.\nExit status: 0 success, 1 failed, 2 changes pending (plan --detailed-exitcode),\n3 partial (the range is full or a label of a container cannot be read), 64 usage, 69 Docker not reachable,\n75 another `ocdd` is at work, 77 privilege missing, 78 bad configuration.",
  );
  program.showHelpAfterError("remedy: `ocdd --help` lists commands and options");
  for (const command of program.commands)
    command.showHelpAfterError(`remedy: \`ocdd ${command.name()} --help\` lists arguments and options`);
  return program;
}

/** Adds a command that is described as data. */
function addSpec(program: Command, spec: CommandSpec, done: (work: Promise<number>) => Promise<void>): void {
  const { name, text, argument, rest, options, run, usage, example, json = true } = spec;
  const command = program.command(name).description(text);
  if (usage !== undefined) command.usage(usage);
  if (example !== undefined) command.addHelpText("after", `\nExample:\n  ${example}`);
  if (argument !== null) command.argument(...argument);
  if (rest !== undefined) command.argument(...rest);
  for (const [flags, about, takes] of options) {
    if (takes === "repeated")
      command.option(flags, about, (value: string, all: string[] = []) => [...all, value]);
    else
      command.addOption(
        takes === undefined ? new Option(flags, about) : new Option(flags, about).choices(takes),
      );
  }
  if (json) command.option("--json", "print one JSON document");
  command.action(() => {
    const flags = command.optsWithGlobals<Flags & SpecFlags>();
    return run(command.args, flags, {
      answer: (work) =>
        done(configured(flags).then(async (config) => give(await work(config), config.debug))),
      answerAlone: (work) => done(work().then((answer) => give(answer, false))),
      say: (line) => out(`${line}\n`),
      note: err,
      hasTerminal: process.stdin.isTTY === true,
      stopped: untilStopped,
      environment,
      paint: colours(flags.color !== false, process.stdout),
      misused: (message) => command.error(`error: ${message}`),
    });
  });
}

/** Prints what went wrong with its remedy; returns the exit status. */
function report(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : EXIT.usage;
  if (error instanceof ConfigError) {
    for (const line of error.message.split("\n")) err(line);
    if (error.remedy !== undefined) err(`remedy: ${error.remedy}`);
    return EXIT.config;
  }
  if (error instanceof HostError) {
    err(`ocdd: ${error.message}`);
    if (error.remedy !== undefined) err(`remedy: ${error.remedy}`);
    return EXIT_OF[error.fault];
  }
  err(error instanceof Error ? (error.stack ?? error.message) : String(error));
  return EXIT.failed;
}

/** Runs the command line to its end. */
export async function main(argv: readonly string[]): Promise<number> {
  let status = 0;
  try {
    await commandTree((code) => {
      status = code;
    }).parseAsync([...argv]);
  } catch (error) {
    status = report(error);
  }
  return status;
}

/** A reader that has gone, as `head`, is no error: the command goes on and its status is its own. */
function ignoreClosedPipes(): void {
  for (const stream of [process.stdout, process.stderr])
    stream.on("error", (error: NodeJS.ErrnoException) => {
      if (error.code !== "EPIPE") throw error;
    });
}

if (import.meta.main) {
  ignoreClosedPipes();
  process.exitCode = await main(process.argv);
}
