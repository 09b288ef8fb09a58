/**
 * What an image says about itself in JSON: one file for each image of its ancestry, by the field names of R.I. Pienaar's container
 * script. The content is the image author's: untrusted, every field is bounded.
 */

import { isMoment, iso, momentIn } from "../moment.ts";

/** Of one image. Absent fields are null, or empty. Texts are as they were written, and may hold any character. */
export interface Metadata {
  /** The file's name, or what else it was read from. */
  readonly source: string;
  readonly project: string | null;
  readonly imageName: string | null;
  readonly imageTagNames: readonly string[];
  readonly ci: boolean | null;
  readonly gitref: string | null;
  readonly buildCause: string | null;
  /** `YYYY-MM-DD HH:MM:SS`. */
  readonly buildTime: string | null;
  /** Seconds since the epoch. */
  readonly buildTimeStamp: number | null;
  readonly buildTag: string | null;
  /** Whether the image is to be validated; null where it does not say. */
  readonly validate: boolean | null;
  /** Commands, not yet split into arguments. */
  readonly methods: Readonly<
    Partial<Record<"start" | "update" | "validate" | "monitor" | "metrics", string>>
  >;
  /** All fields as they are in the file, the known ones too; keys in the file's order. */
  readonly fields: ReadonlyMap<string, unknown>;
}

export type MetadataRead = { readonly metadata: Metadata } | { readonly problem: string };

/** Characters of a file, of a text in it, entries of a list or an object, and levels of nesting, at most. */
export const MOST_METADATA_LENGTH = 262_144;
const MOST_TEXT = 4_096;
const MOST_ITEMS = 256;
const MOST_DEPTH = 16;

/**
 * Reads a file. Of a key that is there twice the last one counts (ECMA-404 leaves it open). A file that is too large, too deep, or no
 * JSON object is a problem as a whole; a known field of another type,
 * or whose text is too long, counts as absent.
 */
export function readMetadata(text: string, source: string): MetadataRead {
  if (text.length > MOST_METADATA_LENGTH)
    return { problem: `${source} is larger than ${MOST_METADATA_LENGTH} characters` };
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return { problem: `${source} is no JSON` };
  }
  return metadataOf(value, source);
}

/** The same for a value that has been parsed already. */
export function metadataOf(value: unknown, source: string): MetadataRead {
  if (typeof value !== "object" || value === null || Array.isArray(value))
    return { problem: `${source} is no JSON object` };
  if (!isShallow(value))
    return { problem: `${source} has more than ${MOST_DEPTH} levels, or a list that is too long` };
  const fields = new Map<string, unknown>(Object.entries(value));
  const text = (key: string): string | null => {
    const found = fields.get(key);
    return typeof found === "string" && found.length <= MOST_TEXT ? found : null;
  };
  const flag = (key: string): boolean | null => {
    const found = fields.get(key);
    return typeof found === "boolean" ? found : null;
  };
  const methods = Object.fromEntries(
    METHOD_FIELDS.flatMap(([name, key]) => {
      const command = commandOf(fields.get(key));
      return command === null ? [] : [[name, command]];
    }),
  );
  return {
    metadata: {
      source,
      project: text("project"),
      imageName: text("image_name"),
      imageTagNames: textsOf(fields.get("image_tag_names")),
      ci: flag("ci"),
      gitref: text("gitref"),
      buildCause: text("build_cause"),
      buildTime: text("build_time"),
      buildTimeStamp: stampOf(fields.get("build_time_stamp")),
      buildTag: text("build_tag"),
      validate: flag("validate"),
      methods,
      fields,
    },
  };
}

const METHOD_FIELDS = [
  ["start", "start_method"],
  ["update", "update_method"],
  ["validate", "validate_method"],
  ["monitor", "monitor_method"],
  ["metrics", "metrics_method"],
] as const;

/** A number, or a text of digits, as some write it. */
function stampOf(value: unknown): number | null {
  const seconds = typeof value === "string" && /^\d{1,12}$/.test(value) ? Number(value) : value;
  return Number.isInteger(seconds) && isMoment(seconds) && seconds > 0 ? seconds : null;
}

/** A text, or a list of arguments as JSON text. */
function commandOf(value: unknown): string | null {
  if (typeof value === "string") return value.trim() === "" ? null : value;
  return Array.isArray(value) && value.length > 0 ? JSON.stringify(value) : null;
}

function textsOf(value: unknown): string[] {
  const list: unknown[] = Array.isArray(value) ? value : [value];
  const isText = (item: unknown): item is string => typeof item === "string" && item.length <= MOST_TEXT;
  return list.filter(isText).slice(0, MOST_ITEMS);
}

/** Whether a value has few levels and short lists and texts, so that all that is done with it ends soon. Never recurses deeply. */
export function isShallow(value: unknown, depth = MOST_DEPTH): boolean {
  if (typeof value === "string") return value.length <= MOST_METADATA_LENGTH;
  if (typeof value !== "object" || value === null) return true;
  if (depth === 0) return false;
  const items = Object.values(value);
  return items.length <= 4 * MOST_ITEMS && items.every((item) => isShallow(item, depth - 1));
}

const OCI = "org.opencontainers.image.";
const OWN = "ocdd.meta.";

/** What labels say of a container's metadata: those of the OCI image specification by their full names, and `ocdd.meta.*`. */
export interface LabelMetadata {
  /** `org.opencontainers.image.revision` and so on. */
  readonly oci: ReadonlyMap<string, string>;
  /** By the label's name after `ocdd.meta.`; a value that is JSON is parsed, but not a number that would be written another way: 1.10. */
  readonly meta: ReadonlyMap<string, unknown>;
}

/** Reads them; values that are too long or too deep are left out. */
export function labelMetadata(labels: ReadonlyMap<string, string>): LabelMetadata {
  const entries = [...labels].filter(([key, value]) => key.length <= MOST_TEXT && value.length <= MOST_TEXT);
  const oci = entries.filter(([key]) => key.startsWith(OCI)).slice(0, MOST_ITEMS);
  const meta = entries
    .filter(([key]) => key.startsWith(OWN) && key.length > OWN.length)
    .slice(0, MOST_ITEMS)
    .flatMap(([key, value]): [string, unknown][] => {
      const parsed = parsedOrText(value);
      return isShallow(parsed) ? [[key.slice(OWN.length), parsed]] : [];
    });
  return { oci: new Map(oci), meta: new Map(meta) };
}

function parsedOrText(value: string): unknown {
  try {
    const parsed: unknown = JSON.parse(value);
    // the version 1.10, the hash 12e4567
    return typeof parsed === "number" && String(parsed) !== value.trim() ? value : parsed;
  } catch {
    return value;
  }
}

/**
 * An image of which only labels are known, as the same type: its own (org.opencontainers.image.title, .revision, .created), and the one
 * it was built from (.base.name, .base.digest) before it. Oldest first; none without such labels.
 */
export function fromOciLabels(oci: ReadonlyMap<string, string>): Metadata[] {
  const of = (key: string): string | undefined => oci.get(`${OCI}${key}`);
  const base = of("base.name");
  const digest = of("base.digest");
  const read = (fields: Record<string, unknown>): Metadata[] => {
    const known = Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
    const found = metadataOf(known, "OCI labels");
    return "metadata" in found && Object.keys(known).length > 0 ? [found.metadata] : [];
  };
  // RFC 3339 §5.6; Date.parse reads much else
  const [created = ""] =
    /^\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d.*(?:[Zz]|[+-]\d\d:\d\d)$/.exec(of("created") ?? "") ?? [];
  const seconds = Math.floor(momentIn(created) ?? 0);
  return [
    ...read({
      image_name: base,
      ...(digest === undefined
        ? {}
        : { image_tag_names: [base === undefined ? digest : `${base}@${digest}`] }),
    }),
    ...read({
      project: of("title"),
      image_name: of("ref.name"),
      gitref: of("revision"),
      ...(seconds > 0 ? { build_time: utc(seconds), build_time_stamp: seconds } : {}),
    }),
  ];
}

/** `YYYY-MM-DD HH:MM:SS`, UTC, of seconds since the epoch, up to the year 9999; empty for what is no such time. */
export const utc = (seconds: number): string => iso(seconds)?.slice(0, 19).replace("T", " ") ?? "";
