/** Services that may sleep, while Docker restarts them, or has been restarted itself. */
import t from "tap";
import { decide } from "../../../src/core/decide.ts";
import type { Gates } from "../../../src/core/lifecycle/gates.ts";
import type { Container, Decision, Observation } from "../../../src/core/model.ts";
import { attachment, config, container, id, NOW, observation } from "../make.ts";

const GATES: Gates = { queue: 1, open: new Set(), shut: new Set(), failed: new Map() };

const decided = (over: Partial<Observation>): Decision =>
  decide(config(), observation({ gates: GATES, ...over }), NOW);

const web = (over: Partial<Container> = {}): Container =>
  container({
    name: "web",
    labels: new Map([["ocdd.wake", "true"]]),
    attachments: [attachment("bridge", undefined)],
    ...over,
  });

t.test(
  "stopped: it keeps its alias, also where Docker has made its network again with another id",
  async (t) => {
    for (const networkId of [id("bridge"), id("of Docker's last run")]) {
      const attachments = [{ ...attachment("bridge", undefined), networkId }];
      const { services } = decided({ stopped: [web({ state: "exited", attachments })] });
      t.match(services, [
        { state: "asleep", forward: { waits: true, target: null }, sleep: { networkId: id("bridge") } },
      ]);
    }
  },
);

t.test("between two runs by its restart policy: it keeps its alias, and packets wait", async (t) => {
  const restarting = web({ state: "restarting" });
  for (const gates of [GATES, { ...GATES, open: new Set([restarting.id]) }]) {
    const { services } = decided({ containers: [restarting], gates });
    t.match(services, [{ state: "starting", forward: { waits: true, target: null } }]);
  }
  const plain = decided({ containers: [{ ...restarting, labels: new Map() }] });
  t.strictSame(plain.services, []);
  t.match(plain.skipped, [{ code: "no-address" }]);
});
