/** What a run is decided on: a mass removal is looked at twice, and a new address is asked for on the network first. */
import { setTimeout as sleep } from "node:timers/promises";
import type { Ipv4 } from "../core/addresses/ipv4.ts";
import type { Config } from "../core/config/config.ts";
import { decide } from "../core/decide.ts";
import { HostError } from "../core/errors.ts";
import type { Conflict, Decision, Observation } from "../core/model.ts";
import type { Host } from "../host/host.ts";
import type { Scope } from "../host/observe.ts";

export interface ConfirmOptions {
  /** Seconds since the epoch. */
  readonly now: () => number;
  /** Accept that a changed range ends living leases. */
  readonly yes: boolean;
  /** Milliseconds until a mass removal is believed. */
  readonly confirmationMs: number;
  /** What the first look reads; everything when not given. */
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

/** Looks at the whole host while a mass removal is not yet believed. */
const CONFIRMATIONS = 12;

/**
 * A Docker that is just starting shows an empty list, and that costs no service its name: many may go only when all
 * looks agree.
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

/** Refuses what would end living leases, unless that has been accepted. */
function accepted(now: Decided, { yes }: ConfirmOptions): Decided {
  const { evicted } = now.decision;
  if (evicted.length === 0 || yes) return now;
  const list = evicted.map((lease) => `  ${lease.address} ${lease.names[0] ?? lease.key}`).join("\n");
  throw new HostError(
    "refused",
    `${evicted.length} living leases are outside of the range, or where the host itself is; they stay as they are:\n${list}`,
    { remedy: "set the range or the host's address back, or accept it with --yes" },
  );
}

/** Asks the network before an address is used for the first time, and decides again where another machine has it. */
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
    // what was seen before a wait of seconds is not believed after it
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
