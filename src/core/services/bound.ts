/** The bound of what is stored of services that are gone: who starts containers cannot fill the leases file. */

import type { KeyHolder, NameHold } from "../model.ts";

/** How many on hold are kept, in each list. */
const MOST_ON_HOLD = 1_000;

/**
 * Without those on hold that are too many. Those that have been there longest are kept, so that many that come and go displace
 * one another and no service; one whose `since` is not known is from an earlier version, and older.
 */
export function withinBound<T extends Pick<NameHold | KeyHolder, "since" | "releasedAt">>(
  all: readonly T[],
): readonly T[] {
  const onHold = all.filter(({ releasedAt }) => releasedAt !== null);
  if (onHold.length <= MOST_ON_HOLD) return all;
  const tooMany = new Set(onHold.sort((a, b) => (a.since ?? 0) - (b.since ?? 0)).slice(MOST_ON_HOLD));
  return all.filter((one) => !tooMany.has(one));
}
