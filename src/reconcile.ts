/** The sentence: observe, decide, plan, apply. */
import { setTimeout as sleep } from "node:timers/promises";
import type { Config } from "./core/config.ts";
import { decide } from "./core/decide.ts";
import { HostError } from "./core/errors.ts";
import type { Ipv4 } from "./core/ipv4.ts";
import type { Decision, Observation } from "./core/model.ts";
import { type Plan, plan } from "./core/plan.ts";
import { withoutWriting } from "./core/retreat.ts";
import { type Host, REMEMBERING, WITHDRAWING } from "./host/host.ts";

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

export interface Outcome {
  readonly seen: Observation;
  readonly decision: Decision;
  readonly plan: Plan;
}

/** Bring the host to the state its containers ask for. Idempotent. Throws ConfigError, HostError. */
export async function reconcile(config: Config, host: Host, options: ReconcileOptions): Promise<Outcome> {
  let seen = await host.observe();
  let decision = decide(config, seen, options.now());
  if (options.apply && isMassRemoval(seen, decision)) {
    // a Docker that is just starting shows an empty list: nobody loses his name to that
    await sleep(options.secondLook);
    seen = await host.observe();
    decision = decide(config, seen, options.now());
  }
  if (decision.evicted.length > 0 && !options.yes) throw eviction(decision);
  if (options.apply) decision = await probed(config, host, seen, decision, options.now);
  const changes = plan(seen.actual, decision.desired, config.zone);
  const steps = seen.leasesStale ? { ...changes, table: decision.desired.table } : changes;
  if (options.apply) {
    await applyOrRetreat(config, host, seen, decision, steps);
    await host.noteRun();
  }
  return { seen, decision, plan: steps };
}

/** A disk that is full keeps nobody's rule in force after his container has gone. Throws what `apply` threw. */
async function applyOrRetreat(
  config: Config,
  host: Host,
  seen: Observation,
  decision: Decision,
  steps: Plan,
): Promise<void> {
  try {
    await host.apply(steps);
  } catch (error) {
    const unwritten =
      error instanceof HostError && (error.step === REMEMBERING || error.step === WITHDRAWING);
    if (unwritten) {
      const retreat = plan(seen.actual, withoutWriting(seen.actual, decision.desired), config.zone);
      await host.apply({ ...retreat, withdrawal: null });
    }
    throw error;
  }
}

/** More than half of more than four services would go. */
function isMassRemoval(seen: Observation, decision: Decision): boolean {
  const before = seen.actual.aliases.map((alias) => alias.address);
  const after = new Set(decision.desired.aliases.map((alias) => alias.address));
  const gone = before.filter((address) => !after.has(address)).length;
  return before.length > 4 && gone > before.length / 2;
}

function eviction(decision: Decision): HostError {
  const list = decision.evicted
    .map((lease) => `  ${lease.address} ${lease.names[0] ?? lease.key}`)
    .join("\n");
  return new HostError(
    "refused",
    `the changed range would end ${decision.evicted.length} living leases; nothing has been changed:\n${list}`,
    { remedy: "set the range back, or accept it with --yes" },
  );
}

/** Asks the network before an address is used for the first time, and decides anew where somebody has it. */
async function probed(
  config: Config,
  host: Host,
  first: Observation,
  firstDecision: Decision,
  now: () => number,
): Promise<Decision> {
  let decision = firstDecision;
  let conflicts = first.actual.table.conflicts;
  const clean = new Set<Ipv4>();
  for (;;) {
    const unknown = decision.fresh.filter((address) => !clean.has(address));
    if (unknown.length === 0) return withConflicts(decision, first);
    const asked = [...unknown, ...decision.spare.filter((address) => !clean.has(address))];
    const taken = await host.probe(asked);
    for (const address of asked) if (!taken.has(address)) clean.add(address);
    if (taken.size === 0) return withConflicts(decision, first);
    const seenAt = now();
    conflicts = [...conflicts, ...[...taken].map((address) => ({ address, seenAt }))];
    const table = { ...first.actual.table, conflicts };
    decision = decide(config, { ...first, actual: { ...first.actual, table } }, now());
  }
}

/** Says once, in the run that finds out, which addresses are somebody else's. */
function withConflicts(decision: Decision, before: Observation): Decision {
  const known = new Set(before.actual.table.conflicts.map((conflict) => conflict.address));
  const found = decision.desired.table.conflicts.filter((conflict) => !known.has(conflict.address));
  const lines = found.map(
    ({ address }) => `${address} is used by somebody else on the network and is not handed out`,
  );
  return { ...decision, warnings: [...decision.warnings, ...lines] };
}
