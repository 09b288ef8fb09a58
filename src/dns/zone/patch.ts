/**
 * A version of a zone out of the one before, when little has changed: its block is copied and only what differs is
 * written again, a third of the time of compiling it whole. Whatever is not plain is left to `compileZone`.
 */

import type { ZoneRecords } from "../text/zonefile.ts";
import type { WireName } from "../wire/name.ts";
import { read16, read32 } from "../wire/octets.ts";
import { TYPE } from "../wire/types.ts";
import { BlockWriter } from "./block.ts";
import { differences } from "./record-diff.ts";
import { FAR_REACHING, look, type Touched, touch, touchOwner } from "./touched.ts";
import { findNode, HEADER, NODE, NODE_WORDS, nodeOwner, openZone, SET_WORDS, type Zone } from "./zone.ts";
import { occupy, slotWith, vacate } from "./zone-table.ts";

/** A version and what in it differs from the one before. */
export interface Patched {
  readonly zone: Zone;
  /** Owners whose records differ, in lower case. */
  readonly owners: readonly WireName[];
}

/**
 * The zone of `after`, made from `old`, which is that of `before` and was compiled without warnings. Undefined when it has
 * to be compiled whole: too much differs, or something that reaches further than its own name.
 */
export function patchZone(old: Zone, before: ZoneRecords, after: ZoneRecords): Patched | undefined {
  const left = (old.words[HEADER.END] as number) - (old.words[HEADER.WHOLE] as number);
  if (left > (old.words[HEADER.WHOLE] as number) / 4 + 4096) return undefined;
  const found = differences(before, after);
  if (found === undefined) return undefined;
  const touched = new Map<string, Touched>();
  const apex = touch(touched, old, old.origin);
  // the SOA is written again in any case
  apex.affected = true;
  let depth = old.depth;
  for (const [wire, records] of [
    [before.wire, found.removed],
    [after.wire, found.added],
  ] as const) {
    for (const at of records) {
      const labels = touchOwner(touched, old, wire, at);
      if (labels < 0) return undefined;
      if (labels > depth) depth = labels;
    }
  }
  look(touched, old, after);
  const zone = write(old, [...touched.values()], apex, after, depth);
  return zone && { zone, owners: [...touched.values()].filter((t) => t.affected).map((t) => t.name) };
}

/** Records of an owner by type, repeated ones dropped (RFC 2181 §5); undefined when they are not plain. */
function setsOf(wire: Uint8Array, { fixed }: Touched, apex: boolean): Map<number, number[]> | undefined {
  const sets = new Map<number, number[]>();
  for (const at of fixed) {
    const type = read16(wire, at);
    if (type !== TYPE.NS || !apex) if (FAR_REACHING.has(type)) return undefined;
    if (type === TYPE.DS && apex) return undefined;
    if (type === TYPE.SOA && (!apex || sets.has(type))) return undefined;
    const set = sets.get(type) ?? [];
    const first = set[0];
    if (first !== undefined && read32(wire, first + 4) !== read32(wire, at + 4)) return undefined;
    const size = read16(wire, at + 8);
    const same = (other: number): boolean => {
      for (let i = 8; i < 10 + size; i++) if (wire[other + i] !== wire[at + i]) return false;
      return true;
    };
    if (!set.some(same)) set.push(at);
    sets.set(type, set);
  }
  return sets;
}

function write(
  old: Zone,
  touched: Touched[],
  apex: Touched,
  { wire, lines }: ZoneRecords,
  depth: number,
): Zone | undefined {
  let bound = (old.words[HEADER.END] as number) + 1024;
  for (const { name, fixed } of touched) {
    bound += 64 + 2 * name.length;
    for (const at of fixed) bound += 64 + read16(wire, at + 8);
  }
  const block = new BlockWriter(new SharedArrayBuffer((bound + 7) & ~7), old.words[HEADER.END] as number);
  block.octets.set(old.octets.subarray(0, block.end));
  const { words } = block;
  const zone: Zone = { ...old, buffer: block.buffer, words, octets: block.octets };
  let nodes = words[HEADER.NODES] as number;
  // open addressing needs free slots: fast while half of them are free, an endless search when none is
  if (2 * (nodes + touched.length) > zone.mask) return undefined;
  // ancestors first: whether a new name lies below a cut is seen from them
  touched.sort((a, b) => a.name.length - b.name.length);
  for (const each of touched) {
    const { name, hash, spelled } = each;
    const node = findNode(zone, name, 0, name.length);
    if (spelled < 0) {
      if (node === 0) continue;
      vacate(zone, slotWith(zone, hash, node));
      nodes--;
      continue;
    }
    const flags = node === 0 ? below(zone, name) : (words[node >>> 2] as number) & 0xff & ~NODE.CAPITALS;
    const spelling = wire.subarray(spelled, spelled + name.length);
    if (node !== 0 && !each.affected) {
      if (!sameOctets(nodeOwner(zone, node), spelling)) return undefined;
      continue;
    }
    if (flags & (NODE.CUT | NODE.DNAME | NODE.CNAME)) return undefined;
    const sets = setsOf(wire, each, each === apex);
    if (sets === undefined) return undefined;
    const types = [...sets.keys()];
    if (node !== 0 && sameTypes(zone, node, types) && sameOctets(nodeOwner(zone, node), spelling)) {
      let at = (node >>> 2) + NODE_WORDS + 1;
      for (const [type, fixed] of sets) {
        words[at] = rewritten(block, words[at] as number, type, wire, fixed);
        at += 2;
      }
      continue;
    }
    const placed = [...sets].map(([type, fixed]) => block.rrset(type, wire, fixed));
    const made = block.node(flags, types, placed, wire, spelled, spelled + name.length);
    if (node === 0) {
      occupy(zone, hash, made);
      nodes++;
    } else {
      words[(made >>> 2) + 1] = words[(node >>> 2) + 1] as number;
      words[zone.table + 2 * slotWith(zone, hash, node) + 1] = made;
    }
  }
  for (const { name, spelled } of touched) {
    if (name[0] !== 1 || name[1] !== 0x2a || name.length === zone.origin.length) continue;
    const parent = findNode(zone, name, 2, name.length);
    if (parent !== 0) words[(parent >>> 2) + 1] = spelled < 0 ? 0 : findNode(zone, name, 0, name.length);
  }
  const soa = apex.fixed.find((at) => read16(wire, at) === TYPE.SOA);
  if (soa === undefined || !apex.fixed.some((at) => read16(wire, at) === TYPE.NS)) return undefined;
  renewNegative(block, old.origin, wire, soa);
  words[HEADER.APEX] = findNode(zone, old.origin, 0, old.origin.length);
  words[HEADER.DEPTH] = depth;
  words[HEADER.NODES] = nodes;
  words[HEADER.RECORDS] = lines.length;
  words[HEADER.END] = block.end;
  return openZone(block.buffer);
}

function sameOctets(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((octet, i) => octet === b[i]);
}

/** Has the node just these RRsets, in this order? */
function sameTypes({ words }: Zone, node: number, types: readonly number[]): boolean {
  const head = node >>> 2;
  return (
    words[head + 2] === types.length && types.every((type, i) => words[head + NODE_WORDS + 2 * i] === type)
  );
}

/** An RRset in the place of the one at `at` where it has the same size, else behind everything. Gives its reference. */
function rewritten(
  block: BlockWriter,
  at: number,
  type: number,
  wire: Uint8Array,
  fixed: readonly number[],
): number {
  const size = fixed.reduce((sum, from) => sum + 12 + read16(wire, from + 8), 0);
  if (size !== block.words[(at >>> 2) + SET_WORDS - 1]) return block.rrset(type, wire, fixed);
  const { end } = block;
  block.end = at;
  block.rrset(type, wire, fixed);
  block.end = end;
  return at;
}

/** The negative answers' SOA, in its old place where it has the same size. */
function renewNegative(block: BlockWriter, origin: WireName, wire: Uint8Array, soa: number): void {
  const { words, octets, end } = block;
  const at = words[HEADER.NEGATIVE] as number;
  const size = words[HEADER.NEGATIVE_SIZE] as number;
  block.negative(origin, wire, soa);
  if (words[HEADER.NEGATIVE_SIZE] !== size) return;
  octets.copyWithin(at, words[HEADER.NEGATIVE] as number, block.end);
  words[HEADER.NEGATIVE] = at;
  block.end = end;
}

/** Flags of a new node from what it lies below. */
function below(zone: Zone, name: WireName): number {
  const parent = findNode(zone, name, (name[0] as number) + 1, name.length);
  const hides = NODE.CUT | NODE.DNAME | NODE.OCCLUDED;
  return parent !== 0 && (zone.words[parent >>> 2] as number) & hides ? NODE.OCCLUDED : 0;
}
