/**
 * Until when an end must have been handled. Where the director is killed again and again, only directors that ran long
 * enough count; what must hold without any director is not checked here. Pure, in the times of history.ts.
 */

import type { Bounds, Note } from "./note.ts";

type Span = readonly [from: number, to: number];

/** When a director ran, where it did not run all the time. */
export interface Sight {
  /** Complete runs: a container that ended before the first moment is removed at the last. */
  readonly runs: readonly Span[];
  /** Of each `watch` from the end of its first run to its own end: a container that ends in it is removed in time. */
  readonly watches: readonly Span[];
}

/** The directors of a history; undefined without notes of them, when one ran from first to last. */
export function sightOf(history: readonly Note[], { notice }: Bounds): Sight | undefined {
  const told = history.filter((note) => note.kind === "director");
  if (!told.some(({ did }) => did === "start")) return undefined;
  const runs: Span[] = [];
  const watches: Span[] = [];
  let starts: readonly number[] = [];
  let watching: number | undefined;
  let watcher = false;
  for (const { at, did, watches: watchful = false } of told) {
    if (did === "start") {
      starts = [...starts.slice(-1), at];
      watcher = watchful;
    } else if (did === "run") {
      // a director just started has completed no run: the note is of the one before, recorded late
      const own = starts.filter((start) => start <= at - notice).at(-1);
      if (own === undefined) continue;
      runs.push([Math.max(own, runs.at(-1)?.[1] ?? own), at]);
      if (watcher && own === starts.at(-1)) watching ??= at;
    } else {
      if (watching !== undefined) watches.push([watching, at]);
      watching = undefined;
      watcher = false;
    }
  }
  return { runs, watches };
}

/** The moment from which nothing of a container that ended at `death` may be left; infinite when no director ran. */
export function dueOf(death: number, sight: Sight | undefined, bounds: Bounds): number {
  const { notice, serverSwitch, afterDeath } = bounds;
  if (sight === undefined) return death + afterDeath;
  const run = sight.runs.find(([began]) => began >= death + notice);
  const watch = sight.watches.find(([from, to]) => Math.max(from, death) + afterDeath <= to);
  return Math.min(
    run === undefined ? Number.POSITIVE_INFINITY : run[1] + Math.max(notice, serverSwitch),
    watch === undefined ? Number.POSITIVE_INFINITY : Math.max(watch[0], death) + afterDeath,
  );
}
