/** Writes nodes and RRsets of a zone into its block. */
import { lower, sameName, type WireName } from "../wire/name.ts";
import { read16, read32 } from "../wire/octets.ts";
import { TYPE } from "../wire/types.ts";
import { FAST, HEADER, NODE, NODE_WORDS, SET_WORDS } from "./zone.ts";

/** Types whose answer needs more than a copy: names to compress, addresses to add, a chain to follow. */
const NOT_FAST: ReadonlySet<number> = new Set([TYPE.CNAME, TYPE.DNAME, TYPE.NS, TYPE.SOA, TYPE.MX, TYPE.SRV]);

/** A cursor in a zone's block: writes at its position, see `Zone`. */
export class BlockWriter {
  readonly buffer: SharedArrayBuffer;
  readonly words: Int32Array;
  readonly octets: Uint8Array;
  /** Where the next octet goes. */
  end: number;

  constructor(buffer: SharedArrayBuffer, end: number) {
    this.buffer = buffer;
    this.words = new Int32Array(buffer);
    this.octets = new Uint8Array(buffer);
    this.end = end;
  }

  align(): void {
    this.end = (this.end + 3) & ~3;
  }

  put(octets: Uint8Array): void {
    this.octets.set(octets, this.end);
    this.end += octets.length;
  }

  /** Copy out of the records; a loop, because most are a few octets long. */
  copy(wire: Uint8Array, from: number, to: number): void {
    const { octets } = this;
    let at = this.end;
    for (let i = from; i < to; i++) octets[at++] = wire[i] as number;
    this.end = at;
  }

  /**
   * An RRset; `fixed` are the positions in `wire` of the type of each of its records. Returns its reference. All get the first
   * one's TTL (RFC 2181 §5.2).
   */
  rrset(type: number, wire: Uint8Array, fixed: readonly number[]): number {
    this.align();
    const at = this.end;
    const head = at >>> 2;
    const ttl = read32(wire, (fixed[0] as number) + 4);
    this.end += 4 * SET_WORDS;
    for (const from of fixed) {
      const size = read16(wire, from + 8);
      this.octets[this.end++] = 0xc0;
      this.octets[this.end++] = 12;
      this.copy(wire, from, from + 10 + size);
      const ttlAt = this.end - size - 6;
      for (let i = 0; i < 4; i++) this.octets[ttlAt + i] = ttl >>> (24 - 8 * i);
    }
    this.words[head] = type | (NOT_FAST.has(type) ? 0 : FAST);
    this.words[head + 1] = ttl;
    this.words[head + 2] = fixed.length;
    this.words[head + 3] = this.end - at - 4 * SET_WORDS;
    return at;
  }

  /** A node with its RRsets, its name out of `wire[start..end)`. Gives its reference. */
  node(
    flags: number,
    types: readonly number[],
    sets: readonly number[],
    wire: Uint8Array,
    start: number,
    end: number,
  ): number {
    this.align();
    const at = this.end;
    const head = at >>> 2;
    this.words[head + 1] = 0;
    this.words[head + 2] = types.length;
    for (let i = 0; i < types.length; i++) {
      this.words[head + NODE_WORDS + 2 * i] = types[i] as number;
      this.words[head + NODE_WORDS + 2 * i + 1] = sets[i] as number;
    }
    this.end += 4 * (NODE_WORDS + 2 * types.length);
    let capitals = 0;
    for (let i = start; i < end; i++) {
      const octet = wire[i] as number;
      const small = lower(octet);
      if (small !== octet) capitals = NODE.CAPITALS;
      this.octets[this.end++] = small;
    }
    if (capitals !== 0) this.copy(wire, start, end);
    this.words[head] = flags | capitals | ((end - start) << 8);
    return at;
  }

  /** The SOA of negative answers: TTL min(SOA TTL, MINIMUM) (RFC 2308 §3), names below the apex compressed into the question. */
  negative(origin: WireName, wire: Uint8Array, fixed: number): void {
    this.align();
    const at = this.end;
    const rdata = wire.subarray(fixed + 10, fixed + 10 + read16(wire, fixed + 8));
    let pointers = 0;
    const pointer = () => {
      this.words[HEADER.NEGATIVE_POINTER + pointers++] = this.end - at;
      this.put(Uint8Array.of(0xc0, 12));
    };
    const name = (from: number): number => {
      let i = from;
      while (rdata[i] !== 0) {
        const rest = rdata.subarray(i, i + origin.length);
        if (sameName(rest, origin) && origin.length > 1) {
          pointer();
          return i + origin.length;
        }
        this.put(rdata.subarray(i, i + 1 + (rdata[i] as number)));
        i += 1 + (rdata[i] as number);
      }
      this.put(Uint8Array.of(0));
      return i + 1;
    };
    for (let p = 0; p < 3; p++) this.words[HEADER.NEGATIVE_POINTER + p] = 0;
    const ttl = Math.min(read32(wire, fixed + 4), read32(rdata, rdata.length - 4));
    pointer();
    this.put(Uint8Array.of(0, TYPE.SOA, 0, 1, ttl >>> 24, ttl >>> 16, ttl >>> 8, ttl, 0, 0));
    const start = this.end;
    this.put(rdata.subarray(name(name(0))));
    this.octets[start - 2] = (this.end - start) >>> 8;
    this.octets[start - 1] = this.end - start;
    this.words[HEADER.NEGATIVE] = at;
    this.words[HEADER.NEGATIVE_SIZE] = this.end - at;
  }
}
