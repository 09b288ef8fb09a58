/** A stream that is opened again whenever it ends. */

import { pausing } from "../platform/timer.ts";
import type { Say } from "./log.ts";

/** Milliseconds before a stream is opened again: doubled on each failure, up to the second. */
const BACK_OFF_MS = [200, 10_000] as const;
/** Milliseconds after which a stream counts as established: its end is then counted as a first failure. */
const ESTABLISHED_MS = 1_000;

/**
 * Opens a stream again whenever it ends, until the signal is aborted; every opening wakes, since events may have been
 * missed. Never rejects: consecutive failures are logged once, with `lost` when the stream has just ended.
 */
export async function reconnecting(
  lost: string,
  stream: (opened: () => void) => Promise<void>,
  wake: () => void,
  signal: AbortSignal,
  say: Say,
  {
    backOffMs = BACK_OFF_MS,
    establishedMs = ESTABLISHED_MS,
  }: { backOffMs?: readonly [number, number]; establishedMs?: number } = {},
): Promise<void> {
  let pause = backOffMs[0];
  let said = false;
  while (!signal.aborted) {
    let since = Number.POSITIVE_INFINITY;
    let message = lost;
    try {
      await stream(() => {
        since = performance.now();
        wake();
      });
    } catch (error) {
      message = error instanceof Error ? error.message : String(error);
    }
    if (signal.aborted) return;
    if (performance.now() - since >= establishedMs) {
      pause = backOffMs[0];
      said = false;
    }
    if (!said) say("warning", `${message}; reconnecting`);
    said = true;
    await pausing(pause, signal);
    pause = Math.min(pause * 2, backOffMs[1]);
  }
}
