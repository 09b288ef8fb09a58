/** Reconcile for ever: an event of Docker's, a lost alias or the interval wakes it. Never two runs at once. */

import type { Config } from "../core/config/config.ts";
import { ConfigError, HostError, Overtaken } from "../core/errors.ts";
import { pathsOf } from "../core/paths.ts";
import type { Say } from "../daemon/log.ts";
import { makeStanding } from "../daemon/log-once.ts";
import type { DirectorMetrics } from "../daemon/metrics.ts";
import { keepOpen } from "../daemon/reconnecting.ts";
import type { Notifier } from "../daemon/sd-notify.ts";
import { makeBell } from "../daemon/wakeup.ts";
import { keepAlive } from "../daemon/watchdog.ts";
import { flockByCall, takeLock } from "../host/disk/lock.ts";
import { keepTally } from "../host/disk/watch-stats.ts";
import { connectDocker, type Docker } from "../host/docker/client.ts";
import { type Host, openHost } from "../host/host.ts";
import { followAddresses } from "../host/kernel/addresses.ts";
import { getReadyForDeath } from "../host/kernel/ready.ts";
import { leaveReady } from "../host/kernel/run.ts";
import { type Outcome, reconcile } from "./reconcile.ts";

/** Milliseconds between the starts of two runs in a burst of events. */
const BURST = 100;
/** Milliseconds before a lock that another run holds is tried again, and for which that is nothing to talk about. */
const BUSY = 250;
const PATIENCE = 10_000;

export interface WatchOptions {
  /** Reads the configuration anew. Throws ConfigError. */
  readonly read: () => Config;
  readonly say: Say;
  /** Who supervises this process. */
  readonly notify: Notifier;
  /** Ends the watch after the run in hand. */
  readonly signal: AbortSignal;
  /** Has `reread` called when the configuration may have changed. */
  readonly onReread: (reread: () => void) => void;
}

/** What one configuration watches: a client that also follows events, and the host seen with it. */
interface Watched {
  readonly config: Config;
  readonly docker: Docker;
  readonly host: Host;
}

/**
 * Keeps the host converged until the signal is aborted. Whatever fails, what is in force stays in force. Rejects only
 * with what is a fault of the program itself, and leaves nothing running then: whoever supervises it starts it again.
 */
export async function watch(options: WatchOptions): Promise<void> {
  const { say, notify } = options;
  const over = new AbortController();
  const signal = AbortSignal.any([options.signal, over.signal]);
  const bell = makeBell(signal);
  const standing = makeStanding(say);
  let watched = open(options.read());
  let streams = new AbortController();
  /** When the first of Docker's events came that no run has answered yet. */
  let event: number | null = null;
  const follow = (): Promise<unknown> => {
    const until = AbortSignal.any([signal, streams.signal]);
    const { docker, config } = watched;
    const { device } = config;
    const { ring } = bell;
    const heard = (urgent?: boolean): void => {
      event ??= performance.now();
      ring(urgent);
    };
    return Promise.all([
      keepOpen("Docker's events", (opened) => docker.follow(until, opened, heard), ring, until, say),
      keepOpen("lost aliases", (opened) => followAddresses(device, until, opened, ring), ring, until, say),
    ]);
  };
  let following = follow();
  /** A configuration that has been read and is still to be held against the host. */
  let wanted: (Watched & { told?: boolean }) | null = null;
  options.onReread(() => {
    wanted = null;
    try {
      wanted = open(options.read());
    } catch (error) {
      refuse(error, say);
    }
    bell.ring();
  });
  const flock = flockByCall();
  const pulse = keepAlive(notify);
  const inhabitants = remember();
  const tally = keepTally(pathsOf(watched.config).watchStats, now);
  let ready = false;
  let busy = 0;
  const metrics = await openMetrics(watched.config, () => ready, say);
  const fail = (error: unknown, started: number): void => {
    const cause = causeOf(error);
    metrics?.failed(secondsSince(started), cause instanceof HostError ? cause.fault : "config");
    if (cause instanceof HostError && cause.fault === "busy") {
      // somebody runs `ocdd` by hand just now: what woke us is looked at when he has done
      setTimeout(bell.ring, BUSY);
      busy += 1;
      if (busy * BUSY < PATIENCE) return;
    }
    const remedy = cause instanceof HostError && cause.remedy !== undefined ? ` (${cause.remedy})` : "";
    standing.failed(`${cause.message}${remedy}; what is in force stays`);
    tally.failed(cause.message);
  };
  const adopt = async (next: Watched & { told?: boolean }): Promise<void> => {
    try {
      await reconcile(next.config, next.host, { now, apply: false, yes: false, secondLook: 0 });
    } catch (error) {
      const cause = causeOf(error);
      if (!next.told) refuse(cause, say);
      // a host that cannot be asked refuses nothing: the next time decides
      const asked = cause instanceof ConfigError || cause.fault === "refused";
      if (asked && wanted === next) wanted = null;
      next.told = true;
      return;
    }
    if (wanted !== next) return;
    wanted = null;
    say("info", "the configuration has been read anew");
    if (JSON.stringify(next.config.metricsListen) !== JSON.stringify(watched.config.metricsListen))
      say("warning", "METRICS_LISTEN is as it was until the next start");
    watched = next;
    streams.abort();
    streams = new AbortController();
    following = follow();
  };
  try {
    while (!signal.aborted) {
      const started = performance.now();
      pulse.busy();
      const heard: number | null = event;
      event = null;
      try {
        if (wanted !== null) await adopt(wanted);
        const outcome = await lockedRun(watched, flock, pulse.busy);
        if (!ready) notify.ready();
        ready = true;
        const { decision, plan } = outcome;
        const drift = inhabitants.same(outcome);
        metrics?.ran(secondsSince(started), decision, plan.changes, drift);
        // a page that tells of a start a moment later has not drifted
        tally.ran(plan.changes.length, drift && plan.changes.some((line) => !/^~ (index|leases)/.test(line)));
        if (heard !== null) metrics?.inForce(secondsSince(heard));
        busy = 0;
        standing.passed(decision.warnings);
        tell(outcome, say);
        lookAhead(watched.host, outcome);
      } catch (error) {
        event = heard ?? event;
        if (error instanceof Overtaken) continue;
        fail(error, started);
      }
      pulse.idle();
      getReadyForDeath();
      await bell.wait(BURST - (performance.now() - started), watched.config.syncInterval * 1000);
    }
  } finally {
    over.abort();
    notify.stopping();
    pulse.end();
    leaveReady();
    await Promise.all([following, tally.written()]);
  }
}

const now = (): number => Math.floor(Date.now() / 1000);

/** Says what is wrong with a configuration that is not taken. */
function refuse(error: unknown, say: Say): void {
  for (const line of causeOf(error).message.split("\n")) say("error", `${line}; the old configuration stays`);
}

/** What the host or the configuration is to blame for; anything else is thrown on, as a fault of the program. */
function causeOf(error: unknown): HostError | ConfigError {
  if (error instanceof HostError || error instanceof ConfigError) return error;
  const { syscall, code, message } = error as NodeJS.ErrnoException;
  if (syscall === undefined || code === undefined) throw error;
  return new HostError(FULL.has(code) ? "storage" : "command", message, { cause: error });
}

const FULL: ReadonlySet<string> = new Set(["ENOSPC", "EDQUOT", "EROFS"]);

/** Counts and tells, for those who have set METRICS_LISTEN; the library is loaded for them alone. */
async function openMetrics(config: Config, ready: () => boolean, say: Say): Promise<DirectorMetrics | null> {
  if (config.metricsListen === null) return null;
  const { directorMetrics, tellHealth } = await import("../daemon/metrics.ts");
  const metrics = directorMetrics();
  tellHealth(config.metricsListen, { live: () => true, ready, metrics: metrics.text }, say);
  return metrics;
}

const secondsSince = (started: number): number => (performance.now() - started) / 1000;

/** Tells whether the containers are those of the time before: what is changed nevertheless had drifted. */
function remember(): { same: (outcome: Outcome) => boolean } {
  let before = "";
  return {
    same({ decision }) {
      const now = decision.services
        .map((s) => `${s.container.id} ${s.container.address} ${s.state} ${s.health}`)
        .join("\n");
      const same = now === before;
      before = now;
      return same;
    },
  };
}

function open(config: Config): Watched {
  const docker = connectDocker({ socket: config.dockerSocket, ...config.api });
  return { config, docker, host: openHost(config, docker) };
}

/** Asks about the addresses that come next, while nobody waits for them. What fails here fails when it matters. */
function lookAhead(host: Host, { decision }: Outcome): void {
  host.probe([], decision.spare).catch(() => undefined);
}

/** One run under the lock. `alive` is called at each look: many slow ones are no hang. */
async function lockedRun(
  { config, host }: Watched,
  flock: ReturnType<typeof flockByCall>,
  alive: () => void,
): Promise<Outcome> {
  const observe: Host["observe"] = (...leaveOut) => {
    alive();
    return host.observe(...leaveOut);
  };
  const release = await takeLock(pathsOf(config).lock, flock);
  try {
    const options = { now, apply: true, yes: false, secondLook: 3_000 };
    return await reconcile(config, { ...host, observe }, options);
  } finally {
    await release();
  }
}

/** One line for what a run has changed. */
function tell({ plan: { changes } }: Outcome, say: Say): void {
  if (changes.length === 0) return;
  say(
    "info",
    `${changes.length} changes: ${changes.slice(0, 4).join("; ")}${changes.length > 4 ? "; ..." : ""}`,
  );
}
