/** An answer of Docker's, bounded while it is read: a container's labels may be as large as their author likes. */

/** Octets of one item of a list; Docker itself has no limit, and a label of 300 MB is accepted by it. */
export const MAX_ITEM_OCTETS: number = 1 << 20;
/** Octets of an answer that is no list. */
const MAX_OBJECT_OCTETS = 16 << 20;

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const OPEN = new Set([0x7b, 0x5b]);
const CLOSE = new Set([0x7d, 0x5d]);

/** A list as far as it was read. */
export interface ListAnswer {
  readonly items: readonly unknown[];
  /** The first octets of each item that was left out because it is too large. */
  readonly tooLarge: readonly string[];
}

/**
 * Reads a JSON array item by item. An item larger than `maxOctets` is left out and never held in memory as a whole.
 * Throws SyntaxError for what is no JSON array.
 */
export async function readList(
  stream: AsyncIterable<Buffer>,
  maxOctets: number = MAX_ITEM_OCTETS,
): Promise<ListAnswer> {
  const items: unknown[] = [];
  const tooLarge: string[] = [];
  let depth = 0;
  let inString = false;
  let escaped = false;
  let parts: Buffer[] = [];
  let octets = 0;
  let started = false;
  const keep = (part: Buffer): void => {
    // one octet more than allowed is kept, to tell that it was too large; the first part names the item
    if (octets <= maxOctets) parts.push(Buffer.from(part));
    else if (parts.length > 1) parts = [parts[0] as Buffer];
    octets += part.length;
  };
  const finish = (): void => {
    if (octets > maxOctets) tooLarge.push((parts[0] ?? Buffer.alloc(0)).toString("utf8", 0, 200));
    else items.push(JSON.parse(Buffer.concat(parts).toString("utf8")));
    parts = [];
    octets = 0;
  };
  for await (const chunk of stream) {
    let from = 0;
    for (let at = 0; at < chunk.length; at++) {
      const octet = chunk[at] as number;
      if (inString) {
        if (escaped) escaped = false;
        else if (octet === BACKSLASH) escaped = true;
        else if (octet === QUOTE) inString = false;
      } else if (octet === QUOTE) inString = true;
      else if (OPEN.has(octet)) {
        depth += 1;
        if (depth === 1) started = octet === 0x5b;
        if (depth === 2) from = at;
      } else if (CLOSE.has(octet)) {
        depth -= 1;
        if (depth === 1) {
          keep(chunk.subarray(from, at + 1));
          finish();
          from = at + 1;
        }
      }
      if (!started && depth > 0) throw new SyntaxError("its list is no list");
    }
    if (depth >= 2) keep(chunk.subarray(from));
  }
  if (!started || depth !== 0) throw new SyntaxError("its list is no list");
  return { items, tooLarge };
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
