/** Repairs are what another program has changed, and not what follows from a start or an end of a container. */
import t from "tap";
import type { Outcome } from "../../src/director/reconcile.ts";
import { reconcile } from "../../src/director/reconcile.ts";
import { repairFinder } from "../../src/director/repairs.ts";
import { config, container, id, NOW } from "../core/make.ts";
import { StillHost } from "./still-host.ts";

const ONE = container({ name: "one", at: "172.17.0.2" });
const TWO = container({ name: "two", at: "172.17.0.3" });
const FIREWALL = { backend: "nft", unguarded: null, obstacles: [], iptables: false } as const;
const port = (name: string) => ({
  name: `veth${name}`,
  bridge: "docker0",
  hairpin: true,
  container: id(name),
});

function stage() {
  const host = new StillHost();
  host.containers = [ONE];
  host.over = { firewall: FIREWALL, bridgePorts: [port("one")] };
  let now = NOW;
  const find = repairFinder();
  const run = async (events = false): Promise<string[]> => {
    const options = { now: () => now, apply: true, yes: false, confirmationMs: 0 };
    const outcome: Outcome = await reconcile(config(), host, options);
    now += 60;
    return find(outcome, events).map(({ kind }) => kind);
  };
  return { host, run };
}

t.test("containers come, go and come back, their ports are found later: no repair", async (t) => {
  const { host, run } = stage();
  t.strictSame(await run(), [], "the first run");
  host.containers = [TWO, ONE];
  t.strictSame(await run(true), []);
  t.strictSame(await run(), []);
  host.over = { ...host.over, bridgePorts: [port("one"), port("two")] };
  t.strictSame(await run(), [], "its port is found");
  t.ok(host.plans.at(-1)?.steps.some(({ kind }) => kind === "guard"));
  host.containers = [TWO];
  t.strictSame(await run(true), []);
  host.containers = [ONE, TWO];
  t.strictSame(await run(), [], "the event came in a run that has failed");
});

t.test(
  "a container is restarted between two runs: its rule was withdrawn at its end, no repair",
  async (t) => {
    const { host, run } = stage();
    await run();
    host.actual = { ...host.actual, aliases: [], dataPath: { ...host.actual.dataPath, forwards: [] } };
    t.strictSame(await run(true), []);
  },
);

t.test("a teardown puts the leases on hold: no repair", async (t) => {
  const { host, run } = stage();
  await run();
  const { table } = host.actual;
  const leases = table.leases.map((lease) => ({ ...lease, releasedAt: NOW }));
  const dataPath = { frame: null, forwards: [], damaged: [] };
  host.actual = { ...host.actual, aliases: [], dataPath, table: { ...table, leases } };
  t.strictSame(await run(), []);
});

t.test("another program removes an address, a rule, a chain: each is a repair", async (t) => {
  const { host, run } = stage();
  await run();
  host.actual = { ...host.actual, aliases: [] };
  t.strictSame(await run(), ["address"]);
  host.actual = { ...host.actual, dataPath: { ...host.actual.dataPath, forwards: [] } };
  t.match(await run(), ["rule"]);
  host.actual = { ...host.actual, dataPath: { ...host.actual.dataPath, damaged: ["accept"] } };
  t.strictSame(await run(), ["frame"]);
  host.actual = { ...host.actual, page: { html: "", services: "" } };
  t.strictSame(await run(), [], "the page is no rule");
});
