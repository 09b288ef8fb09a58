/**
 * How long a name may outlive its alias. A takedown waits 10 ms for the disk to rename the zone file, and takes rule and
 * alias away then: a rule that waits may lead to somebody else, a name without its alias leads to nobody. Who had begun to
 * write before has kept the order; when that is done is the disk's, and where he is killed before, the next run's.
 */

import { type Bounds, type Note, ofKind } from "./note.ts";
import { sightOf } from "./sight.ts";

/** Milliseconds before the alias goes in which its withdrawal is begun. */
const BEFORE = 300;

/** The moment from which a server can have known that an address is withdrawn, whose alias has gone at `gone`. */
export function withdrawnAt(history: readonly Note[], value: string, gone: number, bounds: Bounds): number {
  const begunInTime = (at: number): boolean => at > gone - BEFORE && at < gone;
  const zones = ofKind(history, "zone");
  const late = zones.find(
    ({ at, begun, addresses }) => begunInTime(begun) && at > gone && !addresses.includes(value),
  );
  if (late !== undefined) return late.at;
  const begun = ofKind(history, "begun").findLast(({ at }) => begunInTime(at));
  if (begun === undefined) return gone;
  // what he had started, iptables-restore, may outlive him by a moment
  const killed = ofKind(history, "director").find(({ at, did }) => did === "end" && at > begun.at);
  if (killed === undefined) return gone;
  if (zones.some(({ at }) => at > begun.at && at < killed.at)) return gone;
  const next = sightOf(history, bounds)?.runs.find(([began]) => began >= killed.at);
  return next?.[1] ?? gone;
}
