/** The next time of an expression of cron, in the host's time zone. */
import { Cron } from "croner";

/**
 * Milliseconds since the epoch of the first time after `after`; null where there is none, also for what is no expression. In the hour that a summer time skips it is
 * the first minute after it; in the one that comes twice an expression with a fixed time counts once.
 */
export function nextTime(expression: string, after: number): number | null {
  try {
    // without a function to call it starts no timer
    const next = new Cron(expression, { mode: "5-part" }).nextRun(new Date(after));
    return next?.getTime() ?? null;
  } catch {
    return null;
  }
}
