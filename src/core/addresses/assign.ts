/** Candidates → the address of each: by a lease, the host's, its own, or that of the container it shares. */

import type { Config } from "../config/config.ts";
import type { Forward, LegacyForward } from "../forwards/forward.ts";
import type { Lease, LeaseTable, Observation } from "../model.ts";
import { type Candidate, claimOf } from "../services/candidates.ts";
import { identityOf, lastSeenOf } from "../services/identity.ts";
import { type Name, toName } from "../services/name.ts";
import { contains, type Ipv4 } from "./ipv4.ts";
import { type Allocation, allocate, type Owner, rebuildTable } from "./lease.ts";
import { type Neighbours, NO_NEIGHBOURS } from "./neighbours.ts";
import { type Reserved, reservedAddresses } from "./reserved.ts";
import { grantWishes } from "./wishes.ts";

export interface Addresses {
  /** The leases used by this decision. */
  readonly before: LeaseTable;
  readonly allocation: Allocation;
  /** Container id → address; a container without an entry cannot be served. */
  readonly addressOf: ReadonlyMap<string, Ipv4>;
  /** The reserved addresses of the range, with the reasons. */
  readonly reserved: Reserved;
  /** All reserved addresses, for counting. */
  readonly excluded: ReadonlySet<Ipv4>;
  /** Key of a candidate that has not got the address that it asks for → why. */
  readonly denied: ReadonlyMap<string, string>;
}

/**
 * Gives every candidate that can be reached its address. `now` is in seconds since the epoch, `neighbours` are the machines
 * that the host depends on.
 */
export function giveAddresses(
  config: Config,
  seen: Observation,
  candidates: readonly Candidate[],
  hostIp: Ipv4,
  now: number,
  neighbours: Neighbours = NO_NEIGHBOURS,
): Addresses {
  const before = withClaims(knownLeases(candidates, seen, config, now), seen.claimed ?? new Set(), now);
  const known = new Set(before.leases.map((lease) => lease.key));
  const owners: Owner[] = candidates
    // a container that cannot be reached now keeps its lease, and gets no new one
    .filter(
      ({ reach, key }) =>
        reach.kind === "alias" ||
        reach.kind === "asleep" ||
        (reach.kind === "none" && reach.keeps && known.has(key)),
    )
    .map((c) => ({ key: c.key, container: c.container.id, wish: wishOf(c) }));
  const metrics = config.metricsListen === null ? [] : [config.metricsListen.address];
  const listens = [...config.dnsListen, ...config.webListen, ...metrics].flatMap((address) =>
    address === "HOST_IP" ? [] : address,
  );
  const reserved = reservedAddresses(config, seen, hostIp, neighbours, listens);
  const { excluded, avoided } = reserved;
  const input = {
    table: before,
    owners,
    pool: config.pool,
    excluded,
    avoided,
    now,
    hold: config.addressHold,
    leastHold: config.ttl,
    isGone: goneIn(seen, config),
  };
  const { granted, denied } = grantWishes(input);
  const allocation = allocate({ ...input, granted });
  const kept = new Set([...excluded, ...avoided]);
  return {
    before,
    allocation,
    reserved,
    excluded: kept,
    denied,
    addressOf: addressesOf(candidates, allocation, hostIp),
  };
}

/** A one-off's labels are copies of its service's, and a container that cannot be reached keeps what it has. */
const wishOf = ({ wishes, identity, reach }: Candidate): Ipv4 | undefined =>
  identity.oneOff || (reach.kind !== "alias" && reach.kind !== "asleep")
    ? undefined
    : (wishes.address ?? undefined);

/** Ids and lease keys of all containers that exist. */
interface Known {
  readonly ids: ReadonlySet<string>;
  readonly keys: ReadonlySet<string>;
}

/**
 * Finds leases whose container no longer exists, neither the one last seen nor another that would have the lease. Where
 * not every container is known, it finds none.
 */
function goneIn(seen: Observation, config: Config): (lease: Lease) => boolean {
  if (seen.stopped === undefined || config.api.filters !== null) return () => false;
  const { containers, stopped, actual } = seen;
  const known = (): Known => {
    const lastSeen = lastSeenOf(actual.table);
    const existing = [...containers, ...stopped];
    return {
      ids: new Set(existing.map((container) => container.id)),
      keys: new Set(existing.map((container) => identityOf(container, lastSeen).key)),
    };
  };
  // only a full range asks
  let found: Known | undefined;
  return ({ key, container }) => {
    found ??= known();
    // an address whose owner is not known has an empty key
    return key !== "" && !found.ids.has(container) && !found.keys.has(key);
  };
}

function addressesOf(
  candidates: readonly Candidate[],
  allocation: Allocation,
  hostIp: Ipv4,
): ReadonlyMap<string, Ipv4> {
  const active = allocation.table.leases.filter((lease) => lease.releasedAt === null);
  const leaseOf = new Map(active.map((lease) => [lease.key, lease.address]));
  const addressOf = new Map<string, Ipv4>();
  const sharedWith = new Map<string, string>();
  for (const { container, reach, key } of candidates) {
    if (reach.kind === "host") addressOf.set(container.id, hostIp);
    if (reach.kind === "direct") addressOf.set(container.id, reach.target);
    if (reach.kind === "shared") sharedWith.set(container.id, reach.with);
    const leased = leaseOf.get(key);
    if ((reach.kind === "alias" || reach.kind === "asleep") && leased !== undefined)
      addressOf.set(container.id, leased);
  }
  for (const id of sharedWith.keys()) {
    // a container may share with one that shares itself; bounded, since Docker's list may show a circle
    let last = id;
    for (let n = 0; n < 8; n++) last = sharedWith.get(last) ?? last;
    const address = addressOf.get(last);
    if (address !== undefined) addressOf.set(id, address);
  }
  return addressOf;
}

/**
 * The leases as far as they are known: as read; where only the previous file could be read, with later ones found in the
 * rules in force; where none could be read, rebuilt from the rules; on the first run after the bash script, from its rules.
 */
function knownLeases(
  candidates: readonly Candidate[],
  seen: Observation,
  config: Config,
  now: number,
): LeaseTable {
  const { table } = seen.actual;
  if (!seen.leasesIntact) return rebuilt(candidates, seen, config, now);
  if (seen.legacy !== undefined) {
    // addresses found to be in use by other machines meanwhile stay conflicts
    return { ...takenOver(candidates, seen.legacy, now), conflicts: table.conflicts };
  }
  if (!seen.leasesStale) return table;
  const addresses = new Set(table.leases.map((lease) => lease.address));
  const keys = new Set(table.leases.map((lease) => lease.key));
  const since = rebuilt(candidates, seen, config, now).leases.filter(
    (lease) => lease.releasedAt === null && !addresses.has(lease.address) && !keys.has(lease.key),
  );
  return { ...table, leases: [...table.leases, ...since] };
}

/**
 * The leases that follow from the bash script's rules, each for the running container of that name. A rule's target may be
 * another container by now, since the script ran once a minute: it only decides between containers of the same name.
 * Where there is none the address is on hold, because clients may still have it.
 */
export function takenOver(
  candidates: readonly Candidate[],
  legacy: readonly LegacyForward[],
  now: number,
): LeaseTable {
  const named = new Map<Name, { owner: Owner; target: Ipv4 }[]>();
  for (const candidate of candidates) {
    const { container, key, reach } = candidate;
    if (reach.kind !== "alias") continue;
    const { wish } = claimOf(candidate);
    const same = named.get(wish) ?? [];
    named.set(wish, [...same, { owner: { key, container: container.id }, target: reach.target }]);
  }
  const owners = new Map<Ipv4, Owner>();
  const forwards = legacy.flatMap(({ alias, name, target }) => {
    const wish = toName(name);
    const same = (wish && named.get(wish)) ?? [];
    const one = same.find((other) => other.target === target) ?? (same.length === 1 ? same[0] : undefined);
    if (wish === undefined || one === undefined || owners.has(one.target)) return [];
    owners.set(one.target, one.owner);
    return [{ alias, name: wish, target: one.target }];
  });
  const aliases = legacy.map(({ alias }) => ({ first: alias, last: alias }));
  return rebuildTable(forwards, ({ target }) => owners.get(target), aliases, now);
}

/** Seconds after which a conflict that lasts is noted again: leases.json is not written at each observation. */
const NOTED_AGAIN = 60;

/** The table with a conflict for each alias that another machine claims as well. */
function withClaims(table: LeaseTable, claimed: ReadonlySet<Ipv4>, now: number): LeaseTable {
  const recent = table.conflicts.filter(({ seenAt }) => seenAt <= now && now < seenAt + NOTED_AGAIN);
  const noted = new Set(recent.map(({ address }) => address));
  const fresh = new Set([...claimed].filter((address) => !noted.has(address)));
  if (fresh.size === 0) return table;
  const others = table.conflicts.filter(({ address }) => !fresh.has(address));
  return { ...table, conflicts: [...others, ...[...fresh].map((address) => ({ address, seenAt: now }))] };
}

function rebuilt(
  candidates: readonly Candidate[],
  seen: Observation,
  config: Config,
  now: number,
): LeaseTable {
  const owners = new Map<Ipv4, Owner>();
  const asleep = new Map<Name, Owner>();
  for (const candidate of candidates) {
    const { container, key, reach } = candidate;
    const owner = { key, container: container.id };
    if (reach.kind === "alias") owners.set(reach.target, owner);
    if (reach.kind === "asleep") asleep.set(claimOf(candidate).wish, owner);
  }
  const ownerOf = ({ target, name }: Pick<Forward, "target" | "name">): Owner | undefined =>
    target === null ? asleep.get(name) : owners.get(target);
  const inPool = seen.actual.dataPath.forwards.filter(({ alias }) =>
    config.pool.some((range) => contains(range, alias)),
  );
  const { conflicts } = seen.actual.table;
  return { ...rebuildTable(inPool, ownerOf, config.pool, now), conflicts };
}
