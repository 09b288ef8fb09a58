/** The watchdog's sign of life. */
import type { Notifier } from "./sd-notify.ts";

/** Milliseconds after which work counts as hung that has shown no progress; every call in it has a deadline below that. */
const HUNG = 60_000;

/** Tells the supervisor that the loop turns: always while it waits, and for a bounded time while it works. */
export function keepAlive(notify: Notifier): {
  /** Work begins, or shows progress. */
  readonly busy: () => void;
  readonly idle: () => void;
  readonly end: () => void;
} {
  let since: number | null = null;
  const tick = (): void => {
    if (since === null || performance.now() - since < HUNG) notify.alive();
  };
  const timer = notify.interval === null ? undefined : setInterval(tick, notify.interval / 3);
  return {
    busy: () => {
      since = performance.now();
    },
    idle: () => {
      since = null;
    },
    end: () => clearInterval(timer),
  };
}
