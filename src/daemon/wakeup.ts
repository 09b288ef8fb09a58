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

/** A bell that remembers having been rung. */
export interface Bell {
  readonly ring: (urgent?: boolean) => void;
  /**
   * Returns once it has been rung since the last wait, but not before `least` (unless that was urgent) nor after
   * `most` milliseconds.
   */
  readonly wait: (least: number, most: number) => Promise<void>;
}

export function makeBell(signal: AbortSignal): Bell {
  let rung = false;
  let urgent = false;
  let answer = (): void => undefined;
  return {
    ring(now = false) {
      rung = true;
      urgent ||= now;
      answer();
    },
    async wait(least, most) {
      const started = performance.now();
      const elapsed = (): number => performance.now() - started;
      while (!signal.aborted && elapsed() < most) {
        if (rung && (urgent || elapsed() >= least)) break;
        const heard = new AbortController();
        answer = () => heard.abort();
        const rest = (rung ? least : most) - elapsed();
        await pausing(rest, AbortSignal.any([signal, heard.signal]));
      }
      rung = false;
      urgent = false;
    },
  };
}
