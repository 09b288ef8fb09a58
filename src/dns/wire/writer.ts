/** Writes records into a message, names compressed. */
import { fieldsOf, isCompressible } from "../text/rdata-fields.ts";
import type { RrSet } from "../zone/zone.ts";
import { lower, type WireName, wireNameEnd } from "./name.ts";
import { read16 } from "./octets.ts";

/** Names remembered as targets of compression; more would make long messages slow to write. */
const MAX_COMPRESSION_TARGETS = 96;

/**
 * Writes one message into a buffer, names compressed (RFC 1035 §4.1.4). What does not fit below `limit` is removed
 * whole. Used again for each message: `begin` drops the one before.
 */
export class MessageWriter {
  out: Uint8Array = new Uint8Array();
  at = 0;
  limit = 0;
  /** Compress only names of the same case: transfers keep it (RFC 5936 §3.4). */
  keepCase = false;
  private count = 0;
  private readonly offsets = new Int32Array(MAX_COMPRESSION_TARGETS);
  private readonly hashes = new Int32Array(MAX_COMPRESSION_TARGETS);
  private readonly starts = new Int32Array(128);
  private readonly suffixes = new Int32Array(128);

  /** Start a message in `out`, of at most `limit` octets, whose header and question are written up to `questionEnd`. */
  begin(out: Uint8Array, limit: number, questionEnd: number): void {
    this.out = out;
    this.limit = limit;
    this.at = questionEnd;
    this.count = 0;
    if (questionEnd <= 12) return;
    const labels = this.hash(out.subarray(12, questionEnd));
    // The suffixes near the root are the ones that others share.
    this.remember(12, labels, Math.max(0, labels - MAX_COMPRESSION_TARGETS / 2));
  }

  u16(value: number): void {
    this.out[this.at] = value >>> 8;
    this.out[this.at + 1] = value;
    this.at += 2;
  }

  /** Label starts and suffix hashes of a name into the scratch arrays; the number of labels. */
  private hash(name: WireName): number {
    let labels = 0;
    for (let i = 0; name[i] !== 0; i += (name[i] as number) + 1) this.starts[labels++] = i;
    let hash = 0x811c9dc5 | 0;
    for (let label = labels - 1; label >= 0; label--) {
      const first = this.starts[label] as number;
      for (let i = first + (name[first] as number); i >= first; i--) {
        hash = Math.imul(hash ^ lower(name[i] as number), 0x01000193);
      }
      this.suffixes[label] = hash;
    }
    return labels;
  }

  /** Remember the suffixes `first` to `labels` of the name just hashed, written at `at`. */
  private remember(at: number, labels: number, first = 0): void {
    for (let label = first; label < labels && this.count < MAX_COMPRESSION_TARGETS; label++) {
      const offset = at + (this.starts[label] as number);
      // A pointer has 14 bits.
      if (offset > 0x3fff) return;
      this.offsets[this.count] = offset;
      this.hashes[this.count++] = this.suffixes[label] as number;
    }
  }

  /** Does the name at `offset` of the message read as `name` from `at` on? */
  private reads(offset: number, name: WireName, at: number): boolean {
    let theirs = offset;
    let ours = at;
    for (;;) {
      const size = this.out[theirs] as number;
      if (size >= 0xc0) {
        theirs = ((size & 0x3f) << 8) | (this.out[theirs + 1] as number);
        continue;
      }
      if (size !== name[ours]) return false;
      if (size === 0) return true;
      for (let i = 1; i <= size; i++) {
        const a = this.out[theirs + i] as number;
        const b = name[ours + i] as number;
        if (a !== b && (this.keepCase || lower(a) !== lower(b))) return false;
      }
      theirs += size + 1;
      ours += size + 1;
    }
  }

  /** Write a name; the caller has made sure of 255 octets of room. */
  name(name: WireName, compress: boolean): void {
    const labels = this.hash(name);
    let label = 0;
    let target = 0;
    while (label < labels) {
      target = compress ? this.known(name, label) : 0;
      if (target > 0) break;
      label++;
    }
    const start = this.at;
    const plain = target > 0 ? (this.starts[label] as number) : wireNameEnd(name, 0) - 1;
    this.out.set(name.subarray(0, plain), start);
    this.at += plain;
    if (target > 0) this.u16(0xc000 | target);
    else this.out[this.at++] = 0;
    this.remember(start, label);
  }

  private known(name: WireName, label: number): number {
    const hash = this.suffixes[label];
    for (let i = 0; i < this.count; i++) {
      if (
        this.hashes[i] === hash &&
        this.reads(this.offsets[i] as number, name, this.starts[label] as number)
      ) {
        return this.offsets[i] as number;
      }
    }
    return 0;
  }

  /** Write one record; false, and nothing written, when it does not fit. */
  record(owner: WireName, type: number, ttl: number, rdata: Uint8Array): boolean {
    const start = this.at;
    const held = this.count;
    // Written first and measured after, because compression decides the size: the buffer has more room than the limit.
    if (start + 12 > this.limit || start + owner.length + 10 + rdata.length > this.out.length) return false;
    this.name(owner, true);
    this.u16(type);
    this.u16(1);
    this.u16(ttl >>> 16);
    this.u16(ttl);
    this.at += 2;
    const body = this.at;
    this.rdata(type, rdata);
    this.out[body - 2] = (this.at - body) >>> 8;
    this.out[body - 1] = this.at - body;
    if (this.at <= this.limit) return true;
    this.at = start;
    this.count = held;
    return false;
  }

  private rdata(type: number, rdata: Uint8Array): void {
    if (!isCompressible(type)) {
      this.out.set(rdata, this.at);
      this.at += rdata.length;
      return;
    }
    let from = 0;
    for (const field of fieldsOf(type) ?? []) {
      if (field === "name") {
        const rest = rdata.subarray(from);
        this.name(rest, true);
        from += wireNameEnd(rest, 0);
      } else {
        const width = field === "u16" ? 2 : 4;
        this.out.set(rdata.subarray(from, from + width), this.at);
        this.at += width;
        from += width;
      }
    }
  }

  /** Write an RRset; the number of its records, or -1 and nothing written when it does not fit whole. */
  set(owner: WireName, set: RrSet): number {
    const start = this.at;
    const held = this.count;
    for (const rdata of set.rdata) {
      if (this.record(owner, set.type, set.ttl, rdata)) continue;
      this.at = start;
      this.count = held;
      return -1;
    }
    return set.rdata.length;
  }
}

/** Add to one of the header's section counts: 6 answer, 8 authority, 10 additional. */
export function addCount(out: Uint8Array, at: number, more: number): void {
  const count = read16(out, at) + more;
  out[at] = count >>> 8;
  out[at + 1] = count;
}
