/** A compiled zone: its layout in shared memory, and how to read it. */
import { lower, type WireName } from "../wire/name.ts";
import { TYPE } from "../wire/types.ts";

/**
 * A compiled zone: one block of shared memory that any thread can answer from without a copy.
 *
 * Header (32-bit words, see HEADER), a table of [hash, node] pairs with open addressing, then nodes and RRsets:
 * - node: flags | name length << 8, wildcard child or 0, number of RRsets, [type, RRset] for each, the owner in lower
 *   case, and once more as written when it has capitals (flag CAPITALS);
 * - RRset: type | FAST << 16, TTL, number of records, octets, then the records as they go into an answer, their owner
 *   a pointer to the question (0xC00C).
 * References are octet offsets into the block, multiples of four; 0 is none.
 */
export interface Zone {
  readonly buffer: SharedArrayBuffer;
  readonly words: Int32Array;
  readonly octets: Uint8Array;
  /** The apex in lower case. */
  readonly origin: WireName;
  readonly mask: number;
  readonly table: number;
  readonly apex: number;
  readonly seed: number;
  /** Most labels any owner has: deeper names need not be looked for. */
  readonly depth: number;
}

/** Word index of each header field. */
export const HEADER = {
  MAGIC: 0,
  MASK: 1,
  TABLE: 2,
  APEX: 3,
  SEED: 4,
  DEPTH: 5,
  NODES: 6,
  RECORDS: 7,
  /** The SOA as negative answers carry it: where, octets, and which octet pairs point into the question (0: none). */
  NEGATIVE: 8,
  NEGATIVE_SIZE: 9,
  NEGATIVE_POINTER: 10,
  END: 13,
  /** END as it was when the whole zone was compiled: what a patch leaves behind shows in the difference. */
  WHOLE: 14,
  SIZE: 16,
} as const;

/** First word of every block. */
export const MAGIC = 0x0cdd0001;

/** Node flags. */
export const NODE = { CUT: 1, DNAME: 2, OCCLUDED: 4, CAPITALS: 8, CNAME: 16 } as const;

/** Word offsets inside a node and an RRset; both are followed by their lists. */
export const NODE_WORDS = 3;
export const SET_WORDS = 4;
/** RRset flag: its octets are the whole answer, nothing to add and nothing to compress. */
export const FAST = 1 << 16;

/** View a block as a zone. */
export function openZone(buffer: SharedArrayBuffer): Zone {
  const words = new Int32Array(buffer);
  const octets = new Uint8Array(buffer);
  const word = (at: number) => words[at] as number;
  const apex = word(HEADER.APEX);
  const zone = {
    buffer,
    words,
    octets,
    origin: new Uint8Array(),
    mask: word(HEADER.MASK),
    table: word(HEADER.TABLE),
    apex,
    seed: word(HEADER.SEED),
    depth: word(HEADER.DEPTH),
  };
  return { ...zone, origin: nodeName(zone, apex) };
}

/** One step of the name hash; names are hashed from their last octet to their first, so that suffixes come on the way. */
export function hashStep(hash: number, octet: number): number {
  return Math.imul(hash ^ octet, 0x01000193);
}

/** Slot where the search for a hash starts. */
export function slotOf(hash: number, mask: number): number {
  return (hash ^ (hash >>> 15)) & mask;
}

/**
 * Node of the name in `octets[start..end)`, or 0. Matching is blind to ASCII case (RFC 4343).
 * The name must be at or below the apex; the apex's own labels are not looked at again.
 */
export function findNode(zone: Zone, octets: Uint8Array, start: number, end: number): number {
  let hash = zone.seed;
  for (let at = end - zone.origin.length - 1; at >= start; at--) {
    hash = hashStep(hash, lower(octets[at] as number));
  }
  return findHashed(zone, hash, octets, start, end);
}

/** As findNode, the hash known. */
export function findHashed(zone: Zone, hash: number, octets: Uint8Array, start: number, end: number): number {
  const { words, mask, table } = zone;
  const size = end - start;
  for (let slot = slotOf(hash, mask); ; slot = (slot + 1) & mask) {
    const at = table + 2 * slot;
    const node = words[at + 1] as number;
    if (node === 0) return 0;
    if (words[at] !== hash) continue;
    const head = node >>> 2;
    if ((words[head] as number) >>> 8 !== size) continue;
    let name = node + 4 * (NODE_WORDS + 2 * (words[head + 2] as number));
    let i = start;
    while (i < end && zone.octets[name] === lower(octets[i] as number)) {
      i++;
      name++;
    }
    if (i === end) return node;
  }
}

/** The node's flags (NODE). */
export function nodeFlags(zone: Zone, node: number): number {
  return (zone.words[node >>> 2] as number) & 0xff;
}

/** The node `*` right below this one, or 0. */
export function wildcardBelow(zone: Zone, node: number): number {
  return zone.words[(node >>> 2) + 1] as number;
}

/** The owner in lower case. */
export function nodeName(zone: Pick<Zone, "words" | "octets">, node: number): WireName {
  const head = node >>> 2;
  const name = node + 4 * (NODE_WORDS + 2 * (zone.words[head + 2] as number));
  return zone.octets.slice(name, name + ((zone.words[head] as number) >>> 8));
}

/** The owner as the zone file has it. */
export function nodeOwner(zone: Zone, node: number): WireName {
  if (!(nodeFlags(zone, node) & NODE.CAPITALS)) return nodeName(zone, node);
  const head = node >>> 2;
  const size = (zone.words[head] as number) >>> 8;
  const name = node + 4 * (NODE_WORDS + 2 * (zone.words[head + 2] as number)) + size;
  return zone.octets.slice(name, name + size);
}

/** The node's RRset of a type, or 0. */
export function findSet(zone: Zone, node: number, type: number): number {
  const { words } = zone;
  let at = (node >>> 2) + NODE_WORDS;
  for (let left = words[at - 1] as number; left > 0; left--, at += 2) {
    if (words[at] === type) return words[at + 1] as number;
  }
  return 0;
}

/** All RRsets of a node. */
export function setsOf(zone: Zone, node: number): number[] {
  const head = node >>> 2;
  return Array.from(
    { length: zone.words[head + 2] as number },
    (_, i) => zone.words[head + NODE_WORDS + 2 * i + 1] as number,
  );
}

/** An RRset taken out of a zone, or one made for an answer. */
export interface RrSet {
  readonly type: number;
  readonly ttl: number;
  readonly rdata: readonly Uint8Array[];
}

/** Take out the RRset at `set`. RDATA are copies: views of shared memory do not outlive a change of the zone. */
export function readSet(zone: Zone, set: number): RrSet {
  const head = set >>> 2;
  const rdata: Uint8Array[] = [];
  let at = set + 4 * SET_WORDS;
  for (let left = zone.words[head + 2] as number; left > 0; left--) {
    const size = ((zone.octets[at + 10] as number) << 8) | (zone.octets[at + 11] as number);
    rdata.push(zone.octets.slice(at + 12, at + 12 + size));
    at += 12 + size;
  }
  return { type: (zone.words[head] as number) & 0xffff, ttl: zone.words[head + 1] as number, rdata };
}

/** Every node of the zone with RRsets, the apex first and the others in no order. */
export function* nodesOf(zone: Zone): Generator<number> {
  yield zone.apex;
  for (let slot = 0; slot <= zone.mask; slot++) {
    const node = zone.words[zone.table + 2 * slot + 1] as number;
    if (node !== 0 && node !== zone.apex) yield node;
  }
}

/** The SOA, and from it the serial (RFC 1035 §3.3.13). */
export function soaOf(zone: Zone): RrSet {
  return readSet(zone, findSet(zone, zone.apex, TYPE.SOA));
}

/** The zone's serial. */
export function serialOf(zone: Zone): number {
  const [rdata] = soaOf(zone).rdata as [Uint8Array];
  return new DataView(rdata.buffer, rdata.byteOffset).getUint32(rdata.length - 20);
}
