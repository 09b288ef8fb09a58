/** With sockets of the service manager, serve waits for a valid configuration instead of ending. */
import { ConfigError } from "../core/errors.ts";
import type { Say } from "../daemon/log.ts";
import { pausing } from "../platform/timer.ts";
import { type ActivatedSockets, NO_ACTIVATED_SOCKETS } from "./socket-activation.ts";

/** Milliseconds between two reads of an invalid configuration. */
const RETRY_MS = 5_000;

/**
 * The result of `read`. With sockets of the service manager a ConfigError is logged, each list of mistakes once, and the
 * configuration is read again every `retryMs`: a process that ended while queries wait in them would be started again at
 * once, until systemd closes them (TriggerLimitBurst=, systemd.socket(5)). Queries wait in the sockets meanwhile.
 * Undefined when the signal is aborted first.
 * @throws ConfigError without such sockets
 */
export async function readValidConfig<T>(
  read: () => T,
  sockets: ActivatedSockets,
  say: Say,
  signal: AbortSignal,
  retryMs: number = RETRY_MS,
): Promise<T | undefined> {
  let logged = "";
  while (!signal.aborted) {
    try {
      return read();
    } catch (error) {
      if (sockets === NO_ACTIVATED_SOCKETS || !(error instanceof ConfigError)) throw error;
      if (error.message !== logged) {
        for (const line of error.message.split("\n")) say("error", line);
        say(
          "error",
          "nothing is served until the configuration is valid; it is read again every few seconds",
        );
      }
      logged = error.message;
    }
    await pausing(retryMs, signal);
  }
  return undefined;
}
