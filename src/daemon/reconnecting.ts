/** A stream that is opened again whenever it ends. */

import type { Say } from "./log.ts";
import { pausing } from "./wakeup.ts";

/** Milliseconds before a stream is opened anew: doubled on each failure, up to the second. */
const BACK_OFF = [200, 10_000] as const;
/** Milliseconds after which a stream has stood: its end is the first failure then. */
const STOOD = 1_000;

/**
 * Opens a stream again whenever it ends, until the signal is aborted; every opening wakes, since something may have been
 * missed. Never rejects: a row of failures is said once. `what` it brings is named then; `backOff` and `stood` are
 * milliseconds.
 */
export async function keepOpen(
  what: string,
  stream: (opened: () => void) => Promise<void>,
  wake: () => void,
  signal: AbortSignal,
  say: Say,
  { backOff = BACK_OFF, stood = STOOD }: { backOff?: readonly [number, number]; stood?: number } = {},
): Promise<void> {
  let pause = backOff[0];
  let said = false;
  while (!signal.aborted) {
    let since = Number.POSITIVE_INFINITY;
    let message = `${what} are heard no more`;
    try {
      await stream(() => {
        since = performance.now();
        wake();
      });
    } catch (error) {
      message = error instanceof Error ? error.message : String(error);
    }
    if (signal.aborted) return;
    if (performance.now() - since >= stood) {
      pause = backOff[0];
      said = false;
    }
    if (!said) say("warning", `${message}; trying again`);
    said = true;
    await pausing(pause, signal);
    pause = Math.min(pause * 2, backOff[1]);
  }
}
