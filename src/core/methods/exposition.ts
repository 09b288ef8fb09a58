/**
 * Metrics of a container in Prometheus' text format (version 0.0.4), read strictly: one line that is wrong refuses the whole text, as
 * Prometheus does. The text is untrusted: every field is bounded, and what is given on is written anew.
 */
import { clip } from "../clip.ts";
import { readSample, type Sample, textOfSample, withService } from "./sample.ts";

export const METRIC_TYPES = ["counter", "gauge", "histogram", "summary", "untyped"] as const;
export type MetricType = (typeof METRIC_TYPES)[number];

/** All series of one name, of one service. */
export interface Family {
  readonly name: string;
  readonly type: MetricType;
  /** As it stands behind HELP, escaped; null where there is none. */
  readonly help: string | null;
  /** A line each, with the label `service`. */
  readonly lines: readonly string[];
}

export type ExpositionRead =
  | { readonly families: readonly Family[]; readonly series: number; readonly length: number }
  | { readonly problem: string };

/** Octets of a text, characters of a line, its series and families, at most. */
export const MOST_EXPOSITION_OCTETS = 1 << 20;
const LINE_LENGTH = 32_768;
export const MOST_SERIES = 5_000;
const MOST_FAMILIES = 1_000;
const HELP_LENGTH = 1_024;

interface Draft {
  readonly name: string;
  type: MetricType | null;
  help: string | null;
  readonly lines: string[];
}

/** `service`: the label that each series gets; one of that name which it has becomes `exported_service`. */
export function readExposition(text: string, service: string): ExpositionRead {
  if (text.length > MOST_EXPOSITION_OCTETS)
    return { problem: `it is larger than ${MOST_EXPOSITION_OCTETS} octets` };
  const families = new Map<string, Draft>();
  const seen = new Set<string>();
  let length = 0;
  let number = 0;
  for (const line of linesOf(text)) {
    number += 1;
    const problem = read(line);
    if (problem !== null) return { problem: `line ${number}: ${problem}` };
  }
  const found = [...families.values()].flatMap(({ type, ...draft }): Family[] =>
    draft.lines.length === 0 ? [] : [{ ...draft, type: type ?? "untyped" }],
  );
  return { families: found, series: seen.size, length };

  function read(line: string): string | null {
    if (line.length > LINE_LENGTH) return `it is longer than ${LINE_LENGTH} characters`;
    if (/^[ \t]*$/.test(line)) return null;
    if (/^[ \t]*#/.test(line)) return comment(line, families);
    const sample = readSample(line);
    if (typeof sample === "string") return sample;
    const family = familyOf(sample, families);
    if (typeof family === "string") return family;
    const own = withService(sample, service);
    const key = JSON.stringify([own.name, ...[...own.labels].map((pair) => pair.join("=")).sort()]);
    if (seen.has(key)) return `the series "${clip(own.name)}" is there twice with the same labels`;
    if (seen.size >= MOST_SERIES) return `there are more than ${MOST_SERIES} series`;
    seen.add(key);
    const written = textOfSample(own);
    length += written.length + 1;
    family.lines.push(written);
    return null;
  }
}

function* linesOf(text: string): Generator<string> {
  for (let from = 0; from < text.length; ) {
    const end = text.indexOf("\n", from);
    const to = end < 0 ? text.length : end;
    yield text.slice(from, to);
    from = to + 1;
  }
}

const NAME = /^[a-z_:][a-z0-9_:]*$/i;
const NAME_LENGTH = 200;

/** HELP and TYPE; any other comment has no meaning. */
function comment(line: string, families: Map<string, Draft>): string | null {
  const [, word, name = "", rest = ""] =
    /^[ \t]*#[ \t]*(HELP|TYPE)(?:[ \t]+([^ \t]+)(?:[ \t]+(.*))?)?[ \t]*$/s.exec(line) ?? [];
  if (word === undefined) return null;
  if (!NAME.test(name) || name.length > NAME_LENGTH) return `${word} names no metric: "${clip(name)}"`;
  const family = draftOf(name, families);
  if (typeof family === "string") return family;
  if (word === "HELP") {
    if (family.help !== null) return `a second HELP of ${clip(name)}`;
    const help = helpOf(rest);
    if (help === undefined) return `HELP of ${clip(name)} holds a backslash that is none of \\\\ and \\n`;
    family.help = help;
    return null;
  }
  const type = METRIC_TYPES.find((one) => one === rest.trim());
  if (type === undefined) return `"${clip(rest)}" is no type of metrics: ${METRIC_TYPES.join(", ")}`;
  if (family.lines.length > 0) return `TYPE of ${clip(name)} stands behind its series`;
  if (family.type !== null) return `a second TYPE of ${clip(name)}`;
  family.type = type;
  return null;
}

/** As it is written again; undefined for an escape that the format does not have. */
function helpOf(text: string): string | undefined {
  if (/\\(?![\\n])/.test(text.replaceAll("\\\\", ""))) return undefined;
  const clean = text.replace(/[\p{C}\u2028\u2029]/gu, "\ufffd");
  // not in the midst of an escape
  return clean.length > HELP_LENGTH ? `${clean.slice(0, HELP_LENGTH).replace(/\\+$/, "")}…` : clean;
}

function draftOf(name: string, families: Map<string, Draft>): Draft | string {
  const known = families.get(name);
  if (known !== undefined) return known;
  if (families.size >= MOST_FAMILIES) return `there are more than ${MOST_FAMILIES} metrics`;
  const draft: Draft = { name, type: null, help: null, lines: [] };
  families.set(name, draft);
  return draft;
}

/** Suffixes of the series that belong to a histogram and to a summary. */
const SUFFIXES: Readonly<Partial<Record<MetricType, readonly string[]>>> = {
  histogram: ["_bucket", "_sum", "_count"],
  summary: ["_sum", "_count"],
};

/** The names under which series of a family stand. */
export const namesIn = ({ name, type }: Pick<Family, "name" | "type">): string[] => [
  name,
  ...(SUFFIXES[type] ?? []).map((suffix) => `${name}${suffix}`),
];

/** The family to which a series belongs, or what is wrong with it. */
function familyOf({ name, labels }: Sample, families: Map<string, Draft>): Draft | string {
  const suffix = /_(?:bucket|sum|count)$/.exec(name)?.[0] ?? "";
  const parent = suffix === "" ? undefined : families.get(name.slice(0, -suffix.length));
  const isPart = parent?.type != null && SUFFIXES[parent.type]?.includes(suffix) === true;
  const family = families.has(name) || !isPart ? draftOf(name, families) : (parent as Draft);
  if (typeof family === "string") return family;
  // without a TYPE before it
  family.type ??= "untyped";
  const own = family.name === name;
  if (own && family.type === "histogram")
    return `${clip(name)} is a histogram and has no series of that name`;
  const needed =
    family.type === "histogram" && suffix === "_bucket"
      ? "le"
      : family.type === "summary" && own
        ? "quantile"
        : null;
  if (needed !== null && !isBound(labels.get(needed)))
    return `${clip(name)} has no label ${needed} that is a number`;
  return family;
}

const isBound = (text: string | undefined): boolean =>
  text !== undefined && /^[+-]?(?:\d+(?:\.\d*)?(?:e[+-]?\d+)?|\.\d+(?:e[+-]?\d+)?|inf)$/i.test(text);
