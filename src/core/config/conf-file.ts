/** `KEY=value` lines as bash would read them, with nothing ever executed. */
import type { Problem } from "../errors.ts";
import { isBashOwn, isBashReadOnly } from "./bash-variables.ts";

export interface Assignment {
  readonly key: string;
  readonly value: string;
  /** `FILE:LINE`. */
  readonly where: string;
}

/** Something in a line that bash would expand, execute or leave out, and this reader does not. */
class Refusal extends Error {}

/** The value of a variable; empty where it is not set. Throws Refusal for one whose value only bash has. */
type LookUp = (name: string) => string;

const NAME = /^[A-Za-z_][A-Za-z0-9_]*/;

/** Lines that are no assignment are named up to here: a file with more of them is no conf file. */
const MOST_UNREADABLE = 10;

/**
 * The assignments of a conf file in order, and a problem for every line that is no assignment.
 * `variables` is the environment that `$NAME` falls back to; `helpers` are the names that a later line expands; `unread` are
 * the keys of lines that could not be read.
 */
export function readConfFile(
  text: string,
  file: string,
  variables: ReadonlyMap<string, string>,
): {
  assignments: Assignment[];
  problems: Problem[];
  helpers: ReadonlySet<string>;
  unread: ReadonlySet<string>;
} {
  const assignments: Assignment[] = [];
  const problems: Problem[] = [];
  const known = new Map(variables);
  const helpers = new Set<string>();
  const unread = new Set<string>();
  let unreadable = 0;
  const lookUp: LookUp = (name) => {
    if (assignments.some(({ key }) => key === name)) helpers.add(name);
    if (isBashOwn(name, known)) throw new Refusal(`"$${name}" is set by bash alone; write its value`);
    return known.get(name) ?? "";
  };
  const lines = text.replace(/^\uFEFF/, "").split(/\r?\n/);
  for (const [index, line] of lines.entries()) {
    const where = `${file}:${index + 1}`;
    const [start = ""] = /^[ \t]*(export[ \t]+)?/.exec(line) ?? [];
    const assigned = line.slice(start.length);
    if (assigned === "" || assigned.startsWith("#")) continue;
    const key = NAME.exec(assigned)?.[0] ?? "";
    const rest = assigned.slice(key.length);
    if (key === "" || !rest.startsWith("=")) {
      unread.add(key);
      if (++unreadable <= MOST_UNREADABLE) problems.push({ where, message: unlike(key, rest) });
      continue;
    }
    try {
      if (isBashReadOnly(key)) throw new Refusal("bash lets no file set it; take another name");
      const value = readValue(rest.slice(1), start.trim() === "" ? "bare" : "exported", lookUp);
      known.set(key, value);
      assignments.push({ key, value, where });
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      unread.add(key);
      problems.push({ where, key, message: error.message });
    }
  }
  if (unreadable > MOST_UNREADABLE) {
    const message = `${unreadable - MOST_UNREADABLE} more lines are not KEY=value`;
    problems.push({ where: file, message });
  }
  return { assignments, problems, helpers, unread };
}

/** What is wrong with a line. Of its text only what looks like a key is shown: it may be any file that root can read. */
function unlike(key: string, rest: string): string {
  if (!/^[A-Z][A-Z0-9_]*$/.test(key)) return "the line is not KEY=value";
  return /^\s+=/.test(rest)
    ? `"=" must follow "${clip(key)}" without a blank`
    : `"${clip(key)}" is not KEY=value`;
}

function clip(text: string): string {
  return text.length > 40 ? `${text.slice(0, 40)}…` : text;
}

/** The value of one line: quoted and bare parts joined, up to a blank. */
function readValue(text: string, place: "bare" | "exported", lookUp: LookUp): string {
  const { value, end } = readWord(text, 0, place, lookUp);
  // blanks as bash knows them: a no-break space begins a word
  const rest = text.slice(end).replace(/^[ \t]+/, "");
  if (rest === "" || rest.startsWith("#")) {
    // bash leaves some of them out
    if (/[^\P{Cc}\t]/u.test(text.slice(0, end) + value))
      throw new Refusal("holds a control character; take it out");
    return value;
  }
  throw new Refusal(`"${clip(rest)}" follows the value; put a value with blanks in quotes`);
}

/** The context of a piece of text: it determines where the text ends and which characters are special in it. */
type Place = "bare" | "exported" | "quoted" | "default" | "default in quotes";

const STOPS: Readonly<Record<Place, string>> = {
  bare: " \t",
  exported: " \t",
  quoted: '"',
  default: "}",
  "default in quotes": "}",
};

/** Reads up to what ends the place, expanding variables and removing quotes. `end` is the position of the stop. */
function readWord(text: string, start: number, place: Place, lookUp: LookUp): { value: string; end: number } {
  const open = place === "bare" || place === "exported" || place === "default";
  let value = "";
  let i = start;
  while (i < text.length && !STOPS[place].includes(text.charAt(i))) {
    const c = text.charAt(i);
    if (c === "\\") {
      const next = text.charAt(i + 1);
      if (next === "") throw new Refusal("a line cannot be continued with a backslash");
      const escapes = place === "quoted" ? '"\\$`' : '"\\$`}';
      value += open || escapes.includes(next) ? next : c + next;
      i += 2;
    } else if (c === "`") {
      throw new Refusal("a command in backticks is never executed");
    } else if (c === "$") {
      if (open && /['"]/.test(text.charAt(i + 1))) throw new Refusal("$'...' and $\"...\" are not expanded");
      const variable = readVariable(text, i + 1, open ? "default" : "default in quotes", lookUp);
      value += variable.value;
      i = variable.end;
    } else if (c === "'" && open) {
      const end = text.indexOf("'", i + 1);
      if (end < 0) throw new Refusal("the single quote is not closed on this line");
      value += text.slice(i + 1, end);
      i = end + 1;
    } else if (c === '"' && open) {
      const part = readWord(text, i + 1, "quoted", lookUp);
      if (part.end >= text.length) throw new Refusal("the double quote is not closed on this line");
      value += part.value;
      i = part.end + 1;
    } else if (/['"]/.test(c) && place === "default in quotes") {
      // shells differ about them
      throw new Refusal("a default inside double quotes must not hold quotes itself");
    } else if (c === "~" && open && (i === start || text.charAt(i - 1) === ":")) {
      // a shell expands it there: at the start of a value and behind each colon
      throw new Refusal('"~" is not expanded; write the path in full');
    } else if (place === "exported" && c === "{") {
      throw new Refusal('bash expands braces behind "export"; put the value in quotes');
    } else if (place.startsWith("default") && /^[<>]\(/.test(text.slice(i, i + 2))) {
      throw new Refusal(`a command in ${c}(...) is never executed`);
    } else if ((place === "bare" || place === "exported") && "();&|<>".includes(c)) {
      throw new Refusal(
        c === "(" ? "arrays are not supported" : `"${c}" has a meaning to the shell; put the value in quotes`,
      );
    } else {
      value += c;
      i++;
    }
  }
  return { value, end: i };
}

/** `$NAME`, `${NAME}` or `${NAME:-default}` at `start`, just behind the dollar sign; `place` is the default's. */
function readVariable(
  text: string,
  start: number,
  place: Place,
  lookUp: LookUp,
): { value: string; end: number } {
  const rest = text.slice(start);
  if (rest.startsWith("((") || rest.startsWith("[")) throw new Refusal("arithmetic is never executed");
  if (rest.startsWith("(")) throw new Refusal("a command in $(...) is never executed");
  const plain = NAME.exec(rest)?.[0];
  if (plain !== undefined) return { value: lookUp(plain), end: start + plain.length };
  if (!rest.startsWith("{")) {
    if (/^[0-9@*#?!$-]/.test(rest)) throw new Refusal(`"$${rest.charAt(0)}" is not expanded`);
    return { value: "$", end: start };
  }
  const name = NAME.exec(rest.slice(1))?.[0] ?? "";
  const after = start + 1 + name.length;
  if (name !== "" && text.charAt(after) === "}") return { value: lookUp(name), end: after + 1 };
  if (name !== "" && text.startsWith(":-", after)) {
    const fallback = readWord(text, after + 2, place, lookUp);
    if (text.charAt(fallback.end) !== "}") throw new Refusal(`"\${${name}" is not closed`);
    // an empty value counts as unset, as ":-" does in a shell
    return { value: lookUp(name) || fallback.value, end: fallback.end + 1 };
  }
  // biome-ignore lint/suspicious/noTemplateCurlyInString: the shell's spelling, shown to the user
  throw new Refusal("only $NAME, ${NAME} and ${NAME:-default} are expanded");
}
