/** Looks at the host until what it shows can be believed, and decides; who misleads meanwhile is taken down. */
import { setTimeout as sleep } from "node:timers/promises";
import type { Ipv4 } from "../core/addresses/ipv4.ts";
import type { Config } from "../core/config/config.ts";
import { decide } from "../core/decide.ts";
import { HostError } from "../core/errors.ts";
import { bereftAliases, misledAliases, withoutAliases, withoutWriting } from "../core/forwards/retreat.ts";
import type { Conflict, Decision, LeaseTable, Observation } from "../core/model.ts";
import { plan } from "../core/plan.ts";
import { withoutAddresses } from "../core/zone/withdraw.ts";
import type { Waiter } from "../host/apply.ts";
import type { Host } from "../host/host.ts";
import type { Vigil } from "./vigil.ts";

export interface ReconcileOptions {
  /** Seconds since the epoch. */
  readonly now: () => number;
  /** Carry out the plan; else only make it. */
  readonly apply: boolean;
  /** Accept that a changed range ends living leases. */
  readonly yes: boolean;
  /** Milliseconds to wait before a mass removal is looked at a second time. */
  readonly secondLook: number;
}

/** What one run is given. */
export interface Run {
  readonly config: Config;
  readonly host: Host;
  readonly options: ReconcileOptions;
  readonly vigil: Vigil;
  /** Whose each address is, when that is in force and not on the disk yet. */
  readonly owners: { table?: LeaseTable };
}

/** A look, and what follows from it. */
export interface Look {
  readonly seen: Observation;
  readonly decision: Decision;
}

/** Throws ConfigError or HostError "refused" when nobody can be served so; the dead are taken down all the same. */
export async function look(run: Run): Promise<Look> {
  const { config, host, options, vigil } = run;
  const seen = await observed(run);
  try {
    return accepted({ seen, decision: decide(config, seen, options.now()) }, options);
  } catch (refusal) {
    if (options.apply) await takeDown(config, host, seen, bereftAliases(seen), vigil);
    throw refusal;
  }
}

/** What there is; anew where somebody was taken down while that was looked at. */
async function observed({ host, vigil }: Run): Promise<Observation> {
  for (let n = 0; ; n++) {
    const before = vigil.count;
    // where containers die all the time, what has just been seen of the others has to do
    const seen = await vigil.keep(host.observe());
    if (vigil.count === before || n === LOOKS) return seen;
  }
}

/** Takes these aliases out of force, and changes nothing else. */
export async function takeDown(
  config: Config,
  host: Host,
  { actual }: Observation,
  aliases: ReadonlySet<Ipv4>,
  waiter: Waiter,
): Promise<void> {
  if (aliases.size > 0) await host.apply(plan(actual, withoutAliases(actual, aliases), config.zone), waiter);
}

/** How often the host is looked at while a mass removal is not yet believed. */
const LOOKS = 12;

/**
 * A Docker that is just starting shows an empty list, and nobody loses his name to that: many may go only when all
 * looks agree. What leads to somebody else meanwhile, since Docker gives addresses anew, is taken down at once.
 */
async function secondLook(run: Run): Promise<Look> {
  const { config, host, options, vigil } = run;
  let now = await look(run);
  for (let n = 0; n < LOOKS && isMassRemoval(now); n++) {
    await takeDown(config, host, now.seen, misledAliases(now.seen, now.decision.desired), vigil);
    await vigil.keep(sleep(options.secondLook / LOOKS));
    now = await look(run);
  }
  return now;
}

/** More than half of more than four services would go, and Docker has not said of each that it died. */
function isMassRemoval({ seen, decision }: Look): boolean {
  const before = seen.actual.aliases.map((alias) => alias.address);
  const after = new Set(decision.desired.aliases.map((alias) => alias.address));
  const containerAt = new Map(seen.actual.table.leases.map((lease) => [lease.address, lease.container]));
  const unexplained = (address: Ipv4): boolean => seen.dead?.has(containerAt.get(address) ?? "") !== true;
  const gone = before.filter((address) => !after.has(address) && unexplained(address)).length;
  return before.length > 4 && gone > before.length / 2;
}

function eviction(decision: Decision): HostError {
  const list = decision.evicted
    .map((lease) => `  ${lease.address} ${lease.names[0] ?? lease.key}`)
    .join("\n");
  return new HostError(
    "refused",
    `${decision.evicted.length} living leases are outside of the range, or where the host itself is; they stay as they are:\n${list}`,
    { remedy: "set the range or the host's address back, or accept it with --yes" },
  );
}

/**
 * Asks the network before an address is used for the first time, and decides anew where somebody has it. Who needs no
 * new address does not wait for that: what has gone is taken down before.
 */
export async function probed(run: Run): Promise<Look> {
  const { config, host, options, vigil } = run;
  let now: Look | null = await secondLook(run);
  let conflicts: readonly Conflict[] = [];
  const clean = new Set<Ipv4>();
  for (;;) {
    const unknown: Ipv4[] = now.decision.fresh.filter((address) => !clean.has(address));
    // who needs a new address waits for a disk as well
    const hurried = now.decision.fresh.length > 0 && (await takeDownFirst(run, now));
    if (unknown.length === 0 && !hurried) return { ...now, decision: withConflicts(now.decision, conflicts) };
    const started = performance.now();
    const before = vigil.count;
    const taken = await vigil.keep(host.probe(unknown, now.decision.spare));
    for (const address of unknown) if (!taken.has(address)) clean.add(address);
    const seenAt = options.now();
    conflicts = [...conflicts, ...[...taken].map((address) => ({ address, seenAt }))];
    // What was seen before a wait is not believed after it, nor kept: two looks are twice the memory.
    const late = hurried || vigil.count > before || performance.now() - started >= AT_ONCE;
    const still: Observation | null = late ? null : now.seen;
    now = null;
    const seen: Observation = still ?? (await observed(run));
    const table = { ...seen.actual.table, conflicts: [...seen.actual.table.conflicts, ...conflicts] };
    const told = { ...seen, actual: { ...seen.actual, table } };
    now = { seen, decision: decide(config, told, options.now()) };
  }
}

/** Takes down what would mislead while others wait for the network; true when there was something. */
async function takeDownFirst(run: Run, { seen, decision }: Look): Promise<boolean> {
  const { config, host, vigil, owners } = run;
  const { actual } = seen;
  const desired = withoutWriting(actual, decision.desired);
  const staying = new Set(desired.aliases.map((alias) => alias.address));
  const going = actual.aliases.flatMap(({ address }) => (staying.has(address) ? [] : address));
  const zone = withoutAddresses(actual.zone, new Set(going));
  const early = plan(actual, { ...desired, zone }, config.zone);
  if (early.removed.length === 0 && early.flushed.length === 0) return false;
  owners.table = decision.desired.table;
  await host.apply(early, vigil);
  return true;
}

/** Refuses what would end living leases, unless that has been accepted. */
function accepted(now: Look, { yes }: ReconcileOptions): Look {
  if (now.decision.evicted.length > 0 && !yes) throw eviction(now.decision);
  return now;
}

/** Milliseconds within which an answer has not been waited for. */
const AT_ONCE = 50;

/** Says once, in the run that finds out, which addresses are somebody else's. */
function withConflicts(decision: Decision, found: readonly Conflict[]): Decision {
  const lines = found.map(
    ({ address }) => `${address} is used by somebody else on the network and is not handed out`,
  );
  return { ...decision, warnings: [...decision.warnings, ...lines] };
}
