/** One line with a value in Prometheus' text format: read strictly, and written anew. */
import { clip } from "../clip.ts";

export interface Sample {
  readonly name: string;
  /** In the order in which they were written; an empty value is the same as none. Control characters are replaced. */
  readonly labels: ReadonlyMap<string, string>;
  readonly value: string;
}

/** Characters of a name and of a label's value, and labels, at most. */
const NAME_LENGTH = 200;
const VALUE_LENGTH = 1_024;
const MOST_LABELS = 32;

const METRIC = /[a-z_:][a-z0-9_:]*/iy;
const LABEL = /[ \t]*([a-z_][a-z0-9_]*)[ \t]*=[ \t]*"((?:[^"\\\n]|\\[\\"n])*)"[ \t]*(,|(?=\}))/iy;
const END = /[ \t]*\}/y;
const REST = /^[ \t]*([^ \t]+)(?:[ \t]+(-?\d{1,19}))?[ \t]*$/;

/** A finite number as Go reads it without an underscore or a power of two, or one of these words. */
const NUMBER = /^[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:e[+-]?\d+)?$/i;
const WORDS: ReadonlyMap<string, string> = new Map([
  ["nan", "NaN"],
  ["inf", "+Inf"],
  ["+inf", "+Inf"],
  ["-inf", "-Inf"],
]);
const NUMBER_LENGTH = 64;

/** What is wrong with it where it cannot be read. Its time is not kept: it is given on with that of the scrape. */
export function readSample(line: string): Sample | string {
  const start = /^[ \t]*/.exec(line)?.[0].length ?? 0;
  METRIC.lastIndex = start;
  const name = METRIC.exec(line)?.[0] ?? "";
  if (name === "" || name.length > NAME_LENGTH) return `it begins with no name of a metric: "${clip(line)}"`;
  let at = start + name.length;
  const labels = new Map<string, string>();
  const open = /^[ \t]*\{/.exec(line.slice(at, at + 64))?.[0];
  if (open !== undefined) {
    const read = labelsAt(line, at + open.length, labels);
    if (typeof read === "string") return read;
    at = read;
  } else if (!/[ \t]/.test(line[at] ?? "")) return `no blank follows the name ${clip(name)}`;
  const [, text] = REST.exec(line.slice(at)) ?? [];
  const value = text === undefined ? undefined : numberOf(text);
  return value === undefined
    ? `${clip(name)} has no value that is a number: "${clip(line.slice(at))}"`
    : { name, labels, value };
}

/** Reads labels up to the closing brace; the place behind it, or what is wrong. */
function labelsAt(line: string, from: number, labels: Map<string, string>): number | string {
  const seen = new Set<string>();
  for (let at = from; ; at = LABEL.lastIndex) {
    END.lastIndex = at;
    if (END.test(line)) return END.lastIndex;
    LABEL.lastIndex = at;
    const [, name = "", written = ""] = LABEL.exec(line) ?? [];
    if (name === "") return `its labels cannot be read at "${clip(line.slice(at))}"`;
    if (name.startsWith("__")) return `the label ${clip(name)} is reserved`;
    if (seen.has(name)) return `the label ${clip(name)} is there twice`;
    seen.add(name);
    if (seen.size > MOST_LABELS) return `it has more than ${MOST_LABELS} labels`;
    if (name.length > NAME_LENGTH || written.length > VALUE_LENGTH)
      return `the label ${clip(name)} is longer than ${VALUE_LENGTH} characters`;
    if (written !== "") labels.set(name, unescaped(written));
  }
}

const unescaped = (text: string): string =>
  text
    .replace(/\\(.)/g, (_, char: string) => (char === "n" ? "\n" : char))
    .replace(/[^\P{C}\n]|[\u2028\u2029]/gu, "\ufffd");

function numberOf(text: string): string | undefined {
  const word = WORDS.get(text.toLowerCase());
  if (word !== undefined) return word;
  const isNumber = text.length <= NUMBER_LENGTH && NUMBER.test(text) && Number.isFinite(Number(text));
  return isNumber ? text : undefined;
}

const SERVICE = "service";
const EXPORTED = "exported_";

/** The same with the label `service`; its own of that name is kept as `exported_service`, as Prometheus does with its targets' labels. */
export function withService({ name, labels, value }: Sample, service: string): Sample {
  const own = [...labels].map(([label, text]): [string, string] => {
    if (label !== SERVICE) return [label, text];
    let other = EXPORTED + SERVICE;
    while (labels.has(other)) other = EXPORTED + other;
    return [other, text];
  });
  return { name, labels: new Map([[SERVICE, service], ...own]), value };
}

const ESCAPES: ReadonlyMap<string, string> = new Map([
  ["\\", "\\\\"],
  ["\n", "\\n"],
  ['"', '\\"'],
]);

/** Without the line break. */
export function textOfSample({ name, labels, value }: Sample): string {
  const pairs = [...labels].map(
    ([label, text]) => `${label}="${text.replace(/[\\\n"]/g, (char) => ESCAPES.get(char) ?? char)}"`,
  );
  return `${name}${pairs.length === 0 ? "" : `{${pairs.join(",")}}`} ${value}`;
}
