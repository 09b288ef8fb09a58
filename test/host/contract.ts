/**
 * What the host does, on a real kernel in a network namespace and on programs in memory: the same steps against both, so
 * that what is found on the one holds on the other. Throws where it does not.
 */
import assert from "node:assert/strict";
import { renameSync } from "node:fs";
import { join } from "node:path";
import type { Ipv4 } from "../../src/core/addresses/ipv4.ts";
import type { Config } from "../../src/core/config/config.ts";
import { decide } from "../../src/core/decide.ts";
import type { HostError } from "../../src/core/errors.ts";
import { canonical } from "../../src/core/forwards/forward.ts";
import type { Decision, Observation } from "../../src/core/model.ts";
import { emptyState } from "../../src/core/page/empty.ts";
import { isEmpty, type Plan, plan } from "../../src/core/plan.ts";
import { describeAll } from "../../src/core/report/steps.ts";
import type { Host } from "../../src/host/host.ts";
import { container, id } from "../core/make.ts";
import type { FakeDocker } from "../fake/docker.ts";

export interface Contract {
  readonly host: Host;
  readonly config: Config;
  readonly docker: FakeDocker;
  /** Container name → its port on docker0, each of which exists; as far as the kernel shows it. */
  readonly ports: Map<string, string>;
  /** An address that another machine of the network has, and one that none has. */
  readonly taken: Ipv4;
  readonly free: Ipv4;
  /** Everything of the host that is not OCDD's, as text. */
  foreign(): Promise<string>;
}

/** Names of containers whose ports exist. */
export const NAMES = ["web", "db", "new"] as const;

/** Seconds since the epoch. */
const NOW = 1_800_000_000;

/** Holds a host to its contract; it is left as it was. */
export async function holdToContract(given: Contract): Promise<void> {
  const untouched = await given.foreign();
  await bare(given);
  await served(given);
  await ended(given);
  await started(given);
  await moved(given);
  await failed(given);
  assert.deepEqual(await given.host.probe([given.taken, given.free]), new Set([given.taken]));
  assert.deepEqual(await given.host.probe([]), new Set());
  await emptied(given);
  assert.equal(await given.foreign(), untouched, "everything else is as it was");
}

/** Makes these the running containers, each name → address on Docker's default bridge. */
function run({ docker }: Contract, containers: Readonly<Record<string, string>>): void {
  docker.containers_ = Object.entries(containers).map(([name, at]) => container({ name, at }));
  docker.catchUp();
}

const look = ({ host }: Contract): Promise<Observation> => host.observe();

async function decided(given: Contract, now: number): Promise<{ plan: Plan; decision: Decision }> {
  const seen = await look(given);
  const decision = decide(given.config, seen, now);
  return { plan: plan(seen.actual, decision.desired, seen.leasesStale), decision };
}

async function converged(given: Contract, now: number, what: string): Promise<void> {
  const { plan: rest } = await decided(given, now);
  assert.ok(isEmpty(rest), `${what}: ${describeAll(rest.steps).join("; ")}`);
}

/** Name, container's address and bridge port of each forward in force. */
async function inForce(given: Contract): Promise<string[]> {
  const { forwards } = (await look(given)).actual.dataPath;
  return forwards.map(({ name, target, bridgePort }) => `${name} ${target} ${bridgePort}`).sort();
}

async function bare(given: Contract): Promise<void> {
  run(given, {});
  const seen = await look(given);
  assert.deepEqual(seen.actual.aliases, [], "a bare host has no alias");
  assert.deepEqual(seen.actual.dataPath, { frame: null, forwards: [], damaged: [] }, "and no rule");
  assert.equal(seen.leasesIntact, true, "and no leases is no damage");
  assert.ok(seen.devices.includes(given.config.device));
}

async function served(given: Contract): Promise<void> {
  run(given, { web: "172.17.0.2", db: "172.17.0.3" });
  const { plan: first, decision } = await decided(given, NOW);
  assert.deepEqual(await given.host.apply(first), [], "the kernel refuses no forward");
  const { actual } = await look(given);
  const { desired } = decision;
  const forwards = desired.dataPath.forwards.map(canonical);
  assert.deepEqual(actual.dataPath, { ...desired.dataPath, forwards }, "rules are seen as they were made");
  assert.deepEqual(new Set(actual.aliases), new Set(desired.aliases), "and aliases");
  assert.deepEqual(actual.table, desired.table, "and leases");
  assert.deepEqual(actual.zone.text, desired.zone.text, "and the zone");
  assert.deepEqual(new Set(actual.hairpins), new Set(desired.hairpins), "and ports in hairpin mode");
  await converged(given, NOW, "a second plan is empty");
  await given.host.apply(first);
  await converged(given, NOW, "each step may be done twice");
  assert.deepEqual(await inForce(given), ["db 172.17.0.3 vethdb", "web 172.17.0.2 vethweb"]);
}

async function ended(given: Contract): Promise<void> {
  run(given, { db: "172.17.0.3" });
  await given.host.revoke(id("web"), async () => undefined);
  const seen = await look(given);
  assert.deepEqual(await inForce(given), ["db 172.17.0.3 vethdb"], "an end is in force without a run");
  assert.equal(seen.actual.aliases.length, 1, "its alias is gone with it");
  await given.host.apply((await decided(given, NOW + 1)).plan);
  await converged(given, NOW + 1, "the run takes down the rest");
}

async function started(given: Contract): Promise<void> {
  given.ports.delete("web");
  run(given, { web: "172.17.0.4", db: "172.17.0.3" });
  await given.host.apply((await decided(given, NOW + 2)).plan);
  assert.ok((await inForce(given)).includes("web 172.17.0.4 null"), "a port that is not known yet is closed");
  given.ports.set("web", "vethweb");
  await given.host.admit(id("web"));
  assert.ok((await inForce(given)).includes("web 172.17.0.4 vethweb"), "and opened without a run");
  await given.host.apply((await decided(given, NOW + 2)).plan);
  await converged(given, NOW + 2, "a restart converges");
}

async function moved(given: Contract): Promise<void> {
  const before = (await look(given)).actual.dataPath.forwards;
  run(given, { db: "172.17.0.9", new: "172.17.0.2" });
  await given.host.apply((await decided(given, NOW + 10)).plan);
  await converged(given, NOW + 10, "changes converge");
  const after = (await look(given)).actual.dataPath.forwards;
  const alias = (forwards: typeof after, name: string): string | undefined =>
    forwards.find((forward) => forward.name === name)?.alias;
  assert.equal(alias(after, "db"), alias(before, "db"), "a service that stays keeps its address");
  assert.notEqual(alias(after, "new"), alias(before, "web"), "a released one is held");
}

async function failed(given: Contract): Promise<void> {
  const directory = join(given.config.storageDir, "dns");
  run(given, { web: "172.17.0.5", new: "172.17.0.2" });
  const { plan: steps } = await decided(given, NOW + 20);
  renameSync(directory, `${directory}.away`);
  await assert.rejects(given.host.apply(steps), (error: HostError) => error.step === "write the zone");
  assert.deepEqual(
    await inForce(given),
    ["new 172.17.0.2 vethnew", "web 172.17.0.5 vethweb"],
    "rules before the failed step stay, and what was removed stays removed",
  );
  assert.equal((await look(given)).actual.aliases.length, 2);
  renameSync(`${directory}.away`, directory);
  await given.host.apply((await decided(given, NOW + 21)).plan);
  await converged(given, NOW + 21, "the next run completes it");
}

async function emptied(given: Contract): Promise<void> {
  const seen = await given.host.observe({ without: ["docker"] });
  assert.deepEqual(seen.containers, [], "what is left out counts as empty");
  await given.host.apply(plan(seen.actual, emptyState(given.config, seen, NOW + 30)));
  const { actual } = await look(given);
  assert.deepEqual(actual.aliases, []);
  assert.deepEqual(actual.dataPath, { frame: null, forwards: [], damaged: [] });
}
