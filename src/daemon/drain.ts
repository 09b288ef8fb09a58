/** The time that open connections have for a last question when the server stops. */
import { setTimeout as sleep, setImmediate as turn } from "node:timers/promises";

const DRAIN_MS = 100;

/** Resolves when it is over and all data received by then has been read: on a busy host the timer may come first. */
export async function drainPeriod(): Promise<void> {
  await sleep(DRAIN_MS, undefined, { ref: false });
  await turn();
}
