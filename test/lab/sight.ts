/**
 * Until when a death must have been acted on. Where the director is killed over and over, only those count who lived long
 * enough; what must hold without any director is none of this file's. Pure, in the times of history.ts.
 */

import type { Bounds, Note } from "./note.ts";

type Span = readonly [from: number, to: number];

/** When a director was there, where it was not there all the time. */
export interface Sight {
  /** Whole runs: who had died before the first moment is gone at the last. */
  readonly runs: readonly Span[];
  /** Of each `watch` from the end of its first run to its own: who dies in it is gone in time. */
  readonly watches: readonly Span[];
}

/** What a history says of its directors; undefined when it says nothing, and one watched from first to last. */
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
      // who has hardly been started has ended no run: that is the one before, of whom the recorder hears late
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

/** The moment from which nothing of one who died at `death` may be left; infinite when nobody was there to act. */
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
