/** A server that was handed its sockets waits for a configuration that it can read. */
import { setTimeout as sleep } from "node:timers/promises";
import { ConfigError } from "../core/errors.ts";
import type { Say } from "../daemon/log.ts";
import { type Handed, NONE_HANDED } from "./socket-activation.ts";

/** Milliseconds between two looks at a bad configuration. */
const LOOK = 5_000;

/**
 * What `read` gives. A ConfigError of its is thrown on, unless sockets were handed over: whoever ends while something
 * waits in them is started again at once, for ever or until systemd closes them for it (TriggerLimitBurst=,
 * systemd.socket(5)). Then the mistakes are said, each list of them once, and it is read again every `every` milliseconds;
 * what is asked meanwhile waits in the sockets. Undefined when the signal is aborted first.
 */
export async function whenGood<T>(
  read: () => T,
  handed: Handed,
  say: Say,
  signal: AbortSignal,
  every: number = LOOK,
): Promise<T | undefined> {
  let said = "";
  while (!signal.aborted) {
    try {
      return read();
    } catch (error) {
      if (handed === NONE_HANDED || !(error instanceof ConfigError)) throw error;
      if (error.message !== said) {
        for (const line of error.message.split("\n")) say("error", line);
        say("error", "nothing is served until that is mended; the configuration is read again by itself");
      }
      said = error.message;
    }
    await sleep(every, undefined, { signal }).catch(() => undefined);
  }
  return undefined;
}
