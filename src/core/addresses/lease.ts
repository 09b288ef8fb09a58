/** Assigns addresses: (table, owners, pool, now) → table. */

import type { Forward } from "../forwards/forward.ts";
import type { Conflict, Lease, LeaseTable } from "../model.ts";
import { toName } from "../services/name.ts";
import { addressesOf, contains, type Ipv4, type Range } from "./ipv4.ts";

export const NO_LEASES: LeaseTable = { leases: [], conflicts: [], hairpins: [], nameHolds: [], holders: [] };

/** A container that needs an address, by its stable key. */
export interface Owner {
  readonly key: string;
  /** Container id. */
  readonly container: string;
  /** The address that it asks for. */
  readonly wish?: Ipv4 | undefined;
}

export interface AllocateInput {
  readonly table: LeaseTable;
  /** In the order in which new addresses are given. */
  readonly owners: readonly Owner[];
  readonly pool: readonly Range[];
  /** Never handed out nor kept: the host's, network and broadcast addresses, those of its other devices that are no bridges. */
  readonly excluded: ReadonlySet<Ipv4>;
  /** Not given to a new owner; a lease is kept when a container or a network gives itself its address. */
  readonly avoided: ReadonlySet<Ipv4>;
  /** Seconds since the epoch. */
  readonly now: number;
  /** Seconds that a released address is on hold. */
  readonly hold: number;
  /** Seconds that it is on hold in any case: resolvers may answer with it for that long. */
  readonly leastHold: number;
  /** True for a lease whose container is known to exist no more. */
  readonly isGone: (lease: Lease) => boolean;
  /** Key of an owner → the address that it asks for and gets: no lease in use or on hold for another owner has it. */
  readonly granted?: ReadonlyMap<string, Ipv4>;
}

export interface Allocation {
  readonly table: LeaseTable;
  readonly unserved: readonly Owner[];
  /** Addresses leased to an owner that did not hold them before. */
  readonly fresh: readonly Ipv4[];
  /** The next free addresses, a few: in place of a fresh one in conflict, and for the next new container. */
  readonly spare: readonly Ipv4[];
  /** Active leases that the pool no longer covers; their owners have new addresses in `table`. */
  readonly evicted: readonly Lease[];
}

/** Seconds after which an address that another machine answered for is tried again. */
export const CONFLICT_RETRY = 600;

/** Before the key of a lease that its owner has left for the address that it asks for: nothing else gets it while it is on hold. */
export const MOVED = "moved:";

/** How many addresses are probed ahead: then a conflict or a new container needs no second wait. */
const SPARES = 8;

/** Those that are not to be tried again yet. */
export const conflictsNow = ({ conflicts }: LeaseTable, now: number): Conflict[] =>
  conflicts.filter(({ seenAt }) => now - seenAt < CONFLICT_RETRY && now >= seenAt);

/** True while a lease is in use or on hold: no other service gets its names. */
export function isHeld({ releasedAt }: Pick<Lease, "releasedAt">, now: number, hold: number): boolean {
  return releasedAt === null || now < releasedAt + hold;
}

/**
 * Keeps every lease it can, then gives the addresses that owners ask for, then the lowest address never leased, then the one
 * released longest ago. When the range is full, addresses on hold for containers that no longer exist are given as well,
 * after `leastHold` seconds.
 */
export function allocate(input: AllocateInput): Allocation {
  const { pool, excluded, avoided, now, granted = new Map<string, Ipv4>() } = input;
  const conflicts = conflictsNow(input.table, now);
  const taken = new Set([...avoided, ...conflicts.map((c: Conflict) => c.address)]);
  const owners = new Map(input.owners.map((owner) => [owner.key, owner]));
  const leases = new Map<Ipv4, Lease>();
  const served = new Set<string>();
  const evicted: Lease[] = [];
  /** Names of leases that end here, by their keys: an owner that moves keeps its names. */
  const names = new Map<string, Lease["names"]>();
  for (const lease of input.table.leases) {
    const owner = owners.get(lease.key);
    const usable = pool.some((range) => contains(range, lease.address)) && !excluded.has(lease.address);
    // a release in the future is a clock set back: the hold starts again
    const releasedAt = Math.min(lease.releasedAt ?? now, now);
    if (!usable) {
      if (lease.releasedAt === null && owner !== undefined) {
        evicted.push(lease);
        names.set(lease.key, lease.names);
      }
    } else if (owner !== undefined && granted.has(lease.key) && !leases.has(lease.address)) {
      names.set(lease.key, lease.names);
      leases.set(lease.address, { ...lease, key: `${MOVED}${lease.key}`, names: [], releasedAt });
    } else if (owner !== undefined && !served.has(lease.key) && !leases.has(lease.address)) {
      served.add(lease.key);
      leases.set(lease.address, { ...lease, container: owner.container, releasedAt: null });
    } else if (!leases.has(lease.address)) {
      leases.set(lease.address, { ...lease, releasedAt });
    }
  }
  const next = nextAddresses(input, taken, leases);
  const unserved: Owner[] = [];
  const fresh: Ipv4[] = [];
  const give = ({ key, container }: Owner, address: Ipv4): void => {
    fresh.push(address);
    served.add(key);
    leases.set(address, { key, address, names: names.get(key) ?? [], container, releasedAt: null });
  };
  for (const [key, address] of granted) give(owners.get(key) as Owner, address);
  for (const owner of owners.values()) {
    if (served.has(owner.key)) continue;
    const address = next.next().value;
    if (address === undefined) unserved.push(owner);
    else give(owner, address);
  }
  const spare: Ipv4[] = [];
  while (spare.length < SPARES) {
    const address = next.next().value;
    if (address === undefined) break;
    spare.push(address);
  }
  return {
    table: { ...input.table, leases: [...leases.values()], conflicts },
    unserved,
    fresh,
    spare,
    evicted,
  };
}

/** Addresses to assign: those without a lease, lowest first; then the longest released. `leases` may grow meanwhile. */
function* nextAddresses(
  { pool, excluded, now, hold, leastHold, isGone }: AllocateInput,
  taken: ReadonlySet<Ipv4>,
  leases: ReadonlyMap<Ipv4, Lease>,
): Generator<Ipv4, undefined> {
  for (const range of pool) {
    for (const address of addressesOf(range)) {
      if (!excluded.has(address) && !taken.has(address) && !leases.has(address)) yield address;
    }
  }
  const mayGo = (lease: Lease): boolean =>
    !isHeld(lease, now, hold) || (!isHeld(lease, now, leastHold) && isGone(lease));
  yield* [...leases.values()]
    .filter((lease) => mayGo(lease) && !taken.has(lease.address))
    // an address whose hold is over was released before any that is on hold
    .sort((a, b) => (a.releasedAt ?? 0) - (b.releasedAt ?? 0))
    .map((lease) => lease.address);
  return undefined;
}

/**
 * The leases that follow from the rules in force when no leases file could be read. An address that no rule assigns is
 * on hold, since it may have been released a moment ago. `ownerOf` names the container that a forward is for.
 */
export function rebuildTable<F extends Pick<Forward, "alias" | "name">>(
  forwards: readonly F[],
  ownerOf: (forward: F) => Owner | undefined,
  pool: readonly Range[],
  now: number,
): LeaseTable {
  const leases = new Map<Ipv4, Lease>();
  for (const forward of forwards) {
    const { alias, name } = forward;
    const owner = ownerOf(forward);
    if (owner === undefined || leases.has(alias)) continue;
    const known = toName(name);
    leases.set(alias, {
      key: owner.key,
      address: alias,
      names: known === undefined ? [] : [known],
      container: owner.container,
      releasedAt: null,
    });
  }
  for (const range of pool) {
    for (const address of addressesOf(range)) {
      if (!leases.has(address))
        leases.set(address, { key: "", address, names: [], container: "", releasedAt: now });
    }
  }
  return { ...NO_LEASES, leases: [...leases.values()] };
}
