/** Containers that have ended by Docker's events; its lists show that up to some 200 ms later. */

export interface Exits {
  /** `action` is the event's. True when the container has ended or lost an endpoint: its forwards are to be revoked. */
  note(action: string, container: string): boolean;
  /** Ids of the containers that have ended and have not been started again. */
  ended(): ReadonlySet<string>;
}

/** Milliseconds for which an event takes precedence over Docker's lists. */
const BELIEVED_MS = 5_000;

/** `now` gives milliseconds of a monotonic clock. */
export function makeExits(now: () => number): Exits {
  const endedAt = new Map<string, number>();
  return {
    note(action, container) {
      if (container === "") return false;
      if (action === "start" || action === "connect") endedAt.delete(container);
      if (action === "die") endedAt.set(container, now());
      return action === "die" || action === "disconnect";
    },
    ended() {
      for (const [container, at] of endedAt) if (now() - at > BELIEVED_MS) endedAt.delete(container);
      return new Set(endedAt.keys());
    },
  };
}
