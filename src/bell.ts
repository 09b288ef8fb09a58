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
  readonly ring: () => void;
  /** Returns once it has been rung since the last wait, but not before `least` nor after `most` milliseconds. */
  readonly wait: (least: number, most: number) => Promise<void>;
  /** When it was first rung of what the last wait returned for (performance.now()); null when that was time alone. */
  readonly answered: () => number | null;
}

export function makeBell(signal: AbortSignal): Bell {
  let rung: number | null = null;
  let last: number | null = null;
  let answer = (): void => undefined;
  return {
    ring() {
      rung ??= performance.now();
      answer();
    },
    async wait(least, most) {
      await pausing(least, signal);
      if (rung === null && !signal.aborted) {
        const heard = new AbortController();
        answer = () => heard.abort();
        await pausing(most - Math.max(0, least), AbortSignal.any([signal, heard.signal]));
      }
      last = rung;
      rung = null;
    },
    answered: () => last,
  };
}
