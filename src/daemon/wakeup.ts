/** Waiting that can be cut short. */

/** Resolves after so many milliseconds, or when the signal is aborted. Never rejects. */
export function pausing(milliseconds: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve();
    const timer = setTimeout(done, Math.max(0, milliseconds));
    function done(): void {
      clearTimeout(timer);
      signal.removeEventListener("abort", done);
      resolve();
    }
    signal.addEventListener("abort", done);
  });
}

/** Wakes a loop; a call while the loop is at work is kept for its next wait. */
export interface Wakeup {
  readonly wake: () => void;
  /** Returns once `wake` has been called since the last wait, but not before `minMs` nor after `maxMs` milliseconds. */
  readonly wait: (limits: { readonly minMs: number; readonly maxMs: number }) => Promise<void>;
}

export function debouncedWakeup(signal: AbortSignal): Wakeup {
  let woken = false;
  let interrupt = (): void => undefined;
  return {
    wake() {
      woken = true;
      interrupt();
    },
    async wait({ minMs, maxMs }) {
      const started = performance.now();
      const elapsed = (): number => performance.now() - started;
      while (!signal.aborted && elapsed() < maxMs && !(woken && elapsed() >= minMs)) {
        const called = new AbortController();
        interrupt = () => called.abort();
        await pausing((woken ? minMs : maxMs) - elapsed(), AbortSignal.any([signal, called.signal]));
      }
      woken = false;
    },
  };
}
