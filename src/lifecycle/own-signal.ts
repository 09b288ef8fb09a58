/** Signals of single actions, made from one that lives long. */

/**
 * With a signal of its own, which is aborted with the given one, and at the end: signals that were combined with it are freed then. Of
 * one that lives as long as the process they would be kept.
 */
export async function withOwnSignal<T>(
  over: AbortSignal,
  act: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const own = new AbortController();
  const end = (): void => own.abort(over.reason);
  over.addEventListener("abort", end);
  if (over.aborted) end();
  try {
    return await act(own.signal);
  } finally {
    over.removeEventListener("abort", end);
    end();
  }
}
