/** Labels that seem meant for OCDD and are not known: a misspelt restriction must not count as no restriction. */

import { clip } from "../clip.ts";
import { edits, meant } from "../config/nearest.ts";

/** Every label that is read. */
export const LABELS: readonly string[] = [
  "ocdd.enable",
  "ocdd.name",
  "ocdd.aliases",
  "ocdd.network",
  "ocdd.address",
  "ocdd.map",
  "ocdd.ports",
  "ocdd.allow",
  "ocdd.srv",
  "ocdd.title",
  "ocdd.description",
  "ocdd.group",
  "ocdd.icon",
  "ocdd.url",
  "ocdd.hide",
  "ocdd.wake",
  "ocdd.wake.with",
  "ocdd.wake.timeout",
  "ocdd.wake.scale",
  "ocdd.wake.ports",
  "ocdd.wake.from",
  "ocdd.idle",
  "ocdd.idle.action",
  "ocdd.idle.ignore",
  "ocdd.health",
  "ocdd.health.status",
  "ocdd.health.timeout",
  "ocdd.health.interval",
  "ocdd.check",
  "ocdd.ready",
  "ocdd.start",
  "ocdd.update",
  "ocdd.update.timeout",
  "ocdd.update.interval",
  "ocdd.validate",
  "ocdd.validate.timeout",
  "ocdd.validate.interval",
  "ocdd.monitor",
  "ocdd.monitor.timeout",
  "ocdd.monitor.interval",
  "ocdd.metrics",
  "ocdd.metrics.timeout",
  "ocdd.metrics.interval",
  "ocdd.try",
];

/** Beginnings of labels whose rest is the user's own. */
const OPEN_ENDED = /^ocdd\.(meta|cron)\./;

const PREFIX = "ocdd";

/** Those that close or hide something. */
const RESTRICTIONS = ["allow", "ports", "enable", "hide"] as const;
export type Restriction = (typeof RESTRICTIONS)[number];

/** Other words for them, behind OCDD's own prefix: other programs' labels have such words too. */
const SYNONYMS: ReadonlyMap<Restriction, readonly string[]> = new Map([
  ["allow", "deny block acl from whitelist blacklist permit restrict restricted private internal".split(" ")],
  ["enable", "disable ignore exclude expose skip".split(" ")],
  ["hide", ["unlisted"]],
]);

/** First words of labels with further ones, which are about that: `ocdd.health.port` is no port that the network may reach. */
const FAMILIES: ReadonlySet<string> = new Set([
  ...LABELS.flatMap((label) => /^ocdd\.(\w+)\./.exec(label)?.[1] ?? []),
  "meta",
  "cron",
]);

/** Those that limit what wakes a container. */
const WAKE_LIMITS = ["wake.from", "wake.ports", "wake"] as const;
type WakeLimit = (typeof WAKE_LIMITS)[number];

/** What was found among a container's labels. */
export interface UnknownLabels {
  /** Restrictions that a label seems to mean. */
  readonly meant: ReadonlySet<Restriction>;
  /** Why the container must not be served, or null. */
  readonly refused: string | null;
  /** Why the container must not be woken, or null; it is served all the same. */
  readonly notWoken: string | null;
  readonly notes: readonly string[];
}

/** Labels that are reported, at most. */
const MOST_REPORTED = 4;

const NONE: UnknownLabels = { meant: new Set(), refused: null, notWoken: null, notes: [] };

/** Looks through the labels' keys. */
export function unknownLabels(labels: ReadonlyMap<string, string>): UnknownLabels {
  const unknown = [...labels.keys()].flatMap((key) => {
    const reading = readKey(key);
    return reading === null ? [] : [{ key, ...reading }];
  });
  if (unknown.length === 0) return NONE;
  const restrictions = new Set<Restriction>();
  let refused: string | null = null;
  let notWoken: string | null = null;
  const notes: string[] = [];
  for (const { key, isOurs, restriction, limit } of unknown) {
    const wish = restriction ?? limit;
    // where another program has such a label, the user decides by setting OCDD's as well
    const isDecided = !isOurs && wish !== undefined && labels.has(`${PREFIX}.${wish}`);
    const other = isOurs ? "" : `; if it is another program's, set ${PREFIX}.${wish} as well`;
    if (restriction !== undefined && !isDecided) {
      restrictions.add(restriction);
      refused ??= `label "${clip(key)}" is not known; if it is to restrict, write ${PREFIX}.${restriction}${other}`;
    } else if (limit !== undefined && !isDecided && notWoken === null) {
      notWoken = `label "${clip(key)}" is not known; if it is to limit what wakes the container, write ${PREFIX}.${limit}${other}`;
      notes.push(notWoken);
    } else if (notes.length < MOST_REPORTED) {
      const near = isOurs || wish === undefined ? meant(key, LABELS) : `${PREFIX}.${wish}`;
      const hint = near === null ? "" : `; the nearest is ${near}`;
      notes.push(`label "${clip(key)}" is not known and is ignored${hint}`);
    }
  }
  const more = unknown.length - notes.length - restrictions.size;
  return {
    meant: restrictions,
    refused,
    notWoken,
    notes: more > 0 && notes.length >= MOST_REPORTED ? [...notes, `${more} more`] : notes,
  };
}

/** Whether a label is not known and seems to be meant for OCDD. */
export const seemsMeant = (key: string): boolean => readKey(key) !== null;

/** What a label's key seems to mean. */
interface Reading {
  /** It has OCDD's own prefix; else it may be another program's, and only what it restricts counts. */
  readonly isOurs: boolean;
  readonly restriction: Restriction | undefined;
  readonly limit: WakeLimit | undefined;
}

/** Characters of a key that are looked at. */
const MOST_READ = 128;
/** OCDD's prefix, and what follows it; spaces and quotes around it are mistakes of YAML and of shells. */
const OURS = /^[^a-z0-9]*ocdd[^a-z0-9](.*)$/s;
/**
 * The same with a letter less, another or two exchanged, or one more, and whatever separator; its letters in any order, doubled or
 * mirrored too; and the bash script's name. Any two letters wrong would make `code`, `ocpp` or `dodo` of it.
 */
const MISSPELT: readonly RegExp[] = [
  /^(?:cdd|o[cd]{2})(.*)$/,
  /^(?:.cdd|o.dd|oc.d|ocd.|codd|o[cd]{3})(.*)$/,
  /^(?:.ocdd|o.cdd|oc.dd|ocd.d|ocdd.|o[cd]{4})(.*)$/,
  /^(?:o+c+d{2,}|c+o+d{2,}|ocbb|octocopd{0,2})(.*)$/,
];
/** OCDD's prefix behind the namespace of a domain or a program. */
const IN_NAMESPACE = /[^a-z0-9]ocdd[^a-z0-9](.*)$/s;

/** What a key seems to mean; null where it is a known label, or no label for OCDD. */
function readKey(key: string): Reading | null {
  if (LABELS.includes(key) || OPEN_ENDED.test(key)) return null;
  const text = key.slice(0, MOST_READ).normalize("NFKC").replace(/\p{C}/gu, "").toLowerCase();
  const own = OURS.exec(text)?.[1];
  if (own !== undefined) {
    const limit = wakeLimitIn(plain(own), 2);
    const restriction = restrictionIn(plain(own), 2) ?? (limit === undefined ? partOf(own) : undefined);
    if (restriction !== undefined) return { isOurs: true, restriction, limit: undefined };
    return { isOurs: true, restriction, limit: limit ?? wakePartOf(own) };
  }
  const letters = plain(text);
  const words = [
    ...MISSPELT.flatMap((pattern) => pattern.exec(letters)?.[1] ?? []),
    ...(IN_NAMESPACE.exec(text)?.slice(1).map(plain) ?? []),
  ];
  // two mistakes are as many as make another word of it
  const restriction = words.map((word) => restrictionIn(word, 1)).find((one) => one !== undefined);
  const limit = words.map((word) => wakeLimitIn(word, 1)).find((one) => one !== undefined);
  if (restriction !== undefined) return { isOurs: false, restriction, limit: undefined };
  return limit === undefined ? null : { isOurs: false, restriction, limit };
}

/** The letters and digits of a label in lower case, as many as can matter. */
const plain = (text: string): string => text.replace(/[^a-z0-9]/g, "").slice(0, 64);

/** The restriction that a word seems to mean: another case, blanks, a plural, a longer form, or at most so many letters wrong. */
function restrictionIn(word: string, most: 1 | 2): Restriction | undefined {
  return RESTRICTIONS.find(
    (restriction) =>
      isForm(word, restriction) || edits(word, restriction) <= (restriction.length > 4 ? most : 1),
  );
}

const wordsOf = (text: string): string[] => text.split(/[^a-z0-9]+/).filter((word) => word !== "");

/** The restriction that one of several words, or another word for it, seems to mean. */
function partOf(text: string): Restriction | undefined {
  const words = wordsOf(text);
  return isFamily(words[0] ?? "") ? undefined : oneOf(words);
}

function oneOf(words: readonly string[]): Restriction | undefined {
  const means = (word: string, restriction: Restriction): boolean =>
    (words.length > 1 && (isForm(word, restriction) || isNear(word, restriction, 5))) ||
    (SYNONYMS.get(restriction) ?? []).some((other) => word === other || isNear(word, other, 6));
  return RESTRICTIONS.find((restriction) => words.some((word) => means(word, restriction)));
}

/** One letter wrong, in a word of at least so many: it makes most short words of each other. */
const isNear = (word: string, whole: string, least: number): boolean =>
  whole.length >= least && Math.abs(word.length - whole.length) <= 1 && edits(word, whole) <= 1;

const isFamily = (word: string): boolean =>
  FAMILIES.has(word) || [...FAMILIES].some((family) => isNear(word, family, 4));
const isWake = (word: string): boolean => isNear(word, "wake", 4);

/** The limit that the words behind `wake` seem to mean. */
function wakePartOf(text: string): WakeLimit | undefined {
  const [first = "", ...words] = wordsOf(text);
  if (!isWake(first)) return undefined;
  const restriction = oneOf(["", ...words]);
  if (restriction === "ports") return "wake.ports";
  const isFrom = restriction === "allow" || words.some((word) => isNear(word, "source", 6));
  return isFrom ? "wake.from" : restriction === undefined ? undefined : "wake";
}

/** The same for what limits waking. */
function wakeLimitIn(word: string, most: 1 | 2): WakeLimit | undefined {
  return WAKE_LIMITS.find((limit) => {
    const whole = plain(limit);
    // other labels begin with "wake" as well
    return limit === "wake" ? edits(word, whole) <= 1 : isForm(word, whole) || edits(word, whole) <= most;
  });
}

const isForm = (word: string, whole: string): boolean => word.startsWith(whole.slice(0, -1));
