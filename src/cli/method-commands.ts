/** The commands about metadata and methods: names, arguments, options, and what each calls. */
import { clip } from "../core/clip.ts";
import { parseDuration } from "../core/duration.ts";
import { readCondition } from "../core/methods/audit.ts";
import { isVariable, readMount } from "../core/methods/try.ts";
import type { CommandSpec, OptionSpec } from "./command-spec.ts";
import type { MethodCommand } from "./methods.ts";

const A_NAME = ["<name>", "a service or container"] as const;

const metadata: CommandSpec = {
  name: "metadata",
  text: "what a container is: metadata, methods and where each was found, as JSON",
  argument: ["[name]", A_NAME[1]],
  options: [
    ["--show-env", "with its environment, which may hold secrets; for root only"],
    ["--write [file]", "make a metadata file for an image from the variables of a CI, and do nothing else"],
  ],
  json: false,
  run([name], { write, showEnv }, terminal) {
    if (write !== undefined && name !== undefined)
      return terminal.misused("option '--write' makes a file for an image, and takes no container");
    if (write !== undefined)
      return terminal.answerAlone(async () =>
        (await import("./metadata.ts")).writeMetadata(terminal.environment(), write === true ? null : write),
      );
    const wanted = name ?? terminal.misused("missing required argument 'name'");
    return terminal.answer(async (config) =>
      (await import("./metadata.ts")).runMetadata(config, wanted, showEnv === true),
    );
  },
};

const examine: CommandSpec = {
  name: "examine",
  text: "a container's methods, and the metadata of its image and of those it was built from",
  argument: A_NAME,
  options: [],
  run: ([name = ""], { json }, terminal) =>
    terminal.answer(async (config) =>
      (await import("./metadata.ts")).runExamine(config, name, json === true),
    ),
};

const inspect: CommandSpec = {
  name: "inspect",
  text: "where a container is on this host: process, bridge port, alias, and commands that look at it",
  argument: A_NAME,
  options: [],
  run: ([name = ""], { json }, terminal) =>
    terminal.answer(async (config) => (await import("./inspect.ts")).runInspect(config, name, json === true)),
};

const audit: CommandSpec = {
  name: "audit",
  text: "services whose metadata match; exit status 1 when any does",
  argument: null,
  options: [
    ["--where <condition>", "as 'meta.openssl<3'; may be repeated, all must hold", "repeated"],
    ["--older-than <time>", "built longer ago, as 7d"],
    ["--select <fields>", "fields to show, with commas between them"],
  ],
  run(_names, { where = [], olderThan, select = "", json }, terminal) {
    const fields = select.split(",").map((field) => field.trim());
    const conditions = where.map(
      (text) =>
        readCondition(text) ??
        terminal.misused(
          `option '--where' needs a condition, as 'meta.openssl<3', 'gitref=abc' or 'gitref' (is not empty), not '${clip(text)}'`,
        ),
    );
    const age = olderThan === undefined ? null : parseDuration(olderThan);
    if (age === undefined)
      return terminal.misused(
        `option '--older-than' needs a time, as 7d, 12h or 30m, not '${clip(olderThan)}'`,
      );
    const options = { conditions, age, select: fields.filter((field) => field !== ""), json: json === true };
    return terminal.answer(async (config) => (await import("./metadata.ts")).runAudit(config, options));
  },
};

/** A command that runs a method of many services. */
const runs = (name: MethodCommand, text: string, options: readonly OptionSpec[] = []): CommandSpec => ({
  name,
  text,
  argument: ["[name...]", "services or containers"],
  options: [
    ["--all", "every service that has the method"],
    ["--project <project>", "those of one compose project"],
    ...options,
  ],
  run(names, { all = false, project, batch, json }, terminal) {
    const ways = [names.length > 0, all, project !== undefined];
    if (ways.filter(Boolean).length !== 1)
      return terminal.misused("say which services: names, --all, or --project");
    if (batch !== undefined && !/^[1-9]\d{0,3}$/.test(batch))
      return terminal.misused("option '--batch <n>' needs a number from 1 to 9999");
    const most = batch === undefined ? undefined : Number(batch);
    const options = { names, all, project, json: json === true, batch: most, signal: terminal.stopped() };
    return terminal.answer(async (config) =>
      (await import("./methods.ts")).runMethods(config, name, options, terminal.say),
    );
  },
});

/** As in README and the manual page. */
export const TRY_EXAMPLE =
  "ocdd try dns --mount .:/etc/bind/zones:ro --validate -- dig @{address} www.example.com";

const tryCommand: CommandSpec = {
  name: "try",
  text: "an instance of a service or image with a name and address of its own, while a command or VALIDATE runs",
  argument: ["<name>", "a service, a container, or an image of this host"],
  rest: ["[command...]", "run on this host; {name} and {address} are replaced in each argument"],
  options: [
    ["--mount <src:dst>", "a directory or file of this host at this path; :ro for reading only", "repeated"],
    ["--env <name=value>", "a variable of its environment", "repeated"],
    ["--validate", "run its VALIDATE method, and the command only when that passes"],
  ],
  usage: "[options] <name> [-- command...]",
  example: TRY_EXAMPLE,
  run([name = "", ...command], { mount = [], env = [], validate = false, json }, terminal) {
    const mounts = mount.map(
      (text) =>
        readMount(text) ??
        terminal.misused(`option '--mount' needs SRC:DST or SRC:DST:ro, not '${clip(text)}'`),
    );
    // its value may be a secret
    if (!env.every(isVariable)) return terminal.misused("option '--env' needs NAME=value");
    const { hasTerminal } = terminal;
    const options = { name, mounts, environment: env, validate, command, json: json === true, hasTerminal };
    return terminal.answer(async (config) => (await import("./try.ts")).runTry(config, options, terminal));
  },
};

export const METHOD_COMMANDS: readonly CommandSpec[] = [
  metadata,
  examine,
  inspect,
  audit,
  runs("validate", "run the VALIDATE method of services; exit status 0 only when all pass"),
  runs("update", "run the UPDATE method of services, then VALIDATE; stops at the first failure", [
    ["--batch <n>", "so many at once; else one after the other"],
  ]),
  runs(
    "monitor",
    "run the MONITOR method of services; exit status as Nagios: 0 OK, 1 WARNING, 2 CRITICAL, 3 UNKNOWN",
  ),
  tryCommand,
];
