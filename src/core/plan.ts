/** (actual, desired) → the smallest list of typed steps. Empty when they are equal. */

import type { Ipv4 } from "./addresses/ipv4.ts";
import type { DataPath, Forward, Frame, Part } from "./forwards/forward.ts";
import { sameBridgePort, sameRedirection } from "./forwards/forward.ts";
import type { DeviceAddress, Lease, LeaseTable, State } from "./model.ts";
import type { OwnRecord } from "./zone/zone-file.ts";

export type Change = "add" | "change" | "remove";

/** One change of one thing. `describe` (report/steps.ts) gives its text. */
export type Step =
  | { readonly kind: "lease"; readonly change: Change; readonly lease: Lease }
  | { readonly kind: "conflict"; readonly change: Change; readonly address: Ipv4 }
  /** The leases file is written although no lease in it differs. */
  | { readonly kind: "leases" }
  /** Where an alias leads; a change is a removal and an addition. */
  | { readonly kind: "rule"; readonly change: "add" | "remove"; readonly forward: Forward }
  /** The bridge port that an alias's packets may leave through. */
  | { readonly kind: "guard"; readonly forward: Forward }
  /** Rules that depend on the configuration and Docker's subnets alone. */
  | { readonly kind: "frame"; readonly change: Change; readonly part: Part }
  | { readonly kind: "address"; readonly change: "add" | "remove"; readonly alias: DeviceAddress }
  | { readonly kind: "hairpin"; readonly change: "add" | "remove"; readonly port: string }
  | { readonly kind: "record"; readonly change: "add" | "remove"; readonly record: OwnRecord }
  | { readonly kind: "zone"; readonly serial: number }
  | { readonly kind: "page" }
  /** What containers are told of themselves. */
  | { readonly kind: "self" };

/** What a run has to do: the steps, and the states before and after them. Each step is idempotent. */
export interface Plan {
  readonly steps: readonly Step[];
  readonly actual: State;
  readonly desired: State;
  /** True when the leases file is to be written. */
  readonly writeLeases: boolean;
  /** True when an address gets a new owner: the lease is written to disk before the address is used. */
  readonly leasesFirst: boolean;
  /** Aliases that lead to another address from now on: their tracked connections are flushed. */
  readonly flushed: readonly Ipv4[];
}

/** Compares the actual with the desired state. `stale`: the leases in use are not those of the file. */
export function plan(actual: State, desired: State, stale = false): Plan {
  const leases = leaseSteps(actual.table, desired.table);
  const writeLeases = stale || leases.length > 0 || !sameTable(actual.table, desired.table);
  return {
    steps: [
      ...(writeLeases && leases.length === 0 ? [{ kind: "leases" } as const] : leases),
      ...ruleSteps(actual.dataPath, desired.dataPath),
      ...addressSteps(actual.aliases, desired.aliases),
      ...hairpinSteps(actual, desired),
      ...zoneSteps(actual, desired),
      ...(samePage(actual, desired) ? [] : [{ kind: "page" } as const]),
      ...(actual.self === desired.self ? [] : [{ kind: "self" } as const]),
    ],
    actual,
    desired,
    writeLeases,
    leasesFirst: givesAddresses(actual.table, desired.table),
    flushed: redirected(actual.dataPath, desired.dataPath),
  };
}

/** True when nothing is to be done. */
export function isEmpty({ steps }: Plan): boolean {
  return steps.length === 0;
}

const same = (a: unknown, b: unknown): boolean => a === b || JSON.stringify(a) === JSON.stringify(b);

const samePage = ({ page: a }: State, { page: b }: State): boolean =>
  a.html === b.html && a.services === b.services;

/** True when a lease gets a new owner. Other changes of leases can be written later. */
function givesAddresses(actual: LeaseTable, desired: LeaseTable): boolean {
  const owners = new Map(actual.leases.map((lease) => [lease.address, lease.key]));
  return desired.leases.some((lease) => lease.releasedAt === null && owners.get(lease.address) !== lease.key);
}

function sameLease(a: Lease, b: Lease): boolean {
  if (a === b) return true;
  if (a.key !== b.key || a.container !== b.container || a.releasedAt !== b.releasedAt) return false;
  return a.names.length === b.names.length && a.names.every((name, i) => name === b.names[i]);
}

function redirected(actual: DataPath, desired: DataPath): Ipv4[] {
  const before = new Map(actual.forwards.map((forward) => [forward.alias, forward]));
  const after = new Map(desired.forwards.map((forward) => [forward.alias, forward]));
  return [...new Set([...before.keys(), ...after.keys()])].filter((alias) => {
    const [old, next] = [before.get(alias), after.get(alias)];
    // from a container that waits no flow has come; one that is about to be stopped keeps its own
    if (old?.waits === true && next !== undefined) return false;
    return old?.target !== next?.target;
  });
}

/** Given that the leases are the same but for their order. */
function sameTable(actual: LeaseTable, desired: LeaseTable): boolean {
  const rest = (one: LeaseTable): unknown => [one.conflicts, one.hairpins, one.nameHolds, one.holders];
  return (
    same(rest(actual), rest(desired)) &&
    actual.leases.length === desired.leases.length &&
    actual.leases.every(({ address }, i) => address === desired.leases[i]?.address)
  );
}

function leaseSteps(actual: LeaseTable, desired: LeaseTable): Step[] {
  const before = new Map(actual.leases.map((lease) => [lease.address, lease]));
  const kept = new Set(desired.leases.map((lease) => lease.address));
  const known = new Set(actual.conflicts.map((conflict) => conflict.address));
  const still = new Set(desired.conflicts.map((conflict) => conflict.address));
  return [
    ...desired.leases.flatMap((lease): Step[] => {
      const old = before.get(lease.address);
      if (old === undefined) return [{ kind: "lease", change: "add", lease }];
      return sameLease(old, lease) ? [] : [{ kind: "lease", change: "change", lease }];
    }),
    ...actual.leases
      .filter((lease) => !kept.has(lease.address))
      .map((lease): Step => ({ kind: "lease", change: "remove", lease })),
    ...desired.conflicts
      .filter(({ address }) => !known.has(address))
      .map(({ address }): Step => ({ kind: "conflict", change: "add", address })),
    ...actual.conflicts
      .filter(({ address }) => !still.has(address))
      .map(({ address }): Step => ({ kind: "conflict", change: "remove", address })),
  ];
}

function ruleSteps(actual: DataPath, desired: DataPath): Step[] {
  const before = new Map(actual.forwards.map((forward) => [forward.alias, forward]));
  const after = new Map(desired.forwards.map((forward) => [forward.alias, forward]));
  const steps: Step[] = [];
  for (const forward of desired.forwards) {
    const old = before.get(forward.alias);
    if (old === undefined || !sameRedirection(old, forward))
      steps.push({ kind: "rule", change: "add", forward });
    else if (!sameBridgePort(old, forward)) steps.push({ kind: "guard", forward });
  }
  for (const forward of actual.forwards) {
    const next = after.get(forward.alias);
    if (next === undefined || !sameRedirection(forward, next))
      steps.push({ kind: "rule", change: "remove", forward });
  }
  return [...steps, ...frameSteps(actual, desired)];
}

const PARTS: readonly Part[] = ["accept", "refusal", "hairpin", "redirect", "guard"];

/** The constant rules, part by part: all of them when they are created or removed, else the damaged ones. */
function frameSteps(actual: DataPath, desired: DataPath): Step[] {
  if (actual.frame === null && desired.frame === null)
    return actual.damaged.map((part) => ({ kind: "frame", change: "remove", part }));
  if (actual.frame === null) return PARTS.map((part) => ({ kind: "frame", change: "add", part }));
  if (desired.frame === null) return PARTS.map((part) => ({ kind: "frame", change: "remove", part }));
  const parts = sameFrame(actual.frame, desired.frame)
    ? [
        ...(actual.frame.queue === desired.frame.queue ? [] : ["redirect" as const]),
        ...(actual.frame.page === desired.frame.page ? [] : ["refusal" as const]),
        ...actual.damaged,
      ]
    : PARTS;
  return [...new Set(parts)].map((part) => ({ kind: "frame", change: "change", part }));
}

/** But for the queue and the page's port, which are in one chain each. */
const sameFrame = (a: Frame, b: Frame): boolean => same([a.pool, a.subnets], [b.pool, b.subnets]);

function addressSteps(actual: readonly DeviceAddress[], desired: readonly DeviceAddress[]): Step[] {
  const { added, removed } = aliasChanges(actual, desired);
  return [
    ...added.map((alias): Step => ({ kind: "address", change: "add", alias })),
    ...removed.map((alias): Step => ({ kind: "address", change: "remove", alias })),
  ];
}

/** Aliases to put on their devices, and to take off. */
export function aliasChanges(
  actual: readonly DeviceAddress[],
  desired: readonly DeviceAddress[],
): { readonly added: DeviceAddress[]; readonly removed: DeviceAddress[] } {
  const key = (a: DeviceAddress): string => `${a.device} ${a.address}`;
  const here = new Set(actual.map(key));
  const wanted = new Set(desired.map(key));
  return {
    added: desired.filter((a) => !here.has(key(a))),
    removed: actual.filter((a) => !wanted.has(key(a))),
  };
}

function hairpinSteps(actual: State, desired: State): Step[] {
  const { on, off } = hairpinChanges(actual, desired);
  return [
    ...on.map((port): Step => ({ kind: "hairpin", change: "add", port })),
    ...off.map((port): Step => ({ kind: "hairpin", change: "remove", port })),
  ];
}

/** Bridge ports whose hairpin mode is switched on, and off again where OCDD had switched it on. */
export function hairpinChanges(
  actual: State,
  desired: State,
): { readonly on: string[]; readonly off: string[] } {
  const now = new Set(actual.hairpins);
  const ours = new Set(actual.table.hairpins);
  const staying = new Set(desired.table.hairpins);
  return {
    on: desired.hairpins.filter((port) => !now.has(port)),
    off: actual.hairpins.filter((port) => ours.has(port) && !staying.has(port)),
  };
}

function zoneSteps(actual: State, desired: State): Step[] {
  if (actual.zone.text === desired.zone.text) return [];
  const id = (r: OwnRecord): string => `${r.owner} ${r.type} ${r.rdata}`;
  // most are the very same objects
  const [before, after] = [new Set(actual.zone.records), new Set(desired.zone.records)];
  const gone = new Map(actual.zone.records.flatMap((r) => (after.has(r) ? [] : [[id(r), r]])));
  const fresh = new Map(desired.zone.records.flatMap((r) => (before.has(r) ? [] : [[id(r), r]])));
  return [
    ...[...fresh].flatMap(([key, record]): Step[] =>
      gone.has(key) ? [] : [{ kind: "record", change: "add", record }],
    ),
    ...[...gone].flatMap(([key, record]): Step[] =>
      fresh.has(key) ? [] : [{ kind: "record", change: "remove", record }],
    ),
    { kind: "zone", serial: desired.zone.serial },
  ];
}

/**
 * The plan for the case that the leases file could not be written: addresses with a new owner are not put in force, and
 * files stay as they are.
 */
export function knownOwnersOnly({ actual, desired, ...plan }: Plan): Plan {
  const owner = new Map(actual.table.leases.map((lease) => [lease.address, lease.key]));
  const known = new Set(
    desired.table.leases.flatMap(({ address, key }) => (owner.get(address) === key ? address : [])),
  );
  const forwards = desired.dataPath.forwards.filter(({ alias }) => known.has(alias));
  const reduced: State = {
    ...actual,
    dataPath: forwards.length === 0 ? { ...actual.dataPath, forwards } : { ...desired.dataPath, forwards },
    aliases: desired.aliases.filter(({ address }) => known.has(address)),
  };
  return { ...plan, actual, desired: reduced, writeLeases: false, leasesFirst: false };
}
