/**
 * What every Host does, whether in memory or real: the same steps against the fake, against a real kernel in a network
 * namespace, and against a lab's host. Throws where one does not.
 */
import assert from "node:assert/strict";
import type { Ipv4 } from "../../src/core/addresses/ipv4.ts";
import type { Config } from "../../src/core/config/config.ts";
import { decide } from "../../src/core/decide.ts";
import type { Observation } from "../../src/core/model.ts";
import { emptyState } from "../../src/core/page/empty.ts";
import { isEmpty, type Plan, plan } from "../../src/core/plan.ts";
import type { Host } from "../../src/host/host.ts";

export interface Contract {
  readonly host: Host;
  readonly config: Config;
  /** Makes these the running containers, each `name` → address on Docker's default bridge. */
  run(containers: Readonly<Record<string, string>>): void;
  /** An address that another machine of the network has, and one that nobody has. */
  readonly taken: Ipv4;
  readonly free: Ipv4;
  /** Everything of the host that is not OCDD's, as text. */
  foreign(): Promise<string>;
}

/** Seconds since the epoch. */
const NOW = 1_800_000_000;

/** Holds a host to its contract; it is left as it was. */
export async function holdToContract(given: Contract): Promise<void> {
  const { host, config } = given;
  const look = (): Promise<Observation> => host.observe();
  const stepsTo = async (now: number): Promise<Plan> => {
    const seen = await look();
    return plan(seen.actual, decide(config, seen, now).desired, config.zone);
  };

  const untouched = await given.foreign();
  given.run({});
  const bare = await look();
  assert.deepEqual(bare.actual.aliases, [], "a bare host has no alias");
  assert.equal(bare.actual.firewall.chains.size, 0, "and no chain");
  assert.equal(bare.leasesIntact, true, "and no leases is no damage");
  assert.ok(bare.devices.includes(config.device));

  given.run({ web: "172.17.0.2", db: "172.17.0.3" });
  const first = await stepsTo(NOW);
  assert.equal(first.added.length, 2);
  await host.apply(first);
  const after = await look();
  const desired = decide(config, after, NOW).desired;
  assert.deepEqual(after.actual.firewall, desired.firewall, "rules are seen as they were made");
  assert.deepEqual(new Set(after.actual.aliases), new Set(desired.aliases), "and aliases");
  assert.deepEqual(after.actual.table, desired.table, "and leases");
  assert.equal(after.actual.zone, desired.zone, "and the zone");
  assert.equal(isEmpty(await stepsTo(NOW)), true, "a second plan is empty");
  assert.deepEqual(
    new Set(after.forwards.map((f) => `${f.name} ${f.target}`)),
    new Set(["web 172.17.0.2", "db 172.17.0.3"]),
  );

  await host.apply({ ...first, tables: [] });
  assert.equal(isEmpty(await stepsTo(NOW)), true, "each step may be done twice");

  given.run({ db: "172.17.0.9", new: "172.17.0.2" });
  await host.apply(await stepsTo(NOW + 10));
  const moved = await look();
  assert.equal(isEmpty(await stepsTo(NOW + 10)), true, "changes converge");
  const alias = (name: string): string | undefined => moved.forwards.find((f) => f.name === name)?.alias;
  assert.equal(
    alias("db"),
    after.forwards.find((f) => f.name === "db")?.alias,
    "who stays keeps his address",
  );
  assert.notEqual(alias("new"), after.forwards.find((f) => f.name === "web")?.alias, "a released one rests");

  assert.deepEqual(
    await host.probe([given.taken, given.free]),
    new Set([given.taken]),
    "a neighbour answers the probe",
  );
  assert.deepEqual(await host.probe([]), new Set());

  const withoutDocker = await host.observe("docker");
  assert.deepEqual(withoutDocker.containers, [], "what is left out counts as empty");
  await host.apply(plan(withoutDocker.actual, emptyState(config, withoutDocker, NOW + 20), config.zone));
  const empty = await look();
  assert.deepEqual([empty.actual.aliases, empty.actual.firewall.chains.size], [[], 0]);
  assert.equal(await given.foreign(), untouched, "everything else is as it was");
}
