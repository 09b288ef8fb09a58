/** Carries out a plan in an order that is safe for clients: add before remove, and removal in the opposite order. */
import { setTimeout as sleep } from "node:timers/promises";
import type { Ipv4 } from "../core/addresses/ipv4.ts";
import type { Config } from "../core/config/config.ts";
import { HostError } from "../core/errors.ts";
import type { DataPath } from "../core/forwards/forward.ts";
import type { LeaseTable } from "../core/model.ts";
import { renderHistory } from "../core/page/history.ts";
import { type Paths, pathsOf } from "../core/paths.ts";
import { aliasChanges, hairpinChanges, knownOwnersOnly, type Plan } from "../core/plan.ts";
import { readCleanup, recordCleanup, removeCleanup } from "./disk/cleanup.ts";
import { makeDurable, writeWhole } from "./disk/file.ts";
import { writeLeases } from "./disk/leases.ts";
import { writeSelves } from "./disk/selves.ts";
import type { ZoneWriter } from "./disk/zone-writer.ts";
import type { Conntrack } from "./kernel/conntrack.ts";
import type { ForwardTable, Refusal } from "./kernel/forwards.ts";
import type { LinkChanges } from "./kernel/link-changes.ts";

/** What a plan is carried out with. */
export interface Means {
  readonly config: Config;
  readonly table: ForwardTable;
  readonly links: LinkChanges;
  readonly conntrack: Conntrack;
  readonly zone: ZoneWriter;
  /** A data path as it is to be now, although it was planned earlier; once the names of what has ended are withdrawn. */
  readonly asOfNow: (path: DataPath) => Promise<DataPath>;
  /** Aliases of containers that have ended since the plan was made, once their names are withdrawn: none is put in force. */
  readonly revokedAliases: () => Promise<ReadonlySet<Ipv4>>;
  /** Aliases whose flows were flushed when their forwards were revoked, and that have led nowhere since. */
  readonly flushed: ReadonlySet<Ipv4>;
  /** Aliases that have been led to their container since the plan was made: what is tracked of them is new, and stays. */
  readonly opened: () => ReadonlySet<Ipv4>;
  /** Gratuitous ARP for aliases that were just added. */
  readonly announce: (aliases: readonly Ipv4[]) => Promise<void>;
}

/** Carries out a plan. Throws HostError that names the first step that failed; removals are done even then. */
export async function apply(means: Means, wanted: Plan): Promise<readonly Refusal[]> {
  const paths = pathsOf(means.config);
  const steps = makeSteps();
  let plan = wanted;
  if (plan.leasesFirst) {
    await steps.run("write the leases", () => writeLeases(paths.leases, wanted.desired.table));
    // no address is used without its lease on disk; services whose leases are on disk do not wait
    if (steps.failed()) plan = knownOwnersOnly(wanted);
    steps.proceed();
  }
  const todo = await cleanupOf(paths, plan);
  const noted = recordCleanup(paths.cleanup, todo);
  await Promise.race([noted, sleep(DISK_WAIT_MS, undefined, { ref: false })]);
  const refused = [...(await put(means, plan, todo, steps))];
  if (!steps.failed()) await publish(means, paths, plan, steps);
  refused.push(...(await takeAway(means, plan, todo, steps)));
  if (plan.desired.zone.text !== plan.actual.zone.text)
    await steps.run("sync the zone file", () => makeDurable(means.config.zoneFile));
  await noted;
  if (!steps.failed()) await removeCleanup(paths.cleanup, todo);
  steps.finish();
  return refused;
}

/** Milliseconds for which rules wait for a disk that is busy or hangs. */
const DISK_WAIT_MS = 50;

interface Cleanup {
  readonly flushed: readonly Ipv4[];
  readonly announced: readonly Ipv4[];
}

/** What this run has to flush and announce, with what an interrupted run has left. */
async function cleanupOf(paths: Paths, plan: Plan): Promise<Cleanup> {
  const { actual, desired, flushed } = plan;
  const left = await readCleanup(paths.cleanup);
  const wanted = new Set(desired.aliases.map(({ address }) => address));
  const added = aliasChanges(actual.aliases, desired.aliases).added.map(({ address }) => address);
  return {
    flushed: [...new Set([...left.flushed, ...flushed, ...goneAliases(plan)])],
    announced: [...new Set([...left.announced.filter((address) => wanted.has(address)), ...added])],
  };
}

/**
 * Aliases that are removed: by the plan, or before it, when their container's forwards were revoked (then only the lease
 * shows it, which has been released or is no longer there).
 */
function goneAliases({ actual, desired }: Plan): Ipv4[] {
  const { removed } = aliasChanges(actual.aliases, desired.aliases);
  const staying = new Set(desired.dataPath.forwards.map(({ alias }) => alias));
  const leased = new Set(leasedAddresses(desired.table));
  const gone = [
    ...actual.dataPath.forwards.map(({ alias }) => alias),
    ...removed.map(({ address }) => address),
    ...leasedAddresses(actual.table).filter((address) => !leased.has(address)),
  ];
  return [...new Set(gone.filter((alias) => !staying.has(alias)))];
}

const leasedAddresses = ({ leases }: LeaseTable): Ipv4[] =>
  leases.flatMap(({ address, releasedAt }) => (releasedAt === null ? address : []));

/** Everything new and changed: rules and guard, then addresses, then gratuitous ARP. */
async function put(means: Means, plan: Plan, todo: Cleanup, steps: Steps): Promise<readonly Refusal[]> {
  const { actual, desired } = plan;
  const { added } = aliasChanges(actual.aliases, desired.aliases);
  const { on } = hairpinChanges(actual, desired);
  let refused: readonly Refusal[] = [];
  await steps.run("write the rules", async () => {
    refused = await commit(means, joined(actual.dataPath, desired.dataPath));
  });
  await steps.run("add aliases", async () => {
    const gone = await means.revokedAliases();
    return means.links.add(added.filter(({ address }) => !gone.has(address)));
  });
  await steps.run("set hairpin mode", () => means.links.setHairpin(on, "on"));
  // flows of removed aliases are flushed after their names are withdrawn, which must not wait for it
  const staying = new Set(desired.dataPath.forwards.map(({ alias }) => alias));
  await steps.run("flush tracked connections", () => {
    const opened = means.opened();
    return means.conntrack.flush(todo.flushed.filter((alias) => staying.has(alias) && !opened.has(alias)));
  });
  await steps.run("announce aliases", () => means.announce(todo.announced));
  return refused;
}

const commit = async ({ table, asOfNow }: Means, path: DataPath): Promise<readonly Refusal[]> =>
  table.commit(await asOfNow(path));

/** The desired data path, with what is removed only after no name leads to it any more. */
function joined(actual: DataPath, desired: DataPath): DataPath {
  if (desired.frame === null)
    return desired.forwards.length === 0 && actual.frame !== null ? actual : desired;
  const staying = new Set(desired.forwards.map(({ alias }) => alias));
  const going = actual.forwards.filter(({ alias }) => !staying.has(alias));
  return going.length === 0 ? desired : { ...desired, forwards: [...desired.forwards, ...going] };
}

/** The files. The page comes after services.json, because clients compare the two. */
async function publish({ config, zone }: Means, paths: Paths, plan: Plan, steps: Steps): Promise<void> {
  const { actual, desired } = plan;
  await steps.run("write the zone", () => zone.publish(actual.zone, desired.zone));
  if (plan.writeLeases && !plan.leasesFirst)
    // no address is given in them: what a crash of the machine loses is found again by the next run
    await steps.run("write the leases", () => writeLeases(paths.leases, desired.table, "later"));
  const history = renderHistory(desired.history);
  if (history !== renderHistory(actual.history))
    await steps.run("write the history", () => writeWhole(paths.history, history, { durability: "later" }));
  if (desired.page.services !== actual.page.services)
    await steps.run("write the services file", () =>
      writeWhole(paths.services, desired.page.services, {
        durability: "later",
        over: [actual.page.services],
      }),
    );
  if (desired.page.html !== actual.page.html)
    await steps.run("write the index page", () =>
      writeWhole(config.indexFile, desired.page.html, { durability: "later", over: [actual.page.html] }),
    );
  if (desired.self !== actual.self)
    await steps.run("write what containers are told of themselves", () =>
      writeSelves(paths.self, desired.self),
    );
}

/** Removals, done even after a failure: a full disk must not keep an alias in force. */
async function takeAway(
  means: Means,
  { actual, desired }: Plan,
  todo: Cleanup,
  steps: Steps,
): Promise<readonly Refusal[]> {
  const { removed } = aliasChanges(actual.aliases, desired.aliases);
  const { off } = hairpinChanges(actual, desired);
  let refused: readonly Refusal[] = [];
  let revoked: ReadonlySet<Ipv4> = new Set();
  await steps.always("remove aliases", async () => {
    // also aliases revoked before their leases were known, after a restart or the loss of the leases
    revoked = await means.revokedAliases();
    return means.links.remove([...removed, ...desired.aliases.filter(({ address }) => revoked.has(address))]);
  });
  if (joined(actual.dataPath, desired.dataPath) !== desired.dataPath)
    await steps.always("remove rules", async () => {
      refused = await commit(means, desired.dataPath);
    });
  await steps.always("unset hairpin mode", () => means.links.setHairpin(off, "off"));
  const staying = new Set(desired.dataPath.forwards.map(({ alias }) => alias));
  const last = desired.dataPath.frame === null;
  // the guard also refuses flows of containers that were revoked earlier, so these are flushed before it is removed
  const all = last ? desired.table.leases.map(({ address }) => address) : [];
  const opened = means.opened();
  const going = todo.flushed.filter((alias) => !staying.has(alias));
  const tracked = [...going, ...revoked].filter((alias) => !means.flushed.has(alias) && !opened.has(alias));
  const gone = [...tracked, ...all.filter((alias) => !staying.has(alias))];
  await steps.always("flush tracked connections", () => means.conntrack.flush([...new Set(gone)]));
  // a flow that is still tracked would lead to the next container with that address
  if (last && !steps.failed()) await steps.always("remove the guard", () => means.table.removeGuard());
  return refused;
}

/** Runs steps one after another; after a failure only those that must be done in any case. */
interface Steps {
  run(name: string, action: () => Promise<unknown>): Promise<void>;
  always(name: string, action: () => Promise<unknown>): Promise<void>;
  failed(): boolean;
  /** Further steps are run although one has failed. */
  proceed(): void;
  /** Throws the first failure. */
  finish(): void;
}

function makeSteps(): Steps {
  let failure: unknown;
  let stopped = false;
  const attempt = async (name: string, action: () => Promise<unknown>): Promise<void> => {
    try {
      await action();
    } catch (error) {
      failure ??= named(name, error);
      stopped = true;
    }
  };
  return {
    run: async (name, action) => {
      if (!stopped) await attempt(name, action);
    },
    always: attempt,
    failed: () => failure !== undefined,
    proceed: () => {
      stopped = false;
    },
    finish: () => {
      if (failure !== undefined) throw failure;
    },
  };
}

/** The failure with the step's name in its message. */
export function named(name: string, error: unknown): unknown {
  if (!(error instanceof HostError)) return error;
  const { fault, message, remedy, cause = error } = error;
  return new HostError(fault, `could not ${name}: ${message}`, { cause, remedy, step: name });
}
