/** Tracked connections of every kind: which of them are use, which are open, and when the last packet came. */
import fc from "fast-check";
import t from "tap";
import { type Ipv4, parseCidr, type Range } from "../../../src/core/addresses/ipv4.ts";
import {
  countsFor,
  countsFrom,
  type Timeouts,
  type Tracked,
  usage,
} from "../../../src/core/lifecycle/usage.ts";
import { ip } from "../make.ts";

const [ALIAS, OTHER, CLIENT] = [ip("192.168.122.11"), ip("192.168.122.12"), ip("10.1.2.3")];
const [TARGET, SECOND, HOST] = [ip("172.17.0.2"), ip("172.18.0.2"), ip("192.168.122.200")];
const TCP = { protocol: 6, replied: true, assured: true } as const;
const SCTP = { protocol: 132, replied: true, assured: true } as const;
const UDP = { protocol: 17, replied: true, assured: false } as const;
const IGNORED = parseCidr("10.9.0.0/24") as Range;
const OWN: ReadonlySet<Ipv4> = new Set([HOST, ALIAS]);
const DAYS = 432_000;

/** Linux 6.18's. */
const TIMEOUTS: Timeouts = {
  tcp: [0, 120, 60, DAYS, 120, 60, 30, 120, 10, 120, 0, 0, 300, 300],
  sctp: [0, 10, 3, 3, 210, 3, 3, 3, 30],
  udp: 30,
  udpStream: 120,
  icmp: 30,
  other: 600,
};

const tracked = (over: Partial<Tracked>): Tracked => ({
  protocol: 6,
  source: CLIENT,
  destination: ALIAS,
  answeredBy: TARGET,
  port: 80,
  state: 0,
  replied: false,
  assured: false,
  left: 0,
  ...over,
});
const everything = ({ destination }: Tracked): Ipv4 => destination;
const of = (...flows: Partial<Tracked>[]): unknown =>
  usage(flows.map(tracked), TIMEOUTS, everything).get(ALIAS);

const CASES: readonly (readonly [string, Partial<Tracked>, unknown])[] = [
  ["TCP, a packet just now", { ...TCP, state: 3, left: DAYS }, { idle: 0, open: 1, busy: true }],
  [
    "TCP, silent for two hours",
    { ...TCP, state: 3, left: DAYS - 7_200 },
    { idle: 7_200, open: 1, busy: true },
  ],
  ["TCP, for 2 h 5 min", { ...TCP, state: 3, left: DAYS - 7_500 }, { idle: 7_500, open: 0, busy: false }],
  ["TCP, for days", { ...TCP, state: 3, left: 301 }, { idle: DAYS - 301, open: 0, busy: false }],
  ["TCP, data not acknowledged", { ...TCP, state: 3, left: 290 }, { idle: 10, open: 1, busy: true }],
  ["TCP, one end has closed", { ...TCP, state: 4, left: 20 }, { idle: 100, open: 0, busy: true }],
  ["TCP, half closed", { ...TCP, state: 5, left: 58 }, { idle: 2, open: 0, busy: true }],
  ["TCP, last acknowledgement", { ...TCP, state: 6, left: 30 }, { idle: 0, open: 0, busy: true }],
  ["TCP, closed", { ...TCP, state: 7, left: 119 }, { idle: 1, open: 0, busy: false }],
  ["TCP, opened and reset", { ...TCP, state: 8, left: 9 }, { idle: 1, open: 0, busy: false }],
  ["TCP, in a flowtable", { ...TCP, state: 3, left: Infinity }, { idle: 0, open: 1, busy: true }],
  ["TCP, SYN", { state: 1, left: 119 }, { idle: Infinity, open: 0, busy: true }],
  ["TCP, SYN, 5 s ago", { state: 1, left: 115 }, undefined],
  ["TCP, handshake", { replied: true, state: 2, left: 56 }, { idle: Infinity, open: 0, busy: true }],
  ["TCP, handshake, 5 s ago", { replied: true, state: 2, left: 55 }, undefined],
  ["TCP, scan: reset in the handshake", { replied: true, state: 8, left: 10 }, undefined],
  ["TCP, picked up, one way", { state: 3, left: 200 }, undefined],
  ["SCTP, established", { ...SCTP, state: 4, left: 180 }, { idle: 30, open: 1, busy: true }],
  ["SCTP, in a flowtable", { ...SCTP, state: 4, left: Infinity }, { idle: 0, open: 1, busy: true }],
  ["SCTP, closing", { ...SCTP, state: 7, left: 3 }, { idle: 0, open: 0, busy: true }],
  ["SCTP, closed", { ...SCTP, state: 1, left: 8 }, { idle: 2, open: 0, busy: false }],
  [
    "SCTP, handshake",
    { ...SCTP, assured: false, state: 3, left: 2 },
    { idle: Infinity, open: 0, busy: true },
  ],
  ["SCTP, refused", { ...SCTP, assured: false, state: 1, left: 10 }, undefined],
  ["UDP, answered", { ...UDP, left: 20 }, { idle: 10, open: 0, busy: false }],
  ["UDP, answered just now", { ...UDP, left: 29 }, { idle: 1, open: 0, busy: true }],
  ["UDP, not answered", { ...UDP, replied: false, left: 29 }, undefined],
  ["UDP, a stream", { ...UDP, assured: true, left: 20 }, { idle: 100, open: 0, busy: false }],
  [
    "UDP, a stream that is never assured (NAT clash)",
    { ...UDP, left: 110 },
    { idle: 10, open: 0, busy: false },
  ],
  ["ping, answered", { protocol: 1, replied: true, left: 22 }, { idle: 8, open: 0, busy: false }],
  ["ping, not answered", { protocol: 1, left: 29 }, undefined],
  ["GRE", { protocol: 47, replied: true, assured: true, left: 150 }, { idle: 30, open: 0, busy: false }],
  ["ESP", { protocol: 50, replied: true, left: 590 }, { idle: 10, open: 0, busy: false }],
  ["more left than the timeout is now", { ...UDP, left: 9_999 }, { idle: 0, open: 0, busy: true }],
  ["a state that is not known", { ...TCP, state: 200, left: 1 }, { idle: 0, open: 0, busy: false }],
];

for (const [what, flow, wanted] of CASES)
  t.test(`one connection: ${what}`, async (t) => t.strictSame(of(flow), wanted));

t.test("several connections: the latest packet, the number of open ones, each alias by itself", async (t) => {
  const silent = tracked({ ...TCP, state: 3, left: DAYS - 600 });
  const flows = [
    silent,
    silent,
    tracked({ ...UDP, left: 18 }),
    tracked({ state: 1, left: 120 }),
    tracked({ ...TCP, state: 7, left: 60, destination: OTHER }),
  ];
  t.strictSame(
    usage(flows, TIMEOUTS, everything),
    new Map([
      [ALIAS, { idle: 12, open: 2, busy: true }],
      [OTHER, { idle: 60, open: 0, busy: false }],
    ]),
  );
});

t.test(
  "the host, the host by its alias, and sources to ignore are left out, also while they connect",
  async (t) => {
    const counts = countsFrom([IGNORED], OWN);
    for (const source of ["192.168.122.200", ALIAS, "10.9.0.0", "10.9.0.255"]) {
      const flows = [
        { ...TCP, state: 3, left: DAYS },
        { state: 1, left: 120 },
      ];
      const seen = usage(
        flows.map((flow) => tracked({ ...flow, source: ip(source) })),
        TIMEOUTS,
        countsFor([{ alias: ALIAS, container: [], ignored: [IGNORED] }], OWN),
      );
      t.equal(seen.size, 0, source);
    }
    for (const source of ["10.8.255.255", "10.9.1.0", "192.168.122.12"])
      t.ok(counts(tracked({ source: ip(source) })), source);
  },
);

t.test("established for an hour at most: a kernel with short timeouts has no dead connections", async (t) => {
  const timeouts = { ...TIMEOUTS, tcp: TIMEOUTS.tcp.map((seconds) => Math.min(seconds, 3_600)) };
  const [use] = usage([tracked({ ...TCP, state: 3, left: 301 })], timeouts, everything).values();
  t.strictSame(use, { idle: 3_299, open: 1, busy: true });
});

t.test("timeouts that are missing: idle is not negative", async (t) => {
  const none: Timeouts = { tcp: [], sctp: [], udp: 0, udpStream: 0, icmp: 0, other: 0 };
  const flows = CASES.map(([, flow]) => tracked(flow));
  t.ok([...usage(flows, none, everything).values()].every(({ idle }) => idle >= 0));
});

const anyFlow = fc.record({
  protocol: fc.oneof(fc.constantFrom(1, 6, 17, 47, 132), fc.nat(255)),
  source: fc.constantFrom(CLIENT, OTHER),
  destination: fc.constantFrom(ALIAS, OTHER),
  answeredBy: fc.constantFrom(TARGET, SECOND),
  port: fc.nat(65_535),
  state: fc.oneof(fc.nat(10), fc.nat(255)),
  replied: fc.boolean(),
  assured: fc.boolean(),
  left: fc.oneof(fc.nat(300), fc.nat(2 ** 32 - 1), fc.constant(Number.POSITIVE_INFINITY)),
});

t.test(
  "any connections in any order: idle and open are not negative, open means busy, the order is of no effect",
  async () => {
    const orders = fc
      .array(anyFlow, { maxLength: 12 })
      .chain((flows) =>
        fc.tuple(
          fc.constant(flows),
          fc.shuffledSubarray(flows, { minLength: flows.length, maxLength: flows.length }),
        ),
      );
    const sorted = (flows: readonly Tracked[]): string =>
      JSON.stringify([...usage(flows, TIMEOUTS, everything)].sort());
    fc.assert(
      fc.property(orders, ([flows, shuffled]) => {
        const all = [...usage(flows, TIMEOUTS, everything).values()];
        return (
          all.every(
            ({ idle, open, busy }) => idle >= 0 && open >= 0 && open <= flows.length && (busy || open === 0),
          ) && sorted(flows) === sorted(shuffled)
        );
      }),
      { numRuns: 2_000 },
    );
  },
);

t.test("a connection more: no alias becomes idle longer, or has fewer open ones", async () => {
  fc.assert(
    fc.property(fc.array(anyFlow, { maxLength: 8 }), anyFlow, (flows, more) => {
      const before = usage(flows, TIMEOUTS, everything);
      const after = usage([...flows, more], TIMEOUTS, everything);
      return [...before].every(([alias, use]) => {
        const now = after.get(alias);
        return now !== undefined && now.idle <= use.idle && now.open >= use.open && (now.busy || !use.busy);
      });
    }),
  );
});

const LOOKED = [
  { alias: ALIAS, container: [TARGET, SECOND], ignored: [IGNORED] },
  { alias: OTHER, container: [ip("172.17.0.3")], ignored: [] },
];

t.test(
  "through a published port it counts for the container that answers, in any of its networks",
  async (t) => {
    const aliasOf = countsFor(LOOKED, OWN);
    const published = { ...TCP, state: 3, left: DAYS, destination: HOST, port: 8_080 };
    for (const answeredBy of [TARGET, SECOND])
      t.strictSame(
        usage([tracked({ ...published, answeredBy })], TIMEOUTS, aliasOf),
        new Map([[ALIAS, { idle: 0, open: 1, busy: true }]]),
      );
    t.equal(aliasOf(tracked({ ...published, answeredBy: ip("172.17.0.3") })), OTHER);
    t.equal(aliasOf(tracked({ ...published, answeredBy: ip("172.17.0.4") })), undefined, "another container");
    t.equal(aliasOf(tracked({ ...published, source: ip("10.9.0.7") })), undefined, "a source to ignore");
    t.equal(aliasOf(tracked({ ...published, source: HOST })), undefined, "the host itself");
  },
);

t.test("what a container itself opens is no use of it, and is use of what it is opened to", async (t) => {
  const aliasOf = countsFor(LOOKED, OWN);
  for (const destination of [ALIAS, HOST])
    t.equal(aliasOf(tracked({ source: SECOND, destination })), undefined, "to itself");
  const outside = ip("198.51.100.1");
  t.equal(aliasOf(tracked({ source: TARGET, destination: outside, answeredBy: outside })), undefined);
  t.equal(aliasOf(tracked({ source: TARGET, destination: OTHER, answeredBy: ip("172.17.0.3") })), OTHER);
});

t.test("any addresses: it counts for the alias opened to, else for what answers, else for none", async () => {
  const address = fc.constantFrom(
    ALIAS,
    OTHER,
    CLIENT,
    TARGET,
    SECOND,
    HOST,
    ip("172.17.0.3"),
    ip("10.9.0.7"),
  );
  const aliasOf = countsFor(LOOKED, OWN);
  fc.assert(
    fc.property(address, address, address, (source, destination, answeredBy) => {
      const found = LOOKED.find(
        ({ alias }) => alias === aliasOf(tracked({ source, destination, answeredBy })),
      );
      const meant =
        LOOKED.find(({ alias }) => alias === destination) ??
        LOOKED.find(({ container }) => container.includes(answeredBy));
      const left = OWN.has(source) || meant?.container.includes(source);
      const ignored = meant?.alias === ALIAS && source === ip("10.9.0.7");
      return found === (left || ignored ? undefined : meant);
    }),
    { numRuns: 2_000 },
  );
});
