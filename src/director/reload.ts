/**
 * Reads the configuration again while `watch` runs, and adopts it once it is valid for the host. One that the host contradicts is tried
 * again whenever everything is observed, for as long as the file still says the same.
 */
import type { Config } from "../core/config/config.ts";
import { ConfigError } from "../core/errors.ts";
import type { Refusal } from "../core/report/watch-stats.ts";
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

/** What is done with a configuration that was read. */
export interface Adopting {
  /** Opens what it watches. */
  readonly open: (config: Config) => Watched;
  /** Called when there is one to adopt. */
  readonly wake: () => void;
  /** Stores why one was refused; null when that is over. */
  readonly record: (refusal: Omit<Refusal, "at"> | null) => void;
}

export interface Reloadable {
  /**
   * The configuration to adopt; undefined when there is no new one, or it cannot be adopted (yet). `whole`: the run observes
   * everything.
   */
  adopt(whole: boolean): Promise<Watched | undefined>;
}

/** Follows the calls of `reload`. */
export function reloadable({ read, say, onReload }: ReloadOptions, adopting: Adopting): Reloadable {
  const { open, wake, record } = adopting;
  let wanted: Watched | undefined;
  /** The host contradicts it. */
  let refused = false;
  let told = "";
  const refuse = (error: unknown): void => {
    const cause = causeOf(error);
    if (cause.message === told) return;
    told = cause.message;
    const lines = told.split("\n");
    for (const line of lines) say("error", `${line}; the old configuration stays${remedyOf(cause)}`);
    record({
      message: lines.join("; "),
      remedy: cause instanceof ConfigError ? null : (cause.remedy ?? null),
    });
  };
  const settle = (): void => {
    wanted = undefined;
    refused = false;
    if (told !== "") record(null);
    told = "";
  };
  onReload(() => {
    settle();
    try {
      wanted = open(read());
    } catch (error) {
      refuse(error);
    }
    wake();
  });
  return {
    async adopt(whole) {
      const next = wanted;
      if (next === undefined || (refused && !whole)) return undefined;
      const isStill = refused ? isStillIn(read, next.config) : true;
      if (isStill === undefined) return undefined;
      if (!isStill) {
        settle();
        say("info", "the configuration that was refused has been changed since: reload to apply it");
        return undefined;
      }
      try {
        const now = (): number => Math.floor(Date.now() / 1000);
        await reconcile(next.config, next.host, { now, apply: false, yes: false, confirmationMs: 0 });
      } catch (error) {
        const cause = causeOf(error);
        if (wanted !== next) return undefined;
        refuse(cause);
        // a failed observation does not refuse the configuration: the next attempt decides
        refused = cause instanceof ConfigError || cause.fault === "refused";
        return undefined;
      }
      // another SIGHUP arrived meanwhile
      if (wanted !== next) return undefined;
      say("info", `configuration reloaded${refused ? ": what it was refused for is over" : ""}`);
      settle();
      return next;
    },
  };
}

/** Whether the file still has a configuration: an operator who gives a change up need not reload. Undefined while it cannot be read. */
function isStillIn(read: () => Config, config: Config): boolean | undefined {
  try {
    return JSON.stringify(read()) === JSON.stringify(config);
  } catch (error) {
    if (error instanceof ConfigError) return undefined;
    throw error;
  }
}
