import { makeQuery } from "./message.ts";

/** A small generator of numbers below `bound`, the same for the same seed (xorshift32). */
export function numbers(seed: number): (bound: number) => number {
  let state = seed | 1;
  return (bound) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % bound;
  };
}

const NAMES = [
  "example.org.",
  "web.example.org.",
  "www.example.org.",
  "x.d.example.org.",
  "q.sub.example.org.",
  "big.example.org.",
  "q.wild.example.org.",
  "no.example.org.",
  "org.",
  ".",
  `${"a.".repeat(110)}example.org.`,
];
const TYPES = [
  "A",
  "AAAA",
  "NS",
  "SOA",
  "MX",
  "TXT",
  "ANY",
  "AXFR",
  "IXFR",
  "OPT",
  "TSIG",
  "DS",
  "TYPE65280",
];
/** Octets that mean something somewhere in a message. */
const MAGIC = [0, 1, 2, 11, 12, 41, 63, 64, 0x7f, 0x80, 0xbf, 0xc0, 0xfa, 0xff];

/** Valid queries with OPT, cookies, TSIG-like and SOA records, from which mutations start. */
export function honestQueries(): Uint8Array[] {
  const cookie: [number, Uint8Array][] = [
    [10, new Uint8Array(24).fill(7)],
    [3, new Uint8Array()],
    [11, new Uint8Array()],
  ];
  const plain = NAMES.flatMap((name) =>
    TYPES.flatMap((type) => [makeQuery(name, type), makeQuery(name, type, { edns: { options: cookie } })]),
  );
  const tsig = [
    0,
    0,
    250,
    0,
    255,
    0,
    0,
    0,
    0,
    0,
    29,
    0,
    0,
    0,
    0,
    0,
    0,
    1,
    1,
    44,
    0,
    10,
    ...Array(10).fill(9),
    0,
    1,
    0,
    0,
    0,
    0,
  ];
  const signed = makeQuery("example.org.", "AXFR");
  const withTsig = Uint8Array.from([...signed, ...tsig]);
  withTsig[11] = 1;
  return [...plain, withTsig];
}

/** One more hostile message. */
export function mutated(pick: (bound: number) => number, from: readonly Uint8Array[]): Uint8Array {
  if (pick(20) === 0) return Uint8Array.from({ length: pick(600) }, () => pick(256));
  let message = (from[pick(from.length)] as Uint8Array).slice();
  for (let times = 1 + pick(5); times > 0; times--) {
    const at = pick(message.length || 1);
    switch (pick(7)) {
      case 0:
        message[at] = (message[at] as number) ^ (1 << pick(8));
        break;
      case 1:
        message[at] = MAGIC[pick(MAGIC.length)] as number;
        break;
      case 2:
        message = message.slice(0, at);
        break;
      case 3: {
        // A compression pointer, to anywhere.
        message[at] = 0xc0 | pick(4);
        if (at + 1 < message.length) message[at + 1] = pick(256);
        break;
      }
      case 4: {
        const other = from[pick(from.length)] as Uint8Array;
        message = Uint8Array.from([...message.subarray(0, at), ...other.subarray(pick(other.length))]);
        break;
      }
      case 5:
        message = Uint8Array.from([
          ...message.subarray(0, at),
          ...Array(pick(40)).fill(pick(256)),
          ...message.subarray(at),
        ]);
        break;
      default:
        if (message.length >= 12) message[4 + pick(8)] = pick(4);
    }
  }
  return message;
}
