/** How many addresses of the range are in use, on hold or free: counted once, for the page, services.json, status and metrics. */

import type { AddressUse, LeaseTable } from "../model.ts";
import { addressesOf, type Ipv4, type Range } from "./ipv4.ts";
import { isHeld } from "./lease.ts";

export interface AddressUseInput {
  readonly pool: readonly Range[];
  readonly table: LeaseTable;
  /** Addresses that are not leased, in use or not. */
  readonly reserved: (address: Ipv4) => boolean;
  /** Seconds that a released address is on hold. */
  readonly hold: number;
  /** Seconds since the epoch. */
  readonly now: number;
}

/** Counts each address of the range once: the sum of all but `size` is `size`. */
export function addressUse({ pool, table, reserved, hold, now }: AddressUseInput): AddressUse {
  const leases = new Map(table.leases.map((lease) => [lease.address, lease]));
  const conflicts = new Set(table.conflicts.map((conflict) => conflict.address));
  const use = { size: 0, used: 0, held: 0, conflict: 0, reserved: 0, free: 0 };
  for (const range of pool) {
    for (const address of addressesOf(range)) {
      const lease = leases.get(address);
      use.size += 1;
      if (conflicts.has(address)) use.conflict += 1;
      else if (lease?.releasedAt === null) use.used += 1;
      else if (reserved(address)) use.reserved += 1;
      else if (lease !== undefined && isHeld(lease, now, hold)) use.held += 1;
      else use.free += 1;
    }
  }
  return use;
}
