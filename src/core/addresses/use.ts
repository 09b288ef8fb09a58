/** How many addresses of the range are in use, on hold or free: counted once, for the page, services.json, status and metrics. */

import type { AddressUse, LeaseTable } from "../model.ts";
import { contains, type Ipv4, type Range, sizeOf } from "./ipv4.ts";
import { isHeld } from "./lease.ts";

export interface AddressUseInput {
  readonly pool: readonly Range[];
  readonly table: LeaseTable;
  /** Addresses that are not leased, in use or not; also those outside of the range. */
  readonly reserved: ReadonlySet<Ipv4>;
  /** Seconds that a released address is on hold. */
  readonly hold: number;
  /** Seconds since the epoch. */
  readonly now: number;
}

/**
 * Counts each address of the range once: the sum of all but `size` is `size`. The ranges do not overlap. Takes time for the addresses that are
 * something else than free: the range may have millions.
 */
export function addressUse({ pool, table, reserved, hold, now }: AddressUseInput): AddressUse {
  const leases = new Map(table.leases.map((lease) => [lease.address, lease]));
  const conflicts = new Set(table.conflicts.map((conflict) => conflict.address));
  const use = { used: 0, held: 0, conflict: 0, reserved: 0 };
  for (const address of new Set([...leases.keys(), ...conflicts, ...reserved])) {
    if (!pool.some((range) => contains(range, address))) continue;
    const lease = leases.get(address);
    if (conflicts.has(address)) use.conflict += 1;
    else if (lease?.releasedAt === null) use.used += 1;
    else if (reserved.has(address)) use.reserved += 1;
    else if (lease !== undefined && isHeld(lease, now, hold)) use.held += 1;
  }
  const size = pool.reduce((sum, range) => sum + sizeOf(range), 0);
  return { size, ...use, free: size - use.used - use.held - use.conflict - use.reserved };
}
