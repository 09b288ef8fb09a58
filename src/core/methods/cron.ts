/** Labels `ocdd.cron.<name>`: five fields as in POSIX' crontab, then a command. Untrusted: every value is bounded. */
import { clip } from "../clip.ts";
import { parseDuration } from "../duration.ts";
import { readCommand } from "./words.ts";

export interface CronEntry {
  /** What stands behind `ocdd.cron.` in the label. */
  readonly name: string;
  /** Five fields with one blank between them. */
  readonly expression: string;
  readonly argv: readonly string[];
  /** Seconds that it may run. */
  readonly timeout: number;
}

export interface CronRead {
  readonly entries: readonly CronEntry[];
  /** Why labels are ignored, one line each. */
  readonly notes: readonly string[];
}

/** Entries of one container, characters of a field and of a label, at most. */
export const MOST_CRON_ENTRIES = 16;
const FIELD_LENGTH = 100;
const LABEL_LENGTH = 4_096;

/** Seconds that a command may run where its label does not say, and at most. */
const TIMEOUT = 3_600;
const MOST_TIMEOUT = 86_400;

/** Lines about one container. */
const MOST_NOTES = 4;

const PREFIX = "ocdd.cron.";
const NAME = /^[a-z0-9][a-z0-9_-]{0,31}$/;

/** Reads them, in the order of their names. Never throws. */
export function readCron(labels: ReadonlyMap<string, string>): CronRead {
  const keys = [...labels.keys()].filter((key) => key.startsWith(PREFIX)).sort();
  const entries: CronEntry[] = [];
  const notes: string[] = [];
  for (const key of keys) {
    const name = key.slice(PREFIX.length);
    const owner = name.replace(/\.timeout$/, "");
    const text = labels.get(key) ?? "";
    // belongs to the label of its entry
    if (owner !== name && labels.has(PREFIX + owner)) continue;
    const entry = entries.length < MOST_CRON_ENTRIES ? entryOf(name, text) : TOO_MANY;
    if ("problem" in entry) {
      notes.push(`label ${clip(key)} is ignored: ${entry.problem}`);
      continue;
    }
    const limit = labels.get(`${key}.timeout`);
    const timeout = limit === undefined ? TIMEOUT : parseDuration(limit);
    if (timeout === undefined)
      notes.push(`label ${key}.timeout cannot be read and is ignored: "${clip(limit)}"`);
    entries.push({ ...entry, timeout: Math.min(timeout ?? TIMEOUT, MOST_TIMEOUT) });
  }
  const more = notes.length - MOST_NOTES;
  return { entries, notes: more > 1 ? [...notes.slice(0, MOST_NOTES), `${more} more`] : notes };
}

const TOO_MANY = { problem: `a container has at most ${MOST_CRON_ENTRIES} of them` };

type Read<T> = T | { readonly problem: string };

function entryOf(name: string, text: string): Read<Omit<CronEntry, "timeout">> {
  if (!NAME.test(name))
    return { problem: "its last part has to be 1 to 32 lower-case letters, digits, hyphens and underscores" };
  if (text.length > LABEL_LENGTH) return { problem: `it is longer than ${LABEL_LENGTH} characters` };
  const parts = /^[ \t]*((?:[^ \t]+[ \t]+){5})(.*)$/s.exec(text);
  if (parts === null) return { problem: `it is not of the form "30 3 * * * command": "${clip(text)}"` };
  const expression = (parts[1] ?? "").trim().split(/[ \t]+/);
  const problem = problemOf(expression);
  if (problem !== null) return { problem: `${problem}: "${clip(text)}"` };
  const command = readCommand(parts[2] ?? "");
  if ("problem" in command) return { problem: `its command cannot be read: ${command.problem}` };
  return { name, expression: expression.join(" "), argv: command.argv };
}

interface Field {
  readonly name: string;
  readonly first: number;
  readonly last: number;
  /** The names of its values, from `first` on. */
  readonly words?: readonly string[];
}

const FIELDS: readonly Field[] = [
  { name: "minute", first: 0, last: 59 },
  { name: "hour", first: 0, last: 23 },
  { name: "day of month", first: 1, last: 31 },
  {
    name: "month",
    first: 1,
    last: 12,
    words: ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"],
  },
  { name: "day of week", first: 0, last: 7, words: ["sun", "mon", "tue", "wed", "thu", "fri", "sat"] },
];

/** Days of the longest February, and of the other months. */
const DAYS = [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31] as const;

/** What is wrong with the fields, or null. */
function problemOf(texts: readonly string[]): string | null {
  const sets: ReadonlySet<number>[] = [];
  for (const [at, field] of FIELDS.entries()) {
    const values = valuesOf(texts[at] ?? "", field);
    if (values === undefined)
      return `its ${field.name} "${clip(texts[at], 20)}" is not of the form *, 5, 1-5, */5, or a list of these, within ${field.first} to ${field.last}`;
    sets.push(values);
  }
  const [, , days = new Set(), months = new Set()] = sets;
  // where the day of the week is given as well, either of them is enough (POSIX, crontab)
  const isDay = texts[4] !== "*" || [...months].some((month) => Math.min(...days) <= (DAYS[month - 1] ?? 0));
  return isDay ? null : "there is no such day in any year";
}

/** Undefined where it cannot be read. */
function valuesOf(text: string, { first, last, words = [] }: Field): Set<number> | undefined {
  if (text.length > FIELD_LENGTH) return undefined;
  const values = new Set<number>();
  for (const item of text.toLowerCase().split(",")) {
    const [, from = "", to, step] =
      /^(\*|[a-z]{3}|\d{1,2})(?:-([a-z]{3}|\d{1,2}))?(?:\/(\d{1,2}))?$/.exec(item) ?? [];
    const number = (word: string): number =>
      words.includes(word) ? words.indexOf(word) + first : Number(/^\d+$/.test(word) ? word : Number.NaN);
    const isAll = from === "*";
    if (isAll && to !== undefined) return undefined;
    // a step goes with a range
    if (!isAll && to === undefined && step !== undefined) return undefined;
    const begin = isAll ? first : number(from);
    const end = isAll ? last : to === undefined ? begin : number(to);
    const by = step === undefined ? 1 : Number(step);
    if (!(first <= begin && begin <= end && end <= last && 1 <= by && by <= last)) return undefined;
    for (let value = begin; value <= end; value += by) values.add(value);
  }
  return values;
}
