/** Response rate limiting. */

/** What to do with an answer. */
export const SEND = 0;
export const DROP = 1;
/** Send it truncated: a real client asks again over TCP, a forged one gets no more than it sent. */
export const SLIP = 2;

/** Buckets: a fixed table, so that no query makes it grow. */
const BUCKETS = 1 << 14;
/** Words of a bucket: its owner's hash, when it was filled last (ms), what is left (thousandths of an answer), limited so far. */
const WORDS = 4;

/**
 * Answers a second of one kind to one network: to one that is routed on the Internet, and to a local one. An office's
 * resolver that caches asks for a name and type once in its TTL, 60 s: it would take 1.2 million of them to come so far.
 */
export const ANSWERS_PER_SECOND = { ROUTED: 1000, LOCAL: 20_000 } as const;

/** Kinds of answers counted apart, so that a flood of one does not silence the others. */
export const KIND = { DATA: 0, NXDOMAIN: 1, ERROR: 2, FORWARDED: 3 } as const;

/** Limits answers to networks of clients (/24, /56), as forged queries come in the name of their victim. */
export interface RateLimit {
  /** `client` is 4 or 16 octets of `octets` at `at`. */
  check(
    octets: Uint8Array,
    at: number,
    size: number,
    kind: number,
    now: number,
  ): typeof SEND | typeof DROP | typeof SLIP;
}

/**
 * A limit of `perSecond` answers of one kind to one network, with a second's worth as burst; every second answer over
 * it slips. `seed` keys the table. With `localPerSecond` that is the limit for networks that are not routed on the
 * Internet, and loopback has none: no other host can forge its addresses.
 */
export function rateLimit(perSecond: number, seed: number, localPerSecond?: number): RateLimit {
  const table = new Int32Array(BUCKETS * WORDS);
  return {
    check(octets, at, size, kind, now) {
      let rate = perSecond;
      if (localPerSecond !== undefined && isLocal(octets, at, size)) {
        if (isLoopback(octets, at, size)) return SEND;
        rate = localPerSecond;
      }
      const full = rate * 1000;
      let hash = seed ^ kind;
      const prefix = size === 4 ? 3 : 7;
      for (let i = 0; i < prefix; i++) hash = Math.imul(hash ^ (octets[at + i] as number), 0x01000193);
      hash = (hash ^ (hash >>> 15)) | 1;
      const bucket = ((hash >>> 1) & (BUCKETS - 1)) * WORDS;
      const time = now | 0;
      const elapsed = (time - (table[bucket + 1] as number)) | 0;
      if (table[bucket] !== hash) {
        // Reassigned when its owner has been quiet; shared otherwise.
        if (table[bucket] === 0 || elapsed > 1000 || elapsed < 0) {
          table[bucket] = hash;
          table[bucket + 1] = time;
          table[bucket + 2] = full;
        }
      } else if (elapsed !== 0) {
        table[bucket + 1] = time;
        const credit =
          (table[bucket + 2] as number) + (elapsed > 1000 || elapsed < 0 ? full : elapsed * rate);
        table[bucket + 2] = Math.min(credit, full);
      }
      const left = table[bucket + 2] as number;
      if (left >= 1000) {
        table[bucket + 2] = left - 1000;
        return SEND;
      }
      const limited = ((table[bucket + 3] as number) + 1) | 0;
      table[bucket + 3] = limited;
      return limited & 1 ? SLIP : DROP;
    },
  };
}

/** 127.0.0.0/8, ::1. */
function isLoopback(octets: Uint8Array, at: number, size: number): boolean {
  return size === 4 ? octets[at] === 127 : octets[at] === 0;
}

/** Loopback, link-local, private and shared addresses (RFC 6890); ::1, unique-local and link-local ones. */
function isLocal(octets: Uint8Array, at: number, size: number): boolean {
  const first = octets[at] as number;
  const second = octets[at + 1] as number;
  if (size === 4) {
    if (first === 10 || first === 127) return true;
    if (first === 192) return second === 168;
    if (first === 172) return (second & 0xf0) === 16;
    return first === 169 ? second === 254 : first === 100 && (second & 0xc0) === 64;
  }
  if ((first & 0xfe) === 0xfc || (first === 0xfe && (second & 0xc0) === 0x80)) return true;
  for (let i = 0; i < 15; i++) if (octets[at + i] !== 0) return false;
  return octets[at + 15] === 1;
}
