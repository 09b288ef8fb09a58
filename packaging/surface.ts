/** Commands, options and keys, read from the command tree and the table of keys: the one source of manuals and completions. */

import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { Command } from "commander";
import { commandTree } from "../src/cli/main.ts";
import { KEYS, type KeyName } from "../src/core/config/keys.ts";

export interface Flag {
  readonly short: string | undefined;
  readonly long: string;
  /** Name of the argument that it must have, such as `file`; undefined when it takes none. */
  readonly argument: string | undefined;
  /** Name of an argument that it may have. */
  readonly optional: string | undefined;
  /** The values it takes, where they are few. */
  readonly choices: readonly string[];
  readonly text: string;
}

export interface Word {
  readonly name: string;
  readonly text: string;
  /** Name of its argument; undefined when it takes none. */
  readonly argument: string | undefined;
  /** There is no call without it. */
  readonly required: boolean;
  /** It takes one such argument or more. */
  readonly repeated: boolean;
  /** Name of what may follow its argument, once or more; undefined for nothing. */
  readonly rest: string | undefined;
  /** Its own options; the global ones are understood after it as well. */
  readonly flags: readonly Flag[];
}

export interface KeyDoc {
  readonly name: KeyName;
  readonly text: string;
  /** Empty: worked out from other keys, or asked for. */
  readonly fallback: string;
  /** There is no run without it. */
  readonly required: boolean;
}

export interface Label {
  readonly names: readonly string[];
  readonly text: string;
}

export interface Surface {
  readonly version: string;
  readonly summary: string;
  readonly flags: readonly Flag[];
  readonly words: readonly Word[];
  readonly keys: readonly KeyDoc[];
  readonly labels: readonly Label[];
  /** Exit status → meaning. */
  readonly statuses: ReadonlyMap<string, string>;
}

/** The repository's root. */
export const ROOT: string = fileURLToPath(new URL("../", import.meta.url));

/** A file of the repository as text. */
export const textOf = (path: string): string => readFileSync(`${ROOT}${path}`, "utf8");

/** Everything that is documented. Throws when the help or the README no longer has the form that is read here. */
export function readSurface(): Surface {
  const tree = commandTree(() => {});
  return {
    version: (JSON.parse(textOf("package.json")) as { version: string }).version,
    summary: tree.description(),
    flags: flagsOf(tree),
    words: tree.commands.map((command) => ({
      name: command.name(),
      text: command.description(),
      argument: command.registeredArguments[0]?.name(),
      required: command.registeredArguments[0]?.required === true,
      repeated: command.registeredArguments[0]?.variadic === true,
      rest: command.registeredArguments[1]?.name(),
      flags: command.options.map(flagOf),
    })),
    keys: Object.entries(KEYS).map(([name, key]) => ({
      name: name as KeyName,
      text: key.doc,
      fallback: key.fallback,
      // a default that is worked out stands in its text
      required: key.fallback === "" && !key.doc.includes("; default: ") && refuses(key.parse),
    })),
    labels: labels(),
    statuses: statuses(tree),
  };
}

/** The rows of the README's table below a heading, each a list of its cells. */
export function readmeTable(heading: string): string[][] {
  const section = textOf("README.md")
    .split(/^## /m)
    .find((part) => part.startsWith(`${heading}\n`));
  const rows = (section ?? "").split("\n").filter((line) => line.startsWith("| "));
  if (rows.length < 2) throw new Error(`README.md has no table below "## ${heading}"`);
  return rows.slice(1).map((row) =>
    row
      .slice(1, row.lastIndexOf("|"))
      .split("|")
      .map((cell) => cell.trim()),
  );
}

/** The words in backticks in a text. */
export const quoted = (text: string): string[] =>
  [...text.matchAll(/`([^`]+)`/g)].map((found) => found[1] ?? "");

/** The options of the command line itself, help included. */
function flagsOf(tree: Command): Flag[] {
  return tree.createHelp().visibleOptions(tree).map(flagOf);
}

/** commander's option, the parts that are used here. */
interface OptionLike {
  readonly short?: string | undefined;
  readonly long?: string | undefined;
  readonly flags: string;
  readonly description: string;
  readonly argChoices?: readonly string[] | undefined;
}

function flagOf(option: OptionLike): Flag {
  return {
    short: option.short,
    long: option.long ?? "",
    argument: /<([^>]+)>/.exec(option.flags)?.[1],
    optional: /\[([^\]]+)\]/.exec(option.flags)?.[1],
    choices: option.argChoices ?? [],
    text: option.description,
  };
}

function refuses(parse: (text: string) => unknown): boolean {
  try {
    parse("");
    return false;
  } catch {
    return true;
  }
}

function labels(): Label[] {
  return readmeTable("Labels on containers").map(([names = "", text = ""]) => ({
    names: quoted(names),
    text,
  }));
}

/** The statuses as --help lists them. */
function statuses(tree: Command): Map<string, string> {
  let help = "";
  const writeOut = (text: string): void => {
    help += text;
  };
  tree.configureOutput({ writeOut }).outputHelp();
  const list = /Exit status: ([\s\S]*?)\.\n*$/.exec(help)?.[1];
  if (list === undefined) throw new Error("--help no longer ends with the exit statuses");
  return new Map(
    list.split(/,\s+/).map((item) => {
      const [, status = "", meaning = ""] = /^(\d+) (.+)$/s.exec(item) ?? [];
      return [status, meaning];
    }),
  );
}
