/** The programs that take down what leads to the dead, started before anybody has died. */
import { BATCH } from "./addresses.ts";
import { RESTORE } from "./netfilter.ts";
import { getReady } from "./run.ts";

/** Starts those that do not wait yet. Each ends by itself when this process ends, however that is. */
export function getReadyForDeath(): void {
  getReady(BATCH);
  getReady(RESTORE("nat"));
}
