/** What `watch` has done since it was started, for those who ask later. Times are seconds since the epoch. */

export interface Tally {
  readonly since: number;
  /** Changes made, lines of plans. */
  readonly changes: number;
  /** Those of them that mended what had drifted: no container had changed. */
  readonly repaired: number;
  readonly lastRepair: number | null;
  /** What a run failed of last; `over` when one has ended well since. */
  readonly lastError: { readonly at: number; readonly message: string; readonly over: boolean } | null;
}

export const freshTally = (since: number): Tally => ({
  since,
  changes: 0,
  repaired: 0,
  lastRepair: null,
  lastError: null,
});

/** After a run that ended well; the same value when that tells nothing new. */
export function afterRun(tally: Tally, changes: number, drift: boolean, now: number): Tally {
  const { lastError } = tally;
  const over = lastError === null || lastError.over;
  if (changes === 0 && over) return tally;
  return {
    ...tally,
    changes: tally.changes + changes,
    ...(drift && changes > 0 ? { repaired: tally.repaired + changes, lastRepair: now } : {}),
    lastError: over ? lastError : { ...lastError, over: true },
  };
}

/** After a run that failed; the same value when it failed as the one before did. */
export function afterFailure(tally: Tally, message: string, now: number): Tally {
  const { lastError } = tally;
  if (lastError !== null && !lastError.over && lastError.message === message) return tally;
  return { ...tally, lastError: { at: now, message, over: false } };
}

/** The document in the file. */
export const tallyText = (tally: Tally): string => `${JSON.stringify({ schemaVersion: 1, ...tally })}\n`;

/** Reads it; null for what is none. */
export function parseTally(text: string): Tally | null {
  try {
    const { since, changes, repaired, lastRepair, lastError } = JSON.parse(text) as Partial<Tally>;
    const numbers = [since, changes, repaired, lastRepair ?? 0, lastError?.at ?? 0];
    if (!numbers.every(Number.isFinite)) return null;
    const error = lastError ?? null;
    return {
      since: since as number,
      changes: changes as number,
      repaired: repaired as number,
      lastRepair: lastRepair ?? null,
      lastError:
        error === null ? null : { at: error.at, message: String(error.message), over: error.over === true },
    };
  } catch {
    return null;
  }
}
