/** The names that no other service gets: those that are in use or on hold, with a lease or without one. */

import { isHeld } from "../addresses/lease.ts";
import type { LeaseTable, NameHold } from "../model.ts";
import { withinBound } from "./bound.ts";
import { type Candidate, hasNoAlias } from "./candidates.ts";
import { groupOf } from "./identity.ts";
import type { Grant } from "./names.ts";

/** Names in use or on hold, each with the group that holds it. `now` in seconds since the epoch, `hold` in seconds. */
export function heldNames(table: LeaseTable, now: number, hold: number): ReadonlyMap<string, string> {
  const held = new Map<string, string>();
  const add = ({ key, names }: Pick<NameHold, "key" | "names">): void => {
    for (const name of names) if (!held.has(name)) held.set(name, groupOf(key));
  };
  for (const lease of table.leases) if (lease.key !== "" && isHeld(lease, now, hold)) add(lease);
  for (const kept of table.nameHolds) add(kept);
  return held;
}

/**
 * The names of services without a lease as they stand before names are granted: one that is not served any more is on hold,
 * for `hold` seconds, as the names of a lease are. One that has a lease by now keeps them until they are granted with that.
 */
export function nameHoldsBefore(
  table: LeaseTable,
  served: readonly Candidate[],
  hold: number,
  now: number,
): readonly NameHold[] {
  if (table.nameHolds.length === 0) return [];
  const used = new Set([
    ...served.filter(({ reach }) => hasNoAlias(reach)).map(({ key }) => key),
    ...table.leases.filter((lease) => lease.releasedAt === null).map(({ key }) => key),
  ]);
  return withinBound(
    table.nameHolds.flatMap((before): NameHold[] => {
      if (used.has(before.key)) return [{ ...before, releasedAt: null }];
      // a release in the future is a clock set back: the hold starts again
      const after = { ...before, releasedAt: Math.min(before.releasedAt ?? now, now) };
      return isHeld(after, now, hold) ? [after] : [];
    }),
  );
}

/** The names of services without a lease, each with those granted now, in the order of their keys. */
export function nameHoldsOf(
  before: readonly NameHold[],
  served: readonly Candidate[],
  grants: ReadonlyMap<string, Grant>,
  now: number,
): NameHold[] {
  const holds = new Map(before.map((one) => [one.key, one]));
  for (const { key, container, reach } of served) {
    const grant = grants.get(key);
    if (grant === undefined) continue;
    const since = holds.has(key) ? holds.get(key)?.since : now;
    // the names of one that has an alias are kept with its lease
    if (!hasNoAlias(reach)) holds.delete(key);
    else
      holds.set(key, {
        key,
        names: grant.kept,
        container: container.id,
        releasedAt: null,
        ...(since === undefined ? {} : { since }),
      });
  }
  return [...holds.values()].sort((a, b) => (a.key < b.key ? -1 : 1));
}
