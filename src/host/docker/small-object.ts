/**
 * Objects of usual size: found whole in one chunk, they are read by JSON.parse, in half the time that their fields take one by
 * one (4 000 containers). The result is the same.
 */
import { isClose, isOpen, type Wanted, type WantedFields, wantedOf } from "./fields.ts";
import { MAX_STRING_OCTETS, QUOTE } from "./json-string.ts";

const BACKSLASH = 0x5c;

/** An object, and the index after its last octet. */
export interface SmallObject {
  readonly value: unknown;
  readonly end: number;
}

/**
 * What is wanted of the object that begins at `from`; undefined where it does not end in this chunk, or has more octets than
 * `maxOctets` or a string may have. Throws SyntaxError for what is no JSON.
 */
export function smallObject(
  chunk: Buffer,
  from: number,
  wanted: WantedFields,
  maxOctets: number,
): SmallObject | undefined {
  const end = endOf(chunk, from, Math.min(chunk.length, from + Math.min(maxOctets, MAX_STRING_OCTETS)));
  return end < 0 ? undefined : { value: pick(JSON.parse(chunk.toString("utf8", from, end)), wanted), end };
}

/** The index after what begins with an opening bracket; -1 where it does not end before `most`. */
function endOf(chunk: Buffer, from: number, most: number): number {
  let depth = 0;
  for (let at = from; at < most; at++) {
    const octet = chunk[at] as number;
    if (octet === QUOTE) {
      for (at++; at < most && chunk[at] !== QUOTE; at++) if (chunk[at] === BACKSLASH) at++;
    } else if (isOpen(octet)) depth += 1;
    else if (isClose(octet)) {
      depth -= 1;
      if (depth === 0) return at + 1;
    }
  }
  return -1;
}

function pick(value: unknown, wanted: true | WantedFields): unknown {
  if (wanted === true || typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) return value.flatMap((item) => taken(item, wanted["*"]));
  const kept: [string, unknown][] = [];
  for (const [name, field] of Object.entries(value))
    for (const one of taken(field, wantedOf(wanted, name))) kept.push([name, one]);
  return Object.fromEntries(kept);
}

/** The value as far as it is wanted, in a list; an empty list for nothing. */
function taken(value: unknown, wanted: Wanted | undefined): unknown[] {
  if (wanted === undefined) return [];
  if (!(wanted instanceof RegExp)) return [pick(value, wanted)];
  return typeof value === "string" && wanted.test(value) ? [value] : [];
}
