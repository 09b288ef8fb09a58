// Longer than most: one pass over plain arrays, because 100 000 records as objects cost ten times the memory and time.

import type { ZoneRecords } from "../text/zonefile.ts";
import type { ZoneProblem } from "../text/zonefile-meaning.ts";
import { formatName, lower, parseName, type WireName } from "../wire/name.ts";
import { read16, read32 } from "../wire/octets.ts";
import { TYPE, typeName } from "../wire/types.ts";
import { BlockWriter } from "./block.ts";
import { conflictCheck, MAY_CONFLICT } from "./conflict.ts";
import { HEADER, hashStep, MAGIC, NODE, openZone, slotOf, type Zone } from "./zone.ts";

/** The result of compiling a zone file: a zone, or the errors that prevent it; warnings name what was left out or changed. */
export interface Compiled {
  readonly zone?: Zone;
  readonly errors: readonly ZoneProblem[];
  readonly warnings: readonly ZoneProblem[];
}

/** Names under construction: parallel arrays, one row a node. */
interface Nodes {
  count: number;
  start: Int32Array;
  end: Int32Array;
  hash: Int32Array;
  parent: Int32Array;
  firstRecord: Int32Array;
  lastRecord: Int32Array;
  slots: Int32Array;
}

function grown(array: Int32Array, size: number): Int32Array {
  const more = new Int32Array(size);
  more.set(array);
  return more;
}

/** Index of the name `wire[start..end)`, added when it is new (then `nodes.count` has grown). */
function intern(nodes: Nodes, wire: Uint8Array, hash: number, start: number, end: number): number {
  const mask = nodes.slots.length - 1;
  let slot = slotOf(hash, mask);
  for (; nodes.slots[slot] !== 0; slot = (slot + 1) & mask) {
    const node = (nodes.slots[slot] as number) - 1;
    if (nodes.hash[node] !== hash) continue;
    let theirs = nodes.start[node] as number;
    if ((nodes.end[node] as number) - theirs !== end - start) continue;
    let i = start;
    while (i < end && lower(wire[i] as number) === lower(wire[theirs] as number)) {
      i++;
      theirs++;
    }
    if (i === end) return node;
  }
  const node = nodes.count++;
  if (node === nodes.start.length) {
    for (const key of ["start", "end", "hash", "parent", "firstRecord", "lastRecord"] as const) {
      nodes[key] = grown(nodes[key], node * 2);
    }
  }
  nodes.start[node] = start;
  nodes.end[node] = end;
  nodes.hash[node] = hash;
  nodes.parent[node] = -1;
  nodes.firstRecord[node] = -1;
  nodes.slots[slot] = node + 1;
  if (nodes.count * 2 > mask) rehash(nodes);
  return node;
}

function rehash(nodes: Nodes): void {
  const slots = new Int32Array(nodes.slots.length * 2);
  for (let node = 0; node < nodes.count; node++) {
    let slot = slotOf(nodes.hash[node] as number, slots.length - 1);
    while (slots[slot] !== 0) slot = (slot + 1) & (slots.length - 1);
    slots[slot] = node + 1;
  }
  nodes.slots = slots;
}

/** Do the octets up to `end` read as the lower-cased apex? */
function inZone(wire: Uint8Array, at: number, end: number, apex: Uint8Array): boolean {
  if (end - at !== apex.length) return false;
  for (let i = 0; i < apex.length; i++) if (lower(wire[at + i] as number) !== apex[i]) return false;
  return true;
}

/**
 * Compile a zone. `seed` keys the name hash, so that names cannot be chosen to collide.
 * A zone without a SOA is an error and leaves no zone. Whatever else is wrong is a warning: lines that cannot be read,
 * records outside the zone and records that contradict an earlier one are left out, and a TTL that differs in its RRset
 * is made the first one's.
 */
export function compileZone(records: ZoneRecords, originText: string, seed: number): Compiled {
  const { wire, lines } = records;
  const origin = parseName(originText.endsWith(".") ? originText : `${originText}.`);
  const lowered = origin.map(lower);
  const errors: ZoneProblem[] = [];
  const warnings: ZoneProblem[] = records.problems.map(({ line, message }) => ({
    line,
    message: `${message}; left out`,
  }));
  const size = Math.max(16, lines.length);
  const nodes: Nodes = {
    count: 0,
    start: new Int32Array(size),
    end: new Int32Array(size),
    hash: new Int32Array(size),
    parent: new Int32Array(size),
    firstRecord: new Int32Array(size),
    lastRecord: new Int32Array(size),
    slots: new Int32Array(1 << Math.ceil(Math.log2(size * 2 + 2))),
  };
  // Offset of each record's fixed part, and the next record of the same owner.
  const fixed = new Int32Array(lines.length);
  const next = new Int32Array(lines.length).fill(-1);
  const starts = new Int32Array(128);
  const hashes = new Int32Array(128);
  let depth = 0;
  let at = 0;
  for (let record = 0; record < lines.length; record++) {
    const start = at;
    let labels = 0;
    for (; wire[at] !== 0; at += (wire[at] as number) + 1) starts[labels++] = at;
    const end = ++at;
    fixed[record] = at;
    at += 10 + read16(wire, at + 8);
    let own = 0;
    while (own < labels && end - (starts[own] as number) > origin.length) own++;
    const apexAt = own < labels ? (starts[own] as number) : end - 1;
    if (!inZone(wire, apexAt, end, lowered)) {
      warnings.push({
        line: lines[record] as number,
        message: `${formatName(wire.subarray(start))}: outside the zone; left out`,
      });
      continue;
    }
    if (labels > depth) depth = labels;
    let hash = seed;
    for (let label = own - 1; label >= 0; label--) {
      const first = starts[label] as number;
      for (let i = first + (wire[first] as number); i >= first; i--)
        hash = hashStep(hash, lower(wire[i] as number));
      hashes[label] = hash;
    }
    // The owner, then its ancestors up to one that is known: empty non-terminals exist (RFC 4592 §2.2.2).
    let child = -1;
    for (let label = 0; label <= own; label++) {
      const before = nodes.count;
      const from = label < own ? (starts[label] as number) : apexAt;
      const node = intern(nodes, wire, label < own ? (hashes[label] as number) : seed, from, end);
      if (child >= 0) nodes.parent[child] = node;
      else {
        const last = nodes.firstRecord[node] === -1 ? -1 : (nodes.lastRecord[node] as number);
        if (last === -1) nodes.firstRecord[node] = record;
        else next[last] = record;
        nodes.lastRecord[node] = record;
      }
      if (nodes.count === before) break;
      child = node;
    }
  }
  const layout = new Layout(wire, nodes, fixed, next, lines, origin, errors, warnings);
  const zone = layout.build(seed, depth);
  return errors.length > 0 || zone === undefined ? { errors, warnings } : { zone, errors, warnings };
}

/** Writes nodes and RRsets into the block. A class for its cursor alone. */
class Layout {
  private readonly wire: Uint8Array;
  private readonly nodes: Nodes;
  private readonly fixed: Int32Array;
  private readonly next: Int32Array;
  private readonly lines: readonly number[];
  private readonly origin: WireName;
  private readonly errors: ZoneProblem[];
  private readonly warnings: ZoneProblem[];
  private block: BlockWriter = new BlockWriter(new SharedArrayBuffer(0), 0);

  constructor(
    wire: Uint8Array,
    nodes: Nodes,
    fixed: Int32Array,
    next: Int32Array,
    lines: readonly number[],
    origin: WireName,
    errors: ZoneProblem[],
    warnings: ZoneProblem[],
  ) {
    this.wire = wire;
    this.nodes = nodes;
    this.fixed = fixed;
    this.next = next;
    this.lines = lines;
    this.origin = origin;
    this.errors = errors;
    this.warnings = warnings;
  }

  private type(record: number): number {
    return read16(this.wire, this.fixed[record] as number);
  }

  private rdata(record: number): Uint8Array {
    const at = this.fixed[record] as number;
    return this.wire.subarray(at + 10, at + 10 + read16(this.wire, at + 8));
  }

  /** Records of a node by type, repeated ones dropped (RFC 2181 §5). */
  private sets(node: number): Map<number, number[]> {
    const sets = new Map<number, number[]>();
    for (
      let record = this.nodes.firstRecord[node] as number;
      record >= 0;
      record = this.next[record] as number
    ) {
      const type = this.type(record);
      const set = sets.get(type);
      if (set === undefined) sets.set(type, [record]);
      else set.push(record);
    }
    for (const [type, set] of sets) {
      if (set.length < 2) continue;
      const seen = new Set<string>();
      const unique = set.filter((record) => {
        const key = Buffer.from(this.rdata(record)).toString("latin1");
        return seen.has(key) ? false : seen.add(key);
      });
      sets.set(type, unique);
      const ttl = this.ttl(unique[0] as number);
      const odd = unique.find((record) => this.ttl(record) !== ttl);
      // RFC 2181 §5.2: one TTL an RRset.
      if (odd !== undefined)
        this.warn(odd, `${typeName(type)}: TTL differs in its RRset, the first one's (${ttl}) is used`);
    }
    return sets;
  }

  private ttl(record: number): number {
    return read32(this.wire, (this.fixed[record] as number) + 4);
  }

  private warn(record: number, message: string): void {
    this.warnings.push({ line: this.lines[record] as number, message });
  }

  /** Takes records that contradict an earlier one out of the lists of their owners. */
  private leaveOut(): void {
    const owners = new Set<number>();
    for (let node = 0; node < this.nodes.count; node++)
      for (
        let record = this.nodes.firstRecord[node] as number;
        record >= 0;
        record = this.next[record] as number
      )
        if (MAY_CONFLICT.has(this.type(record))) owners.add(node);
    for (const node of owners) this.leaveOutOf(node);
  }

  private leaveOutOf(node: number): void {
    const { firstRecord, lastRecord, parent } = this.nodes;
    const name = this.nodes.start[node] as number;
    const wildcard = this.wire[name] === 1 && this.wire[name + 1] === 0x2a;
    const check = conflictCheck({ apex: parent[node] === -1, wildcard });
    let last = -1;
    for (let record = firstRecord[node] as number; record >= 0; ) {
      const next = this.next[record] as number;
      const why = check(this.type(record), Buffer.from(this.rdata(record)).toString("latin1"));
      if (why === undefined) {
        if (last < 0) firstRecord[node] = record;
        else this.next[last] = record;
        last = record;
      } else this.warn(record, `${formatName(this.wire.subarray(name))}: ${why}; left out`);
      record = next;
    }
    if (last < 0) firstRecord[node] = -1;
    else this.next[last] = -1;
    lastRecord[node] = last;
  }

  private flagsOf(): Uint8Array {
    const { count, parent } = this.nodes;
    const flags = new Uint8Array(count);
    let hides = false;
    for (let node = 0; node < count; node++) {
      for (
        let record = this.nodes.firstRecord[node] as number;
        record >= 0;
        record = this.next[record] as number
      ) {
        const type = this.type(record);
        const apex = parent[node] === -1;
        if (type === TYPE.NS && !apex) flags[node] = (flags[node] as number) | NODE.CUT;
        if (type === TYPE.DNAME) flags[node] = (flags[node] as number) | NODE.DNAME;
        if (type === TYPE.CNAME) flags[node] = (flags[node] as number) | NODE.CNAME;
      }
      hides ||= ((flags[node] as number) & (NODE.CUT | NODE.DNAME)) !== 0;
    }
    if (hides) {
      for (let node = 0; node < count; node++) {
        for (let up = parent[node] as number; up >= 0; up = parent[up] as number) {
          if ((flags[up] as number) & (NODE.CUT | NODE.DNAME))
            flags[node] = (flags[node] as number) | NODE.OCCLUDED;
        }
      }
    }
    return flags;
  }

  private writeSet(type: number, set: readonly number[]): number {
    return this.block.rrset(
      type,
      this.wire,
      set.map((record) => this.fixed[record] as number),
    );
  }

  private writeNode(node: number, flags: number): number {
    const { block } = this;
    const record = this.nodes.firstRecord[node] as number;
    let types: number[] = [];
    let placed: number[] = [];
    if (record >= 0 && record === this.nodes.lastRecord[node] && this.type(record) === TYPE.A) {
      // Nearly all names of a large zone: one address and nothing to check.
      types = [TYPE.A];
      placed = [this.writeSet(TYPE.A, [record])];
    } else if (record >= 0) {
      const sets = this.sets(node);
      types = [...sets.keys()];
      placed = [...sets].map(([type, set]) => this.writeSet(type, set));
    }
    const { start, end } = this.nodes;
    return block.node(flags, types, placed, this.wire, start[node] as number, end[node] as number);
  }

  build(seed: number, depth: number): Zone | undefined {
    const { nodes } = this;
    const { count } = nodes;
    this.leaveOut();
    const apex = this.origin.length > 0 ? this.apex() : -1;
    const soa = apex < 0 ? undefined : this.sets(apex).get(TYPE.SOA)?.[0];
    if (soa === undefined) {
      this.errors.push({ line: 1, message: `${formatName(this.origin)}: the zone has no SOA` });
      return undefined;
    }
    if (this.sets(apex).get(TYPE.NS) === undefined)
      this.warn(soa, `${formatName(this.origin)}: the zone has no NS`);
    const signed = this.sets(apex).get(TYPE.DNSKEY)?.[0];
    if (signed !== undefined)
      this.warn(
        signed,
        `${formatName(this.origin)}: a signed zone; no answer carries its signatures (DNSSEC)`,
      );
    const slots = 1 << Math.ceil(Math.log2(count * 2 + 1));
    let bound = 4 * HEADER.SIZE + 8 * slots + 600;
    for (let node = 0; node < count; node++)
      bound += 24 + 2 * ((nodes.end[node] as number) - (nodes.start[node] as number));
    for (let record = 0; record < this.fixed.length; record++)
      bound += 44 + read16(this.wire, (this.fixed[record] as number) + 8);
    const buffer = new SharedArrayBuffer((bound + 7) & ~7);
    const table = HEADER.SIZE;
    this.block = new BlockWriter(buffer, 4 * (table + 2 * slots));
    const { words } = this.block;
    const flags = this.flagsOf();
    const placed = new Int32Array(count);
    for (let node = 0; node < count; node++) {
      const at = this.writeNode(node, flags[node] as number);
      placed[node] = at;
      let slot = slotOf(nodes.hash[node] as number, slots - 1);
      while (words[table + 2 * slot + 1] !== 0) slot = (slot + 1) & (slots - 1);
      words[table + 2 * slot] = nodes.hash[node] as number;
      words[table + 2 * slot + 1] = at;
    }
    for (let node = 0; node < count; node++) {
      const name = nodes.start[node] as number;
      const up = nodes.parent[node] as number;
      if (up >= 0 && this.wire[name] === 1 && this.wire[name + 1] === 0x2a) {
        words[((placed[up] as number) >>> 2) + 1] = placed[node] as number;
      }
    }
    words.set([MAGIC, slots - 1, table, placed[apex] as number, seed, depth, count, this.fixed.length]);
    this.block.negative(this.origin, this.wire, this.fixed[soa] as number);
    words[HEADER.END] = this.block.end;
    words[HEADER.WHOLE] = this.block.end;
    return openZone(buffer);
  }

  private apex(): number {
    for (let node = 0; node < this.nodes.count; node++) if (this.nodes.parent[node] === -1) return node;
    return -1;
  }
}
