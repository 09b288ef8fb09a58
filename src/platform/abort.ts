/** Waiting for work that a signal may end. */

/**
 * The work's result; rejects with the signal's reason as soon as that is aborted, whatever becomes of the work. Leaves nothing on the signal:
 * a listener would be kept for as long as the signal lives, and so would one on a signal that is combined with others.
 */
export async function unlessAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  const aborted = Promise.withResolvers<never>();
  const abort = (): void => aborted.reject(signal.reason);
  signal.addEventListener("abort", abort, { once: true });
  try {
    signal.throwIfAborted();
    return await Promise.race([work, aborted.promise]);
  } finally {
    signal.removeEventListener("abort", abort);
    work.catch(() => undefined);
  }
}
