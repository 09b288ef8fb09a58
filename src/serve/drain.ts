import { setTimeout as sleep, setImmediate as turn } from "node:timers/promises";

/** Milliseconds that connections have for their last question when the server ends. */
const PARTING = 100;

/** Resolves when they had their time, and what has come by then has been read: on a busy host the timer may be first. */
export async function parting(): Promise<void> {
  await sleep(PARTING, undefined, { ref: false });
  await turn();
}
