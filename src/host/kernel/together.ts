/** One writer for many callers: those that call while it works are served together by its next turn. */

/**
 * Gives a function that resolves when an `act` which began after the call has ended, and rejects as that does. Never two at
 * once; what many calls ask for meanwhile costs one more `act`, not one each.
 */
export function together(act: () => Promise<unknown>): () => Promise<void> {
  let running: Promise<unknown> = Promise.resolve();
  let next: Promise<void> | undefined;
  const turn = async (): Promise<void> => {
    await running;
    next = undefined;
    const acting = act();
    running = acting.catch(() => undefined);
    await acting;
  };
  return () => {
    next ??= turn();
    return next;
  };
}
