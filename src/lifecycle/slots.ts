/** A bound on what is done at the same time. */

/** After how many milliseconds an action that still goes on counts no longer. */
export interface Longest {
  readonly ms: number;
  readonly after: (milliseconds: number, act: () => void) => () => void;
}

/**
 * At most `most` of the given actions at once, in the order in which they come. An aborted one does not begin. Actions whose time a
 * container chooses need `longest`: without it a few keep all others waiting.
 */
export function slots(
  most: number,
  longest?: Longest,
): <T>(act: () => Promise<T>, signal: AbortSignal) => Promise<T> {
  let free = most;
  const waiting: (() => void)[] = [];
  const turn = (signal: AbortSignal): Promise<void> =>
    new Promise((resolve, reject) => {
      const begin = (): void => {
        signal.removeEventListener("abort", leave);
        resolve();
      };
      const leave = (): void => {
        waiting.splice(waiting.indexOf(begin), 1);
        reject(signal.reason);
      };
      waiting.push(begin);
      signal.addEventListener("abort", leave, { once: true });
    });
  return async (act, signal) => {
    signal.throwIfAborted();
    if (free > 0) free -= 1;
    else await turn(signal);
    let isCounted = true;
    const leave = (): void => {
      if (!isCounted) return;
      isCounted = false;
      const next = waiting.shift();
      if (next === undefined) free += 1;
      else next();
    };
    const cancel = longest?.after(longest.ms, leave);
    try {
      return await act();
    } finally {
      cancel?.();
      leave();
    }
  };
}
