/** What `watch` has done since it was started, for `ocdd status`. Times are seconds since the epoch. */

import { isMoment } from "../moment.ts";
import { type ProcessRecord, readProcessRecord } from "../process-record.ts";

/** Why a configuration that was to be reloaded is not used. */
export interface Refusal {
  readonly at: number;
  readonly message: string;
  readonly remedy: string | null;
}

export interface WatchStats {
  readonly since: number;
  /** Changes made: steps of plans. */
  readonly changes: number;
  /** Those of them that repaired what another program had changed. */
  readonly repaired: number;
  readonly lastRepair: number | null;
  /** The last failure of a run; `over` when one has succeeded since. */
  readonly lastError: { readonly at: number; readonly message: string; readonly over: boolean } | null;
  /** Of the last reload; null where the configuration was adopted. */
  readonly refused: Refusal | null;
  /** Ids of the containers that run and do not answer, as it has found. */
  readonly unanswered: readonly string[];
  /** Ids of those whose bridge port is not found. */
  readonly portless: readonly string[];
  /** The process that has recorded this; null where it is not known, as in a file of an earlier version. */
  readonly process: ProcessRecord | null;
}

export const newWatchStats = (since: number): WatchStats => ({
  since,
  changes: 0,
  repaired: 0,
  lastRepair: null,
  lastError: null,
  refused: null,
  unanswered: [],
  portless: [],
  process: null,
});

/** After a run that succeeded; the same value when nothing differs. */
export function afterRun(stats: WatchStats, changes: number, repairs: number, now: number): WatchStats {
  const { lastError } = stats;
  const over = lastError === null || lastError.over;
  if (changes === 0 && over) return stats;
  return {
    ...stats,
    changes: stats.changes + changes,
    ...(repairs > 0 ? { repaired: stats.repaired + repairs, lastRepair: now } : {}),
    lastError: over ? lastError : { ...lastError, over: true },
  };
}

/** After a run that failed; the same value when the reason is that of the run before. */
export function afterFailure(stats: WatchStats, message: string, now: number): WatchStats {
  const { lastError } = stats;
  if (lastError !== null && !lastError.over && lastError.message === message) return stats;
  return { ...stats, lastError: { at: now, message, over: false } };
}

/** The document in the file. */
export const renderWatchStats = (stats: WatchStats): string =>
  `${JSON.stringify({ schemaVersion: 1, ...stats })}\n`;

const idsIn = (value: unknown): string[] =>
  Array.isArray(value) ? value.filter((id: unknown) => typeof id === "string") : [];

/** Reads it; null when it cannot be read. */
export function parseWatchStats(text: string): WatchStats | null {
  try {
    const read = JSON.parse(text) as Partial<WatchStats>;
    const { since, changes, repaired, lastRepair, lastError, refused } = read;
    if (![changes, repaired].every(Number.isFinite)) return null;
    if (![since, lastRepair ?? 0, lastError?.at ?? 0, refused?.at ?? 0].every(isMoment)) return null;
    const error = lastError ?? null;
    return {
      since: since as number,
      changes: changes as number,
      repaired: repaired as number,
      lastRepair: lastRepair ?? null,
      lastError:
        error === null ? null : { at: error.at, message: String(error.message), over: error.over === true },
      // not in a file of an earlier version
      refused:
        refused == null
          ? null
          : {
              at: refused.at,
              message: String(refused.message),
              remedy: typeof refused.remedy === "string" ? refused.remedy : null,
            },
      unanswered: idsIn(read.unanswered),
      portless: idsIn(read.portless),
      process: readProcessRecord(read.process) ?? null,
    };
  } catch {
    return null;
  }
}
