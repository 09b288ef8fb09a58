import fc from "fast-check";
import t from "tap";
import { fromNumber } from "../../../src/core/addresses/ipv4.ts";
import { type Flow, flowKey } from "../../../src/core/lifecycle/flow.ts";

const ONE: Flow = {
  protocol: "tcp",
  source: fromNumber(1),
  sourcePort: 11,
  destination: fromNumber(2),
  port: 1,
};
const CHANGES: readonly Partial<Flow>[] = [
  { protocol: "udp" },
  { source: fromNumber(3) },
  { sourcePort: 1 },
  { destination: fromNumber(1) },
  { port: 11 },
];

t.test("keys of flows: equal exactly where the flows are equal", (t) => {
  // few values, so that equal flows come up
  const address = fc.integer({ min: 0, max: 2 }).map(fromNumber);
  const port = fc.constantFrom(0, 1, 11);
  const flow: fc.Arbitrary<Flow> = fc.record({
    protocol: fc.constantFrom("tcp", "udp", "sctp", "icmp", "other"),
    source: address,
    sourcePort: port,
    destination: address,
    port,
  });
  fc.assert(
    fc.property(
      flow,
      flow,
      (a, b) => (flowKey(a) === flowKey(b)) === (JSON.stringify(a) === JSON.stringify(b)),
    ),
    { numRuns: 5000 },
  );
  t.equal(flowKey({ ...ONE, port: 8 }), flowKey({ ...ONE, port: 8 }));
  for (const change of CHANGES) t.not(flowKey({ ...ONE, ...change }), flowKey(ONE), JSON.stringify(change));
  t.end();
});
