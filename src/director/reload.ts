/** Reads the configuration again while `watch` runs, and adopts it once it is valid for the host. */
import type { Config } from "../core/config/config.ts";
import { ConfigError } from "../core/errors.ts";
import type { Say } from "../daemon/log.ts";
import { causeOf, remedyOf } from "./failure.ts";
import { reconcile } from "./reconcile.ts";
import type { Watched } from "./streams.ts";

export interface ReloadOptions {
  /** Reads the configuration again. Throws ConfigError. */
  readonly read: () => Config;
  readonly say: Say;
  /** Has `reload` called when the configuration may have changed. */
  readonly onReload: (reload: () => void) => void;
}

export interface Reloadable {
  /** The configuration to adopt; undefined when there is no new one, or it cannot be adopted (yet). */
  adopt(): Promise<Watched | undefined>;
}

/** `open` opens what a configuration watches; `wake` is called when there is one to adopt. */
export function reloadable(
  options: ReloadOptions,
  open: (config: Config) => Watched,
  wake: () => void,
): Reloadable {
  const { say } = options;
  let wanted: Watched | undefined;
  let refused = false;
  options.onReload(() => {
    wanted = undefined;
    refused = false;
    try {
      wanted = open(options.read());
    } catch (error) {
      refuse(error, say);
    }
    wake();
  });
  return {
    async adopt() {
      const next = wanted;
      if (next === undefined) return undefined;
      try {
        const now = (): number => Math.floor(Date.now() / 1000);
        await reconcile(next.config, next.host, { now, apply: false, yes: false, confirmationMs: 0 });
      } catch (error) {
        const cause = causeOf(error);
        if (!refused) refuse(cause, say);
        refused = true;
        // a failed observation does not refuse the configuration: the next attempt decides
        const rejected = cause instanceof ConfigError || cause.fault === "refused";
        if (rejected && wanted === next) wanted = undefined;
        return undefined;
      }
      // another SIGHUP arrived meanwhile
      if (wanted !== next) return undefined;
      wanted = undefined;
      say("info", "configuration reloaded");
      return next;
    },
  };
}

function refuse(error: unknown, say: Say): void {
  const cause = causeOf(error);
  for (const line of cause.message.split("\n"))
    say("error", `${line}; the old configuration stays${remedyOf(cause)}`);
}
