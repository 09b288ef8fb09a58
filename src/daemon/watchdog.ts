/** Pings systemd's watchdog (sd_notify(3), WATCHDOG=1). */
import type { Notifier } from "./sd-notify.ts";

/** Milliseconds without progress after which work counts as hung; every call in it has a shorter deadline. */
const HUNG_MS = 60_000;

/** Pings while the loop waits, and for a bounded time while it works. */
export function watchdogPing(notify: Notifier): {
  /** Work begins, or shows progress. */
  readonly busy: () => void;
  readonly idle: () => void;
  readonly end: () => void;
} {
  let since: number | null = null;
  const tick = (): void => {
    if (since === null || performance.now() - since < HUNG_MS) notify.alive();
  };
  const timer =
    notify.interval === null ? undefined : setInterval(tick, Math.min(notify.interval, HUNG_MS) / 3);
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
