/** Docker's answers, bounded while they are read: a container's labels may have any size. */

/** Octets of one item of a list; Docker has no limit: it accepts a label of 300 MB. */
export const MAX_ITEM_OCTETS: number = 1 << 20;
/** Octets of an answer that is no list. */
const MAX_OBJECT_OCTETS = 16 << 20;

/** Octets of an item that was left out which are kept to name it. */
const HEAD_OCTETS = 200;

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;
const LIST_OPEN = 0x5b;
const LIST_CLOSE = 0x5d;
const OPEN = new Set([0x7b, LIST_OPEN]);
const CLOSE = new Set([0x7d, LIST_CLOSE]);
/** White space of RFC 8259 §2. */
const BLANK = new Set([0x20, 0x09, 0x0a, 0x0d]);

/** A list that was read. */
export interface ListAnswer {
  readonly items: readonly unknown[];
  /** The first octets of each item that was left out because it is too large. */
  readonly tooLarge: readonly string[];
}

/**
 * Reads a JSON array of objects item by item. An item larger than `maxOctets` is left out and never held in memory as a
 * whole. Throws SyntaxError for what is no such array.
 */
export async function readList(
  stream: AsyncIterable<Buffer>,
  maxOctets: number = MAX_ITEM_OCTETS,
): Promise<ListAnswer> {
  const list = collected(maxOctets);
  let stage: "before" | "inside" | "after" = "before";
  /** Brackets and braces open within an item; 0 between items. */
  let depth = 0;
  let inString = false;
  let escaped = false;
  for await (const chunk of stream) {
    let from = 0;
    for (let at = 0; at < chunk.length; at++) {
      const octet = chunk[at] as number;
      if (inString) {
        if (escaped) escaped = false;
        else if (octet === BACKSLASH) escaped = true;
        else if (octet === QUOTE) inString = false;
      } else if (depth === 0) {
        const inside = stage === "inside";
        if (inside && OPEN.has(octet)) {
          depth = 1;
          from = at;
        } else if (inside && octet === LIST_CLOSE) stage = "after";
        else if (stage === "before" && octet === LIST_OPEN) stage = "inside";
        else if (!BLANK.has(octet) && !(inside && octet === COMMA)) throw new SyntaxError(NO_LIST);
      } else if (octet === QUOTE) inString = true;
      else if (OPEN.has(octet)) depth += 1;
      else if (CLOSE.has(octet)) {
        depth -= 1;
        if (depth === 0) list.finish(chunk.subarray(from, at + 1));
      }
    }
    if (depth > 0) list.keep(chunk.subarray(from));
  }
  if (stage !== "after") throw new SyntaxError(NO_LIST);
  return { items: list.items, tooLarge: list.tooLarge };
}

const NO_LIST = "its answer is not a list of objects";

/** Items put together of the parts that chunks hold of them. */
function collected(maxOctets: number): ListAnswer & {
  /** A part of an item. */
  keep(part: Buffer): void;
  /** Its last part. */
  finish(part: Buffer): void;
} {
  const items: unknown[] = [];
  const tooLarge: string[] = [];
  let parts: Buffer[] = [];
  let octets = 0;
  const keep = (part: Buffer): void => {
    octets += part.length;
    parts.push(Buffer.from(part));
    if (octets > maxOctets) parts = [Buffer.from(Buffer.concat(parts).subarray(0, HEAD_OCTETS))];
  };
  return {
    items,
    tooLarge,
    keep,
    finish(part) {
      keep(part);
      const text = Buffer.concat(parts).toString("utf8");
      if (octets > maxOctets) tooLarge.push(text);
      else items.push(JSON.parse(text));
      parts = [];
      octets = 0;
    },
  };
}

/** Reads one JSON document. Throws SyntaxError for what is none, or is larger than 16 MB. */
export async function readDocument(stream: AsyncIterable<Buffer>): Promise<unknown> {
  const parts: Buffer[] = [];
  let octets = 0;
  for await (const chunk of stream) {
    octets += chunk.length;
    if (octets > MAX_OBJECT_OCTETS)
      throw new SyntaxError(`its answer is larger than ${MAX_OBJECT_OCTETS} octets`);
    parts.push(chunk);
  }
  return JSON.parse(Buffer.concat(parts).toString("utf8"));
}
