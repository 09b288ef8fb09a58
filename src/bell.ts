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
}

export function makeBell(signal: AbortSignal): Bell {
  let rung = false;
  let answer = (): void => undefined;
  return {
    ring() {
      rung = true;
      answer();
    },
    async wait(least, most) {
      await pausing(least, signal);
      if (!rung && !signal.aborted) {
        const heard = new AbortController();
        answer = () => heard.abort();
        await pausing(most - Math.max(0, least), AbortSignal.any([signal, heard.signal]));
      }
      rung = false;
    },
  };
}
