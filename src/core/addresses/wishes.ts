/** Which owners get the address that they ask for (`ocdd.address`). No lease in use or on hold ends because of that. */
import { clip } from "../clip.ts";
import type { Lease } from "../model.ts";
import { contains, type Ipv4 } from "./ipv4.ts";
import { type AllocateInput, conflictsNow, isHeld, MOVED, type Owner } from "./lease.ts";

export interface Wishes {
  /** Key of an owner → the address that it gets. */
  readonly granted: ReadonlyMap<string, Ipv4>;
  /** Key of an owner that does not get its address now → why, for people. */
  readonly denied: ReadonlyMap<string, string>;
}

/**
 * An owner gets an address that is in the range and that nothing else uses or has on hold; of several that ask for one address
 * the oldest. An owner whose container is the one that already has a lease keeps that: it gets the other when it starts again.
 */
export function grantWishes(input: AllocateInput): Wishes {
  const granted = new Map<string, Ipv4>();
  const denied = new Map<string, string>();
  const wishing = input.owners.filter(({ wish }) => wish !== undefined);
  if (wishing.length === 0) return { granted, denied };
  const { leases } = input.table;
  const at = new Map(leases.map((lease) => [lease.address, lease]));
  const own = new Map(leases.map((lease) => [lease.key, lease]));
  const conflicting = new Set(conflictsNow(input.table, input.now).map(({ address }) => address));
  const owners = new Set(input.owners.map(({ key }) => key));
  const given = new Map<Ipv4, string>();
  for (const owner of wishing.toReversed()) {
    const { key, wish } = owner;
    const lease = own.get(key);
    if (wish === undefined || lease?.address === wish) continue;
    const there = at.get(wish);
    // it may go back to the one that it has left
    const foreign = there?.key === `${MOVED}${key}` ? undefined : there;
    const why = whyNot(wish, input, { lease: foreign, owners, conflicting, given });
    if (why !== null) denied.set(key, why);
    else if (isInUse(lease, owner, input))
      denied.set(key, `${wish} is free: restart the container to get it`);
    else {
      granted.set(key, wish);
      given.set(wish, key);
    }
  }
  return { granted, denied };
}

interface Around {
  /** Of the address, or undefined. */
  readonly lease: Lease | undefined;
  /** Keys of all owners. */
  readonly owners: ReadonlySet<string>;
  readonly conflicting: ReadonlySet<Ipv4>;
  /** Addresses given in this run. */
  readonly given: ReadonlyMap<Ipv4, string>;
}

/** Why an address cannot be given, or null. */
function whyNot(
  address: Ipv4,
  { pool, excluded, avoided, now, hold }: AllocateInput,
  { lease, owners, conflicting, given }: Around,
): string | null {
  if (!pool.some((range) => contains(range, address))) return `${address} is not in the range`;
  if (excluded.has(address) || avoided.has(address)) return `${address} is reserved`;
  if (conflicting.has(address)) return `${address} is in use by another machine on the network`;
  if (given.has(address)) return `${address} has been given to an older container that asks for it`;
  if (lease === undefined) return null;
  const whose = lease.names[0] ?? (clip(lease.key.replace(MOVED, "")) || "an unknown owner");
  // an owner that starts again gets its lease back also after the hold
  if (owners.has(lease.key)) return `${address} belongs to ${whose}`;
  if (!isHeld(lease, now, hold)) return null;
  return `${address} is on hold for ${whose}`;
}

/** Whether a lease is that of this very container, which runs or is asleep. */
const isInUse = (
  lease: Lease | undefined,
  { container }: Owner,
  { pool, excluded }: AllocateInput,
): boolean =>
  lease !== undefined &&
  lease.releasedAt === null &&
  lease.container === container &&
  pool.some((range) => contains(range, lease.address)) &&
  !excluded.has(lease.address);
