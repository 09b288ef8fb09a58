/** Observes and decides: a mass removal is observed twice, and a new address is probed on the network first. */
import { setTimeout as sleep } from "node:timers/promises";
import type { Ipv4 } from "../core/addresses/ipv4.ts";
import { clip } from "../core/clip.ts";
import type { Config } from "../core/config/config.ts";
import { decide } from "../core/decide.ts";
import { HostError } from "../core/errors.ts";
import type { Conflict, Decision, Observation } from "../core/model.ts";
import { counted, someOf } from "../core/text.ts";
import type { Host } from "../host/host.ts";
import type { Scope } from "../host/observe.ts";

/** Milliseconds for which a mass removal must be observed. */
export const CONFIRMATION_MS = 3_000;

export interface ConfirmOptions {
  /** Seconds since the epoch. */
  readonly now: () => number;
  /** Accept that a changed range ends active leases. */
  readonly yes: boolean;
  /** Milliseconds until a mass removal is accepted. */
  readonly confirmationMs: number;
  /** What the first observation reads; everything when not given. */
  readonly scope?: Scope;
}

/** An observation, and what follows from it. */
export interface Decided {
  readonly seen: Observation;
  readonly decision: Decision;
}

/** Throws ConfigError or HostError "refused" when no container can be served so. */
export async function observeAndDecide(
  config: Config,
  host: Host,
  options: ConfirmOptions,
): Promise<Decided> {
  return probed(config, host, options, await confirmed(config, host, options));
}

async function look(config: Config, host: Host, options: ConfirmOptions, scope?: Scope): Promise<Decided> {
  const seen = await host.observe(scope);
  return accepted({ seen, decision: decide(config, seen, options.now()) }, options);
}

/** Observes the whole host while a mass removal is not yet accepted. */
const CONFIRMATIONS = 12;

/**
 * A Docker that is just starting shows an empty list, and no service may lose its name for that: many are removed only
 * when all observations agree.
 */
async function confirmed(config: Config, host: Host, options: ConfirmOptions): Promise<Decided> {
  let now = await look(config, host, options, options.scope);
  for (let n = 0; n < CONFIRMATIONS && isMassRemoval(now); n++) {
    await sleep(options.confirmationMs / CONFIRMATIONS);
    now = await look(config, host, options);
  }
  return now;
}

/** More than half of more than four services would go, and Docker has not said of each that it ended. */
function isMassRemoval({ seen, decision }: Decided): boolean {
  const before = seen.actual.aliases.map((alias) => alias.address);
  const after = new Set(decision.desired.aliases.map((alias) => alias.address));
  const containerAt = new Map(seen.actual.table.leases.map((lease) => [lease.address, lease.container]));
  const unexplained = (address: Ipv4): boolean => seen.ended?.has(containerAt.get(address) ?? "") !== true;
  const gone = before.filter((address) => !after.has(address) && unexplained(address)).length;
  return before.length > 4 && gone > before.length / 2;
}

/** Leases named in one line. */
const NAMED = 10;

/** What has been decided. Throws HostError "refused" where it would end active leases, unless that has been accepted. */
export function accepted<T extends Pick<Decided, "decision">>(
  now: T,
  { yes }: Pick<ConfirmOptions, "yes">,
): T {
  const refused = yes ? null : refusal(now.decision);
  if (refused !== null) throw refused;
  return now;
}

/** The error of a run that is not to end active leases; null where it would end none. */
export function refusal({ evicted }: Pick<Decision, "evicted">): HostError | null {
  if (evicted.length === 0) return null;
  const list = evicted.map((lease) => `${lease.address} ${clip(lease.names[0] ?? lease.key)}`);
  return new HostError(
    "refused",
    `${counted(evicted.length, "active lease")} would end, outside of the range or on the host's own address: ${someOf(list, NAMED)}`,
    {
      remedy:
        "restore the range or the host's address, or accept the change with `ocdd --yes` and reload `ocdd watch`, in any order",
    },
  );
}

/** Probes an address on the network before its first use, and decides again where another machine has it. */
async function probed(config: Config, host: Host, options: ConfirmOptions, first: Decided): Promise<Decided> {
  let now = first;
  let conflicts: readonly Conflict[] = [];
  const clean = new Set<Ipv4>();
  for (;;) {
    const unknown = now.decision.fresh.filter((address) => !clean.has(address));
    if (unknown.length === 0) return { ...now, decision: withConflicts(now.decision, conflicts) };
    const taken = await host.probe(unknown, now.decision.spare);
    for (const address of unknown) if (!taken.has(address)) clean.add(address);
    const seenAt = options.now();
    conflicts = [...conflicts, ...[...taken].map((address) => ({ address, seenAt }))];
    // an observation from before a wait of seconds is stale after it
    const seen = await host.observe();
    const table = { ...seen.actual.table, conflicts: [...seen.actual.table.conflicts, ...conflicts] };
    const informed = { ...seen, actual: { ...seen.actual, table } };
    now = { seen, decision: decide(config, informed, options.now()) };
  }
}

/** Warns once, in the run that finds out, of addresses that another machine has. */
function withConflicts(decision: Decision, found: readonly Conflict[]): Decision {
  const lines = found.map(
    ({ address }) => `${address} is in use by another machine on the network and is not handed out`,
  );
  return { ...decision, warnings: [...decision.warnings, ...lines] };
}
