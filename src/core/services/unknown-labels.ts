/** Labels that begin like OCDD's and are not known: a misspelt restriction must not count as no restriction. */

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

/** Those that close or hide something. */
const RESTRICTIONS = ["allow", "ports", "enable", "hide"] as const;
export type Restriction = (typeof RESTRICTIONS)[number];

/** Those that limit what wakes a container. */
const WAKE_LIMITS = ["wake.from", "wake.ports", "wake"] as const;

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
  const unknown = [...labels.keys()].filter(
    (key) => /^\s*ocdd[._-]/i.test(key) && !LABELS.includes(key) && !OPEN_ENDED.test(key),
  );
  if (unknown.length === 0) return NONE;
  const restrictions = new Set<Restriction>();
  let refused: string | null = null;
  let notWoken: string | null = null;
  const notes: string[] = [];
  for (const key of unknown) {
    const word = plain(key.slice(0, 64).replace(/^\s*ocdd[._-]/i, ""));
    const restriction = restrictionIn(word);
    const limit = restriction === undefined ? wakeLimitIn(word) : undefined;
    if (restriction !== undefined) {
      restrictions.add(restriction);
      refused ??= `label "${clip(key)}" is not known; if it is to restrict, write ocdd.${restriction}`;
    } else if (limit !== undefined && notWoken === null) {
      notWoken = `label "${clip(key)}" is not known; if it is to limit what wakes the container, write ocdd.${limit}`;
      notes.push(notWoken);
    } else if (notes.length < MOST_REPORTED) {
      const near = meant(key, LABELS);
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

/** The letters and digits of a label, in lower case. */
const plain = (text: string): string => text.toLowerCase().replace(/[^a-z0-9]/g, "");

/** The restriction that a word seems to mean: another case, blanks, a plural, a longer form, or a letter or two wrong. */
function restrictionIn(word: string): Restriction | undefined {
  return RESTRICTIONS.find(
    (restriction) =>
      isForm(word, restriction) || edits(word, restriction) <= (restriction.length > 4 ? 2 : 1),
  );
}

/** The same for what limits waking. */
function wakeLimitIn(word: string): (typeof WAKE_LIMITS)[number] | undefined {
  return WAKE_LIMITS.find((limit) => {
    const whole = plain(limit);
    // other labels begin with "wake" as well
    return limit === "wake" ? edits(word, whole) <= 1 : isForm(word, whole) || edits(word, whole) <= 2;
  });
}

const isForm = (word: string, whole: string): boolean => word.startsWith(whole.slice(0, -1));
