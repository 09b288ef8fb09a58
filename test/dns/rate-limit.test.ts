import t from "tap";
import { DROP, KIND, rateLimit, SEND, SLIP } from "../../src/dns/rate-limit.ts";

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

t.test("loopback is not limited, IPv6 by /56", async (t) => {
  const limit = rateLimit(1, 7);
  for (let i = 0; i < 50; i++) t.equal(limit.check(Uint8Array.of(127, 9, 9, 9), 0, 4, 0, 5), SEND);
  const a = new Uint8Array(16).fill(32);
  const b = a.slice();
  b[7] = 99;
  b[15] = 1;
  t.equal(limit.check(a, 0, 16, 0, 5), SEND);
  t.not(limit.check(b, 0, 16, 0, 5), SEND);
});
