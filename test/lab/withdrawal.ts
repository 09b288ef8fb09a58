/**
 * How long a name may be answered after its alias was removed. A removal waits 10 ms for the disk to rename the zone file,
 * then it removes rule and alias: a late rule may lead to another container, a name without its alias leads nowhere. A write
 * that was begun before kept the order; its end depends on the disk, and after a kill on the next run.
 */

import { type Bounds, type Note, ofKind } from "./note.ts";
import { sightOf } from "./sight.ts";

/** Milliseconds before the removal of the alias within which its withdrawal begins. */
const BEFORE = 300;

/** The moment from which a server can know that an address is withdrawn whose alias was removed at `gone`. */
export function withdrawnAt(history: readonly Note[], value: string, gone: number, bounds: Bounds): number {
  const begunInTime = (at: number): boolean => at > gone - BEFORE && at < gone;
  const zones = ofKind(history, "zone");
  const late = zones.find(
    ({ at, begun, addresses }) => begunInTime(begun) && at > gone && !addresses.includes(value),
  );
  if (late !== undefined) return late.at;
  const begun = ofKind(history, "begun").findLast(({ at }) => begunInTime(at));
  if (begun === undefined) return gone;
  // iptables-restore, started by the director, may end a moment after it
  const killed = ofKind(history, "director").find(({ at, did }) => did === "end" && at > begun.at);
  if (killed === undefined) return gone;
  if (zones.some(({ at }) => at > begun.at && at < killed.at)) return gone;
  const next = sightOf(history, bounds)?.runs.find(([began]) => began >= killed.at);
  return next?.[1] ?? gone;
}
