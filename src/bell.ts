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
  /** When it was first rung of what the last wait returned for (performance.now()); null when that was time alone. */
  readonly answered: () => number | null;
}

export function makeBell(signal: AbortSignal): Bell {
  let rung: number | null = null;
  let last: number | null = null;
  let urgent = false;
  let answer = (): void => undefined;
  return {
    ring(now = false) {
      rung ??= performance.now();
      urgent ||= now;
      answer();
    },
    async wait(least, most) {
      const started = performance.now();
      const elapsed = (): number => performance.now() - started;
      while (!signal.aborted && elapsed() < most) {
        if (rung !== null && (urgent || elapsed() >= least)) break;
        const heard = new AbortController();
        answer = () => heard.abort();
        const rest = (rung !== null ? least : most) - elapsed();
        await pausing(rest, AbortSignal.any([signal, heard.signal]));
      }
      last = rung;
      rung = null;
      urgent = false;
    },
    answered: () => last,
  };
}
