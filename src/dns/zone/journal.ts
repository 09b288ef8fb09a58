/** Changes between two versions of a zone, for IXFR. */
import type { WireName } from "../wire/name.ts";
import { TYPE } from "../wire/types.ts";
import type { OwnedSet } from "./answer.ts";
import {
  findHashed,
  findNode,
  findSet,
  NODE_WORDS,
  nodeOwner,
  type RrSet,
  readSet,
  serialOf,
  setsOf,
  soaOf,
  type Zone,
} from "./zone.ts";

/** What one version of a zone has that the one before had not, and the other way round (RFC 1995 §4). */
export interface Change {
  readonly from: number;
  readonly to: number;
  readonly oldSoa: OwnedSet;
  readonly newSoa: OwnedSet;
  readonly removed: readonly OwnedSet[];
  readonly added: readonly OwnedSet[];
}

/** Octets compared as a string: RDATA are small and this is one step. */
function key(rdata: Uint8Array): string {
  return Buffer.from(rdata.buffer, rdata.byteOffset, rdata.length).toString("latin1");
}

function minus(set: RrSet, other: RrSet | undefined): RrSet | undefined {
  if (other === undefined || other.ttl !== set.ttl) return set;
  const held = new Set(other.rdata.map(key));
  const rdata = set.rdata.filter((octets) => !held.has(key(octets)));
  return rdata.length === 0 ? undefined : { ...set, rdata };
}

/** True for the same octets at both places: what has not changed need not be parsed. */
function sameSet(a: Zone, atA: number, b: Zone, atB: number): boolean {
  const size = 16 + (a.words[(atA >>> 2) + 3] as number);
  if (size !== 16 + (b.words[(atB >>> 2) + 3] as number)) return false;
  for (let i = 0; i < size; i++) if (a.octets[atA + i] !== b.octets[atB + i]) return false;
  return true;
}

/** Are both nodes the same, RRset by RRset? */
function sameNode(a: Zone, nodeA: number, b: Zone, nodeB: number): boolean {
  const headA = nodeA >>> 2;
  const headB = nodeB >>> 2;
  const count = a.words[headA + 2] as number;
  if (count !== b.words[headB + 2]) return false;
  for (let i = 0; i < count; i++) {
    const at = NODE_WORDS + 2 * i;
    if (a.words[headA + at] !== b.words[headB + at]) return false;
    if (!sameSet(a, a.words[headA + at + 1] as number, b, b.words[headB + at + 1] as number)) return false;
  }
  return true;
}

/** A node and its counterpart in another version, 0 where there is none. */
type Pair = readonly [node: number, theirs: number];

/** Every node of `zone` with its counterpart in `other`. */
function* allPairs(zone: Zone, other: Zone): Generator<Pair> {
  for (let slot = 0; slot <= zone.mask; slot++) {
    const at = zone.table + 2 * slot;
    const node = zone.words[at + 1] as number;
    if (node === 0) continue;
    const head = node >>> 2;
    const name = node + 4 * (NODE_WORDS + 2 * (zone.words[head + 2] as number));
    const end = name + ((zone.words[head] as number) >>> 8);
    // Versions of one server have one seed, so the hash is known.
    const theirs =
      zone.seed === other.seed
        ? findHashed(other, zone.words[at] as number, zone.octets, name, end)
        : findNode(other, zone.octets, name, end);
    yield [node, theirs];
  }
}

/** The same for these names alone. */
function* pairsOf(zone: Zone, other: Zone, names: readonly WireName[]): Generator<Pair> {
  for (const name of names) {
    const node = findNode(zone, name, 0, name.length);
    if (node !== 0) yield [node, findNode(other, name, 0, name.length)];
  }
}

/** RRsets (or the records of them) in `zone` that `other` has not. The SOA is left to the caller. */
function only(zone: Zone, other: Zone, pairs: Iterable<Pair>): OwnedSet[] {
  const found: OwnedSet[] = [];
  for (const [node, theirs] of pairs) {
    if (theirs !== 0 && sameNode(zone, node, other, theirs)) continue;
    const owner = nodeOwner(zone, node);
    for (const mine of setsOf(zone, node)) {
      const type = (zone.words[mine >>> 2] as number) & 0xffff;
      if (type === TYPE.SOA) continue;
      const counterpart = theirs === 0 ? 0 : findSet(other, theirs, type);
      if (counterpart !== 0 && sameSet(zone, mine, other, counterpart)) continue;
      const set = minus(readSet(zone, mine), counterpart === 0 ? undefined : readSet(other, counterpart));
      if (set !== undefined) found.push({ owner, set });
    }
  }
  return found;
}

/** The change from one version of a zone to the next; `names` are the owners that differ, where they are known. */
export function changeBetween(old: Zone, next: Zone, names?: readonly WireName[]): Change {
  const pairs = (zone: Zone, other: Zone): Iterable<Pair> =>
    names === undefined ? allPairs(zone, other) : pairsOf(zone, other, names);
  return {
    from: serialOf(old),
    to: serialOf(next),
    oldSoa: { owner: old.origin, set: soaOf(old) },
    newSoa: { owner: next.origin, set: soaOf(next) },
    removed: only(old, next, pairs(old, next)),
    added: only(next, old, pairs(next, old)),
  };
}
