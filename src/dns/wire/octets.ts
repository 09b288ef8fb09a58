/** A growing run of octets: what the zone-file reader and the signers write into. */
export class OctetWriter {
  bytes: Uint8Array;
  length = 0;

  constructor(capacity = 256) {
    this.bytes = new Uint8Array(capacity);
  }

  /** Make room for `more` octets, for callers that write into `bytes` themselves. */
  reserve(more: number): void {
    const need = this.length + more;
    if (need <= this.bytes.length) return;
    const grown = new Uint8Array(Math.max(need, this.bytes.length * 2));
    grown.set(this.bytes.subarray(0, this.length));
    this.bytes = grown;
  }

  u8(value: number): void {
    this.reserve(1);
    this.bytes[this.length++] = value;
  }

  u16(value: number): void {
    this.reserve(2);
    this.bytes[this.length++] = value >>> 8;
    this.bytes[this.length++] = value;
  }

  u32(value: number): void {
    this.u16(value >>> 16);
    this.u16(value);
  }

  raw(octets: ArrayLike<number>): void {
    this.reserve(octets.length);
    this.bytes.set(octets, this.length);
    this.length += octets.length;
  }

  /** Overwrite two octets written before. */
  patch16(at: number, value: number): void {
    this.bytes[at] = value >>> 8;
    this.bytes[at + 1] = value;
  }

  /** A copy of what was written. */
  take(): Uint8Array {
    return this.bytes.slice(0, this.length);
  }
}

/** Big-endian 16-bit number at `at`; octets past the end count as 0. */
export function read16(octets: Uint8Array, at: number): number {
  return ((octets[at] as number) << 8) | (octets[at + 1] as number);
}

/** Big-endian 32-bit number at `at`, unsigned. */
export function read32(octets: Uint8Array, at: number): number {
  return ((read16(octets, at) << 16) | read16(octets, at + 2)) >>> 0;
}
