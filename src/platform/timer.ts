/** Timers for times that are configured: Node's own count to 24.8 days, and are due at once beyond. */

/** The longest time that a timer of Node's counts. */
const LONGEST_MS = 2 ** 31 - 1;

/**
 * Calls `act` once, after so many milliseconds, however many these are. Returns what ends the wait. With `ref` false the
 * process does not wait for it.
 */
export function after(milliseconds: number, act: () => void, { ref = true } = {}): () => void {
  let timer: NodeJS.Timeout;
  const wait = (left: number): void => {
    timer = setTimeout(
      () => (left > LONGEST_MS ? wait(left - LONGEST_MS) : act()),
      Math.min(left, LONGEST_MS),
    );
    if (!ref) timer.unref();
  };
  wait(Math.max(0, milliseconds));
  return () => clearTimeout(timer);
}

/** Resolves after so many milliseconds, or when the signal is aborted. Never rejects. */
export function pausing(milliseconds: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve();
    const cancel = after(milliseconds, done);
    function done(): void {
      cancel();
      signal.removeEventListener("abort", done);
      resolve();
    }
    signal.addEventListener("abort", done);
  });
}
