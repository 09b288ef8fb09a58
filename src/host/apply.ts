/** What a plan says, done in an order a client can trust, whatever the disk does meanwhile. */

import { setTimeout as sleep } from "node:timers/promises";
import type { Config } from "../core/config/config.ts";
import { HostError, Overtaken } from "../core/errors.ts";
import { pathsOf } from "../core/paths.ts";
import type { Plan } from "../core/plan.ts";
import { makeDurable, writeWhole } from "./disk/file.ts";
import { writeLeases } from "./disk/leases.ts";
import { addAddresses, removeAddresses, setHairpin } from "./kernel/addresses.ts";
import { announce } from "./kernel/arp/probe.ts";
import type { Memory } from "./kernel/memory.ts";
import { forgetFlows, prepareRestore } from "./kernel/netfilter.ts";
import { joinOwed, owe, settle } from "./kernel/owed.ts";

/** The step that writes before anything is done; when it fails, what must go goes all the same. */
export const REMEMBERING = "write the leases";

/** How the disk is waited for. */
export interface Waiter {
  keep(waiting: Promise<void>): Promise<void>;
  /** Rises when somebody has died meanwhile: a plan that nothing has been done of yet is for a host as it was. */
  readonly count: number;
}

/** Who hears of no death only waits. */
export const PLAIN: Waiter = { keep: (waiting) => waiting, count: 0 };

/**
 * Carries out a plan; see Host. `overtaken` tells whether to leave it for somebody who has just died.
 */
export async function apply(
  config: Config,
  plan: Plan,
  overtaken: () => boolean,
  memory: Memory,
  waiter: Waiter,
): Promise<void> {
  const { table, withdrawal, zone, page, services } = plan;
  const paths = pathsOf(config);
  const remember = async (step: string): Promise<void> => {
    if (table !== null) await named(step, () => writeLeases(paths.leases, table));
  };
  if (overtaken()) throw new Overtaken();
  const before = waiter.count;
  if (plan.tableFirst) await waiter.keep(remember(REMEMBERING));
  if (waiter.count !== before) throw new Overtaken();
  const withdrawn =
    withdrawal === null
      ? NOTHING
      : named("withdraw names", () => writeWhole(config.zoneFile, withdrawal, "latin1", "later"));
  const owed = await joinOwed(paths.cleanup, plan, new Set(plan.announced), memory.forgotten);
  const owing = owe(paths.cleanup, owed);
  // a failure of the first is told when everything else has been done
  const noted = all([withdrawn, owing]).catch(() => undefined);
  // a name that answers a little longer leads to nobody, a rule that waits for a busy disk may lead to somebody else
  await Promise.race([noted, sleep(DISK, undefined, { ref: false })]);
  // The last place to leave a plan: what follows from a replaced rule is seen by no later one.
  if (overtaken()) {
    await waiter.keep(noted);
    throw new Overtaken();
  }
  const changed = memory.changing();
  try {
    await takeOut(plan);
    await named("add aliases", () => addAddresses(plan.added));
  } catch (failure) {
    await waiter.keep(noted);
    throw failure;
  }
  // From here on nothing waits for anything else, but for the page, which comes after what it tells of: `led` is what
  // decides whom a packet reaches, and `written` what may take its time.
  const led = all([
    named("set hairpin mode", () => setHairpin(plan.hairpinsOn, "on")),
    named("unset hairpin mode", () => setHairpin(plan.hairpinsOff, "off")),
    named("forget tracked connections", () => forgetFlows(owed.flushed, paths.conntrackBatch)),
  ]);
  const announced = named("announce aliases", () => announce(config.device, owed.announced));
  const written = all([
    withdrawn,
    // at once, so that whoever reads it meanwhile reads the later one
    zone !== null && zone !== withdrawal
      ? named("write the zone", () => writeWhole(config.zoneFile, zone, "latin1"))
      : withdrawn.then(() =>
          named("keep the zone", () => (withdrawal === null ? NOTHING : makeDurable(config.zoneFile))),
        ),
    plan.tableFirst ? NOTHING : remember("keep the leases"),
    services === null
      ? NOTHING
      : named("write the services file", () => writeWhole(paths.services, services)),
    all([led, announced, owing]).then(async () => {
      await settle(paths.cleanup, owed);
      for (const alias of owed.flushed) memory.forgotten.delete(alias);
    }),
  ]);
  written.catch(() => undefined);
  await led.catch(async (failure) => {
    await waiter.keep(written).catch(() => undefined);
    throw failure;
  });
  for (const alias of owed.flushed) memory.forgotten.add(alias);
  changed(plan);
  await waiter.keep(written);
  if (page !== null)
    await waiter.keep(named("write the index page", () => writeWhole(config.indexFile, page)));
}

/** Replaces the rules, and takes away the aliases that go. */
async function takeOut(plan: Plan): Promise<void> {
  // each takes as long to start as to work: they start while the aliases go
  const rules = plan.tables.map(({ table: name, text }) => ({ name, ...prepareRestore(name, text) }));
  try {
    const removed = named("remove aliases", () => removeAddresses(plan.removed));
    const replaced = (async () => {
      // the kernel takes an alias away only when it has ended what Docker does to its devices, 20 ms after a death
      if (!plan.guarded) await removed;
      for (const { name, restore } of rules) await named(`replace rules of ${name}`, restore);
    })();
    await all([removed, replaced]);
  } finally {
    for (const { leave } of rules) leave();
  }
}

/** Milliseconds that taking down waits for the disk to take the names away first. */
const DISK = 10;

const NOTHING: Promise<void> = Promise.resolve();

/** Waits for all, also when one fails; throws the first failure then. */
async function all(deeds: readonly Promise<void>[]): Promise<void> {
  for (const outcome of await Promise.allSettled(deeds)) {
    if (outcome.status === "rejected") throw outcome.reason;
  }
}

/** Names the step in its failure. */
export async function named(name: string, deed: () => Promise<void>): Promise<void> {
  try {
    await deed();
  } catch (error) {
    if (!(error instanceof HostError)) throw error;
    throw new HostError(error.fault, `could not ${name}: ${error.message}`, {
      cause: error.cause ?? error,
      remedy: error.remedy,
      step: name,
    });
  }
}
