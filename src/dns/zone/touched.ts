/** Which names a change of a zone's records touches, and what the new records say of them. */

import type { ZoneRecords } from "../text/zonefile.ts";
import { lower, nameKey, sameName, type WireName, wireNameEnd } from "../wire/name.ts";
import { read16 } from "../wire/octets.ts";
import { TYPE } from "../wire/types.ts";
import { hashStep, type Zone } from "./zone.ts";

/** Types that change what names below their owner mean, or that allow no other record beside them. */
export const FAR_REACHING: ReadonlySet<number> = new Set([TYPE.NS, TYPE.CNAME, TYPE.DNAME]);

/** A name that is touched: an owner whose records differ, or what such a one lies below. */
export interface Touched {
  /** In lower case. */
  readonly name: WireName;
  readonly hash: number;
  /** Its own records differ. */
  affected: boolean;
  /** Where in the new records it is spelled first; -1 for a name that no longer exists. */
  spelled: number;
  /** Positions in the new records of the fixed part of each of its own. */
  readonly fixed: number[];
}

/** The touched name, known or new. */
export function touch(touched: Map<string, Touched>, zone: Zone, name: WireName): Touched {
  const key = nameKey(name);
  const known = touched.get(key);
  if (known !== undefined) return known;
  const lowered = name.map(lower);
  let hash = zone.seed;
  for (let at = lowered.length - zone.origin.length - 1; at >= 0; at--)
    hash = hashStep(hash, lowered[at] as number);
  const made: Touched = { name: lowered, hash, affected: false, spelled: -1, fixed: [] };
  touched.set(key, made);
  return made;
}

/** Touches the owner of the record at `at`, and what it lies below; its number of labels, or -1 for what is not plain. */
export function touchOwner(touched: Map<string, Touched>, zone: Zone, wire: Uint8Array, at: number): number {
  const end = wireNameEnd(wire, at);
  const type = read16(wire, end);
  if (FAR_REACHING.has(type)) return -1;
  let labels = 0;
  let start = at;
  let inside = false;
  for (; start < end; start += (wire[start] as number) + 1) {
    const size = end - start;
    if (size >= zone.origin.length && !inside) {
      const name = wire.subarray(start, end);
      const here = touch(touched, zone, name);
      if (start === at) here.affected = true;
      if (size === zone.origin.length) {
        if (!sameName(name, zone.origin)) return -1;
        inside = true;
      }
    }
    if (wire[start] === 0) break;
    labels++;
  }
  return inside ? labels : -1;
}

/** Finds all that the new records say of the touched names. */
export function look(touched: Map<string, Touched>, zone: Zone, records: ZoneRecords): void {
  lookAtApex(touched.get(nameKey(zone.origin)) as Touched, records);
  const others = [...touched.values()].filter(({ name }) => name.length > zone.origin.length);
  if (others.length <= SEARCHED_ONE_BY_ONE) search(others, records);
  else sieve(others, zone, records.wire);
}

/** Names up to which each is searched for by itself, in the C library; beyond, one pass over all names is quicker. */
const SEARCHED_ONE_BY_ONE = 8;

function lookAtApex(apex: Touched, { wire, starts }: ZoneRecords): void {
  const { name } = apex;
  if (starts.length > 0) apex.spelled = wireNameEnd(wire, 0) - name.length;
  for (const start of starts) {
    if (wire[start] !== name[0] || wire[start + name.length - 1] !== 0) continue;
    const end = wireNameEnd(wire, start);
    if (sameName(wire.subarray(start, end), name)) apex.fixed.push(end);
  }
}

/** Each name by itself, in any buffer. */
function search(names: readonly Touched[], { wire, starts }: ZoneRecords): void {
  const text = lowered(Buffer.from(wire.buffer, wire.byteOffset, wire.length));
  for (const each of names) {
    const key = lowered(Buffer.from(each.name));
    let record = 0;
    for (let at = text.indexOf(key); at >= 0; at = text.indexOf(key, at + 1)) {
      record = recordAt(starts, at, record);
      const start = starts[record] as number;
      const end = wireNameEnd(wire, start);
      if (end - at !== each.name.length || !sameName(wire.subarray(at, end), each.name)) continue;
      let label = start;
      while (label < at) label += (wire[label] as number) + 1;
      // it may be the end of another label
      if (label !== at) continue;
      if (each.spelled < 0) each.spelled = at;
      if (start === at) each.fixed.push(end);
    }
  }
}

/** In lower case, other letters than ASCII's too: used to search only. */
const lowered = (octets: Buffer): string => octets.toString("latin1").toLowerCase();

/** The record that `at` lies in, which is no earlier than `least`. */
function recordAt(starts: readonly number[], at: number, least: number): number {
  let low = least;
  let high = starts.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >>> 1;
    if ((starts[middle] as number) <= at) low = middle;
    else high = middle - 1;
  }
  return low;
}

/** All names in one pass. */
function sieve(names: readonly Touched[], zone: Zone, wire: Uint8Array): void {
  const byHash = new Map<number, Touched[]>();
  // this alone excludes most names
  const marks = new Uint8Array(1 << 14);
  for (const each of names) {
    marks[each.hash & (marks.length - 1)] = 1;
    byHash.set(each.hash, [...(byHash.get(each.hash) ?? []), each]);
  }
  const labelAt = new Int32Array(130);
  for (let at = 0; at < wire.length; ) {
    let labels = 0;
    for (; wire[at] !== 0; at += (wire[at] as number) + 1) labelAt[labels++] = at;
    const end = at + 1;
    at = end + 10 + read16(wire, end + 8);
    let label = labels;
    while (label > 0 && (labelAt[label - 1] as number) >= end - zone.origin.length) label--;
    let hash = zone.seed;
    while (--label >= 0) {
      const start = labelAt[label] as number;
      for (let i = start + (wire[start] as number); i >= start; i--)
        hash = hashStep(hash, lower(wire[i] as number));
      if (marks[hash & (marks.length - 1)] === 0) continue;
      for (const each of byHash.get(hash) ?? []) {
        if (!sameName(wire.subarray(start, end), each.name)) continue;
        if (each.spelled < 0) each.spelled = start;
        if (label === 0) each.fixed.push(end);
      }
    }
  }
}
