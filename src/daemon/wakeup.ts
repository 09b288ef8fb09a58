/** Waiting that can be interrupted. */
import { pausing } from "../platform/timer.ts";

/** Wakes a loop; a call while the loop is at work is kept for its next wait. */
export interface Wakeup {
  readonly wake: () => void;
  /** The same for an event that must not wait for further ones. */
  readonly wakeSoon: () => void;
  /** Returns once woken since the last wait. */
  readonly wait: (limits: WaitLimits) => Promise<void>;
}

/** Milliseconds. */
export interface WaitLimits {
  /** Not before, after `wake`. */
  readonly minMs: number;
  /** Not before, after `wakeSoon`. */
  readonly soonMs: number;
  /** Not after, woken or not. */
  readonly maxMs: number;
}

export function debouncedWakeup(signal: AbortSignal): Wakeup {
  let woken = false;
  let soon = false;
  let interrupt = (): void => undefined;
  return {
    wake() {
      woken = true;
      interrupt();
    },
    wakeSoon() {
      soon = true;
      interrupt();
    },
    async wait({ minMs, soonMs, maxMs }) {
      const started = performance.now();
      const left = (): number => {
        const until = soon ? soonMs : woken ? minMs : maxMs;
        return Math.min(until, maxMs) - (performance.now() - started);
      };
      while (!signal.aborted && left() > 0) {
        const called = new AbortController();
        interrupt = () => called.abort();
        await pausing(left(), AbortSignal.any([signal, called.signal]));
      }
      woken = false;
      soon = false;
    },
  };
}
