/** SipHash-2-4 in 32-bit halves: BigInt would cost a hundred times as much, and every query with a cookie needs one. */

let v0h = 0;
let v0l = 0;
let v1h = 0;
let v1l = 0;
let v2h = 0;
let v2l = 0;
let v3h = 0;
let v3l = 0;

function carry(a: number, b: number): number {
  return (a >>> 0) + (b >>> 0) > 0xffffffff ? 1 : 0;
}

function round(): void {
  let c = carry(v0l, v1l);
  v0l = (v0l + v1l) | 0;
  v0h = (v0h + v1h + c) | 0;
  let h = (v1h << 13) | (v1l >>> 19);
  let l = (v1l << 13) | (v1h >>> 19);
  v1h = h ^ v0h;
  v1l = l ^ v0l;
  h = v0h;
  v0h = v0l;
  v0l = h;
  c = carry(v2l, v3l);
  v2l = (v2l + v3l) | 0;
  v2h = (v2h + v3h + c) | 0;
  h = (v3h << 16) | (v3l >>> 16);
  l = (v3l << 16) | (v3h >>> 16);
  v3h = h ^ v2h;
  v3l = l ^ v2l;
  c = carry(v0l, v3l);
  v0l = (v0l + v3l) | 0;
  v0h = (v0h + v3h + c) | 0;
  h = (v3h << 21) | (v3l >>> 11);
  l = (v3l << 21) | (v3h >>> 11);
  v3h = h ^ v0h;
  v3l = l ^ v0l;
  c = carry(v2l, v1l);
  v2l = (v2l + v1l) | 0;
  v2h = (v2h + v1h + c) | 0;
  h = (v1h << 17) | (v1l >>> 15);
  l = (v1l << 17) | (v1h >>> 15);
  v1h = h ^ v2h;
  v1l = l ^ v2l;
  h = v2h;
  v2h = v2l;
  v2l = h;
}

function little32(octets: Uint8Array, at: number): number {
  return (
    (octets[at] as number) |
    ((octets[at + 1] as number) << 8) |
    ((octets[at + 2] as number) << 16) |
    ((octets[at + 3] as number) << 24)
  );
}

/** SipHash-2-4 of `message` under a key of 16 octets; 8 octets, least significant first as the reference prints them. */
export function siphash(key: Uint8Array, message: Uint8Array): Uint8Array {
  const k0l = little32(key, 0);
  const k0h = little32(key, 4);
  const k1l = little32(key, 8);
  const k1h = little32(key, 12);
  v0h = k0h ^ 0x736f6d65;
  v0l = k0l ^ 0x70736575;
  v1h = k1h ^ 0x646f7261;
  v1l = k1l ^ 0x6e646f6d;
  v2h = k0h ^ 0x6c796765;
  v2l = k0l ^ 0x6e657261;
  v3h = k1h ^ 0x74656462;
  v3l = k1l ^ 0x79746573;
  const last = new Uint8Array(8);
  const whole = message.length & ~7;
  last.set(message.subarray(whole));
  last[7] = message.length;
  for (let at = 0; at <= whole; at += 8) {
    const from = at < whole ? message : last;
    const low = little32(from, at < whole ? at : 0);
    const high = little32(from, (at < whole ? at : 0) + 4);
    v3l ^= low;
    v3h ^= high;
    round();
    round();
    v0l ^= low;
    v0h ^= high;
  }
  v2l ^= 0xff;
  for (let i = 0; i < 4; i++) round();
  const out = new DataView(new ArrayBuffer(8));
  out.setInt32(0, v0l ^ v1l ^ v2l ^ v3l, true);
  out.setInt32(4, v0h ^ v1h ^ v2h ^ v3h, true);
  return new Uint8Array(out.buffer);
}
