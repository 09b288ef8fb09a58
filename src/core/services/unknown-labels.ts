/** Labels that begin like OCDD's and are not known: a misspelt restriction must not count as no restriction. */

import { clip } from "../clip.ts";
import { edits, nearest } from "../config/nearest.ts";

/** Every label that is read. */
export const LABELS: readonly string[] = [
  "ocdd.enable",
  "ocdd.name",
  "ocdd.aliases",
  "ocdd.network",
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
];

/** Those that close or hide something. */
const RESTRICTIONS = ["allow", "ports", "enable", "hide"] as const;
export type Restriction = (typeof RESTRICTIONS)[number];

/** What was found among a container's labels. */
export interface UnknownLabels {
  /** Restrictions that a label seems to mean. */
  readonly meant: ReadonlySet<Restriction>;
  /** Why the container must not be served, or null. */
  readonly refused: string | null;
  readonly notes: readonly string[];
}

/** Labels that are reported, at most. */
const MOST_REPORTED = 4;

const NONE: UnknownLabels = { meant: new Set(), refused: null, notes: [] };

/** Looks through the labels' keys. */
export function unknownLabels(labels: ReadonlyMap<string, string>): UnknownLabels {
  const unknown = [...labels.keys()].filter((key) => /^\s*ocdd[._-]/i.test(key) && !LABELS.includes(key));
  if (unknown.length === 0) return NONE;
  const meant = new Set<Restriction>();
  let refused: string | null = null;
  const notes: string[] = [];
  for (const key of unknown) {
    const restriction = meaning(key);
    if (restriction !== undefined) {
      meant.add(restriction);
      refused ??= `label "${clip(key)}" is not known; if it is to restrict, write ocdd.${restriction}`;
    } else if (notes.length < MOST_REPORTED) {
      notes.push(`label "${clip(key)}" is not known and is ignored; the nearest is ${nearest(key, LABELS)}`);
    }
  }
  const more = unknown.length - notes.length - meant.size;
  return {
    meant,
    refused,
    notes: more > 0 && notes.length === MOST_REPORTED ? [...notes, `${more} more`] : notes,
  };
}

/** The restriction that a key seems to mean: another case, blanks, a plural, a longer form, or a letter or two wrong. */
function meaning(key: string): Restriction | undefined {
  const word = key
    .slice(0, 64)
    .toLowerCase()
    .replace(/^\s*ocdd[._-]/, "")
    .replace(/[^a-z0-9]/g, "");
  return RESTRICTIONS.find(
    (restriction) =>
      word.startsWith(restriction.slice(0, -1)) ||
      edits(word, restriction) <= (restriction.length > 4 ? 2 : 1),
  );
}
