/** The file in which `watch` records what it has done, for `ocdd status`. */
import { hasEnded } from "../../core/process-record.ts";
import {
  afterFailure,
  afterRun,
  newWatchStats,
  parseWatchStats,
  renderWatchStats,
  type WatchStats,
} from "../../core/report/watch-stats.ts";
import { look, thisProcess } from "../kernel/process-owner.ts";
import { readText, writeWhole } from "./file.ts";

export interface WatchStatsLog {
  /** A run succeeded with so many changes; `drift` when no container had changed. */
  succeeded(changes: number, drift: boolean): void;
  /** A run failed with this message. */
  failed(message: string): void;
  /** These containers run and do not answer, by their ids. */
  unanswered(containers: readonly string[]): void;
  /** Resolves when what was recorded last is on disk, or cannot be written. */
  readonly written: () => Promise<void>;
}

/** Counts from now on. `now` gives seconds since the epoch. Never throws: a full disk must not stop `watch`. */
export function recordWatchStats(file: string, now: () => number): WatchStatsLog {
  let stats = newWatchStats(now());
  const own = thisProcess();
  let onDisk: WatchStats | undefined;
  let written = Promise.resolve();
  const record = (next: WatchStats): void => {
    stats = next;
    written = written.then(async () => {
      const latest = stats;
      if (onDisk === latest) return;
      // a report needs no fsync; a disk that is full is tried again with the next one
      const text = renderWatchStats({ ...latest, process: await own });
      await writeWhole(file, text, "utf8", "later").then(
        () => {
          onDisk = latest;
        },
        () => undefined,
      );
    });
  };
  return {
    succeeded: (changes, drift) => record(afterRun(stats, changes, drift, now())),
    failed: (message) => record(afterFailure(stats, message, now())),
    unanswered: (containers) => record({ ...stats, unanswered: containers }),
    written: () => written,
  };
}

/** What was recorded there; null when there is nothing that can be read. */
export async function readWatchStats(file: string): Promise<WatchStats | null> {
  const text = await readText(file).catch(() => undefined);
  return text === undefined ? null : parseWatchStats(text);
}

/** The process of a `watch` that still runs and has recorded something there; null where there is none. */
export async function runningWatch(file: string): Promise<number | null> {
  const { process = null } = (await readWatchStats(file)) ?? {};
  return process === null || hasEnded(process, await look(process.pid)) ? null : process.pid;
}

/** The containers that do not answer, as a `watch` that still runs has found. */
export async function readUnanswered(file: string): Promise<ReadonlySet<string>> {
  const stats = await readWatchStats(file);
  if (stats === null || stats.process === null || stats.unanswered.length === 0) return new Set();
  return new Set(hasEnded(stats.process, await look(stats.process.pid)) ? [] : stats.unanswered);
}
