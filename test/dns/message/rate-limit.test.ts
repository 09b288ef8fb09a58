import t from "tap";
import {
  ANSWERS_PER_SECOND,
  DROP,
  KIND,
  rateLimit,
  SEND,
  SLIP,
} from "../../../src/dns/message/rate-limit.ts";

const client = Uint8Array.of(192, 0, 2, 1);

t.test("a second's worth passes, then every second answer slips, the others are dropped", async (t) => {
  const limit = rateLimit(100, 7);
  const verdicts = Array.from({ length: 300 }, () => limit.check(client, 0, 4, KIND.DATA, 1000));
  t.strictSame(
    [SEND, SLIP, DROP].map((kind) => verdicts.filter((each) => each === kind).length),
    [100, 100, 100],
  );
  t.equal(limit.check(Uint8Array.of(192, 0, 2, 200), 0, 4, KIND.DATA, 1000), SLIP, "the same /24 shares");
  t.equal(limit.check(Uint8Array.of(192, 0, 3, 1), 0, 4, KIND.DATA, 1000), SEND, "the next /24 does not");
  t.equal(limit.check(client, 0, 4, KIND.NXDOMAIN, 1000), SEND, "another kind of answer does not");
  const later = Array.from({ length: 60 }, () => limit.check(client, 0, 4, KIND.DATA, 1500));
  t.equal(later.filter((each) => each === SEND).length, 50, "half a second gives half");
});

t.test("local networks have a limit of their own, loopback has none", async (t) => {
  const limit = rateLimit(1, 7, 3);
  const sent = (octets: number[]) =>
    Array.from({ length: 9 }, () =>
      limit.check(Uint8Array.from(octets), 0, octets.length, KIND.DATA, 5),
    ).filter((each) => each === SEND).length;
  const v6 = (...head: number[]) => [...head, ...Array(16 - head.length).fill(1)];
  for (const loopback of [
    [127, 9, 9, 9],
    [...Array(15).fill(0), 1],
  ])
    t.equal(sent(loopback), 9, loopback.join("."));
  for (const local of [
    [10, 1, 1, 1],
    [172, 31, 0, 1],
    [192, 168, 4, 4],
    [169, 254, 1, 1],
    [100, 64, 0, 1],
    v6(0xfd),
    v6(0xfe, 0x80),
  ])
    t.equal(sent(local), 3, local.join("."));
  for (const routed of [
    [8, 8, 8, 8],
    [172, 32, 0, 1],
    [192, 169, 4, 4],
    [169, 253, 1, 1],
    [100, 128, 0, 1],
    [128, 0, 0, 1],
    [...Array(15).fill(0), 2],
    v6(0x20, 0x01),
    v6(0xfe, 0xc0),
  ])
    t.equal(sent(routed), 1, routed.join("."));
  const strict = rateLimit(1, 7);
  const loopback = Array.from({ length: 3 }, () =>
    strict.check(Uint8Array.of(127, 0, 0, 1), 0, 4, KIND.DATA, 5),
  );
  t.strictSame(loopback, [SEND, SLIP, DROP]);
});

t.test(
  "an office's resolver never meets the limit of a local network, a flood of forged queries does",
  async (t) => {
    const { ROUTED, LOCAL } = ANSWERS_PER_SECOND;
    const limit = rateLimit(ROUTED, 7, LOCAL);
    const resolver = Uint8Array.of(192, 168, 122, 53);
    // 100 000 names, each asked for once in its TTL of 60 s, all of them in bursts at the start of a second
    let dropped = 0;
    for (let second = 0; second < 60; second++)
      for (let i = 0; i < 100_000 / 60; i++)
        if (limit.check(resolver, 0, 4, KIND.DATA, 1_000_000 + second * 1000) !== SEND) dropped++;
    t.equal(dropped, 0);
    const victim = Uint8Array.of(10, 0, 0, 9);
    let sent = 0;
    for (let ms = 0; ms < 1000; ms++)
      for (let i = 0; i < 100; i++) if (limit.check(victim, 0, 4, KIND.DATA, ms) === SEND) sent++;
    t.ok(sent >= LOCAL && sent <= 2 * LOCAL, `${sent} of 100 000: a second's worth, and as much as burst`);
  },
);

t.test("IPv6 clients: limited by /56", async (t) => {
  const limit = rateLimit(1, 7);
  const a = new Uint8Array(16).fill(32);
  const b = a.slice();
  b[7] = 99;
  b[15] = 1;
  t.equal(limit.check(a, 0, 16, KIND.DATA, 5), SEND);
  t.not(limit.check(b, 0, 16, KIND.DATA, 5), SEND);
});

t.test("a clock that is set back or forward: no network is silenced", async (t) => {
  const limit = rateLimit(10, 7);
  const sent = (now: number): number =>
    Array.from({ length: 20 }, () => limit.check(client, 0, 4, KIND.DATA, now)).filter(
      (each) => each === SEND,
    ).length;
  const now = 1_700_000_000_000;
  t.equal(sent(now), 10);
  for (const step of [-86_400_000, 86_400_000, -10, 2 ** 31, -(2 ** 40)])
    t.ok(sent(now + step) >= 1, `${step} ms`);
  t.equal(sent(now + 2000), 10, "and it limits as before");
});
