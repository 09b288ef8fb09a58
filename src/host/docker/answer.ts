/** Docker's answers, bounded while they are read: a container's labels may have any size. */
import { fieldReader, isBlank, isOpen, type ReadObject, type WantedFields } from "./fields.ts";
import { smallObject } from "./small-object.ts";

/**
 * Octets of what is wanted of one field of a list's item: far more than real containers have. Docker has no limit: it
 * accepts a label of 300 MB, and thousands of containers with one.
 */
export const MAX_FIELD_OCTETS: number = 64 << 10;
/** Octets of an answer that is no list, or of what is wanted of one of its fields. */
const MAX_OBJECT_OCTETS = 16 << 20;

const COMMA = 0x2c;
const LIST_OPEN = 0x5b;
const LIST_CLOSE = 0x5d;

/**
 * Reads a JSON array of objects item by item, of each what is wanted. No item is lost because of its size: of one whose
 * field is too large the others are read. Throws SyntaxError for what is no such array.
 */
export async function readList(
  stream: AsyncIterable<Buffer>,
  wanted: WantedFields,
  maxOctets: number = MAX_FIELD_OCTETS,
): Promise<ReadObject[]> {
  const items: ReadObject[] = [];
  let stage: "before" | "inside" | "after" = "before";
  let item: ReturnType<typeof fieldReader> | undefined;
  for await (const chunk of stream) {
    for (let at = 0; at < chunk.length; ) {
      const octet = chunk[at] as number;
      if (item === undefined && stage === "inside" && isOpen(octet)) {
        const small = smallObject(chunk, at, wanted, maxOctets);
        if (small !== undefined) {
          items.push({ value: small.value, left: [] });
          at = small.end;
          continue;
        }
        item = fieldReader(wanted, maxOctets);
      }
      if (item !== undefined) {
        at = item.read(chunk, at);
        const taken = item.taken();
        if (taken === undefined) continue;
        items.push(taken);
        item = undefined;
        continue;
      }
      at += 1;
      if (stage === "inside" && octet === LIST_CLOSE) stage = "after";
      else if (stage === "before" && octet === LIST_OPEN) stage = "inside";
      else if (!isBlank(octet) && !(stage === "inside" && octet === COMMA)) throw new SyntaxError(NO_LIST);
    }
  }
  if (stage !== "after") throw new SyntaxError(NO_LIST);
  return items;
}

const NO_LIST = "its answer is not a list of objects";

/** Reads one JSON object, of it what is wanted. Throws SyntaxError for what is none. */
export async function readFields(stream: AsyncIterable<Buffer>, wanted: WantedFields): Promise<ReadObject> {
  const object = fieldReader(wanted, MAX_OBJECT_OCTETS);
  let stage: "before" | "inside" | "after" = "before";
  for await (const chunk of stream) {
    for (let at = 0; at < chunk.length; ) {
      const octet = chunk[at] as number;
      if (stage === "before" && isOpen(octet)) stage = "inside";
      if (stage === "inside") {
        at = object.read(chunk, at);
        if (object.taken() !== undefined) stage = "after";
      } else if (isBlank(octet)) at += 1;
      else throw new SyntaxError(NO_OBJECT);
    }
  }
  const taken = object.taken();
  if (taken === undefined) throw new SyntaxError(NO_OBJECT);
  return taken;
}

const NO_OBJECT = "its answer is no object";

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
