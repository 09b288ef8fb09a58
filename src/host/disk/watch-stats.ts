/** The file in which `watch` records what it has done, for `ocdd status`. */
import type { Paths } from "../../core/paths.ts";
import { hasEnded, type ProcessRecord } from "../../core/process-record.ts";
import {
  afterFailure,
  afterRun,
  newWatchStats,
  parseWatchStats,
  type Refusal,
  renderWatchStats,
  type WatchStats,
} from "../../core/report/watch-stats.ts";
import { look, thisProcess } from "../kernel/process-owner.ts";
import { readText, writeWhole } from "./file.ts";
import { lockHolder } from "./lock.ts";

export interface WatchStatsLog {
  /** A run succeeded with so many changes, of which so many repair what another program had changed. */
  succeeded(changes: number, repairs: number): void;
  /** A run failed with this message. */
  failed(message: string): void;
  /** A reload was refused; null when that is over. */
  reload(refusal: Omit<Refusal, "at"> | null): void;
  /** These containers run and do not answer, by their ids. */
  unanswered(containers: readonly string[]): void;
  /** The bridge ports of these containers are not found. */
  portless(containers: readonly string[]): void;
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
      await writeWhole(file, text, { durability: "later" }).then(
        () => {
          onDisk = latest;
        },
        () => undefined,
      );
    });
  };
  return {
    succeeded: (changes, repairs) => record(afterRun(stats, changes, repairs, now())),
    failed: (message) => record(afterFailure(stats, message, now())),
    reload: (refusal) => record({ ...stats, refused: refusal && { at: now(), ...refusal } }),
    unanswered: (containers) => record({ ...stats, unanswered: containers }),
    portless(containers) {
      if (containers.join() !== stats.portless.join()) record({ ...stats, portless: containers });
    },
    written: () => written,
  };
}

/** What was recorded there; null when there is nothing that can be read. */
export async function readWatchStats(file: string): Promise<WatchStats | null> {
  const text = await readText(file).catch(() => undefined);
  return text === undefined ? null : parseWatchStats(text);
}

/** What is known of the `watch` of a host. */
export interface WatchSeen {
  /** Null where it has recorded nothing that can be read. */
  readonly stats: WatchStats | null;
  /** Whether it runs; null where that is not known. */
  readonly running: boolean | null;
  /** The process, where it runs and its number is known. */
  readonly pid: number | null;
}

/**
 * Looks at what it has recorded, and where that tells of none that runs at its lock: one that has begun has recorded nothing until
 * its first run has ended, and one whose disk is full never does. Only root can see the lock.
 */
export async function seeWatch({
  watchStats,
  watchLock,
}: Pick<Paths, "watchStats" | "watchLock">): Promise<WatchSeen> {
  const stats = await readWatchStats(watchStats);
  const recorded = stats?.process ?? null;
  if (recorded !== null && (await stillRuns(recorded))) return { stats, running: true, pid: recorded.pid };
  const holder = await lockHolder(watchLock);
  if (holder !== null) return { stats, running: true, pid: holder.pid ?? null };
  return { stats, running: recorded === null ? null : false, pid: null };
}

const stillRuns = async (record: ProcessRecord): Promise<boolean> =>
  !hasEnded(record, await look(record.pid));

/** Containers that `watch` has found something of, by their ids. */
export interface Found {
  /** Those that do not answer. */
  readonly unanswered: ReadonlySet<string>;
  /** Those whose bridge port is not found. */
  readonly portless: ReadonlySet<string>;
}

/** What a `watch` that still runs has found. */
export async function readFound(file: string): Promise<Found> {
  const stats = await readWatchStats(file);
  const isKnown = stats !== null && stats.process !== null && (await stillRuns(stats.process));
  const { unanswered, portless } = isKnown ? stats : newWatchStats(0);
  return { unanswered: new Set(unanswered), portless: new Set(portless) };
}
