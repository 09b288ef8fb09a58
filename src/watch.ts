/** Reconcile for ever: an event of Docker's, a lost alias or the interval wakes it. Never two runs at once. */
import { makeBell, pausing } from "./bell.ts";
import type { Config } from "./core/config.ts";
import { ConfigError, HostError, Overtaken } from "./core/errors.ts";
import { followAddresses } from "./host/address.ts";
import { connectDocker, type Docker } from "./host/docker.ts";
import { type Host, openHost } from "./host/host.ts";
import { flockByCall, takeLock } from "./host/lock.ts";
import type { Notifier } from "./host/notify.ts";
import { getReadyForDeath } from "./host/ready.ts";
import { leaveReady } from "./host/run.ts";
import { lockFile } from "./initialize.ts";
import type { Say } from "./log.ts";
import type { DirectorMetrics } from "./metrics.ts";
import { type Outcome, reconcile } from "./reconcile.ts";

/** Milliseconds between the starts of two runs in a burst of events. */
const BURST = 100;
/** Milliseconds before a lock that another run holds is tried again. */
const BUSY = 250;
/** Milliseconds before a stream is opened anew: doubled on each failure, up to the second. */
const BACK_OFF = [200, 10_000] as const;

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

/** Keeps the host converged until the signal is aborted. Whatever fails, what is in force stays in force. */
export async function watch(options: WatchOptions): Promise<void> {
  const { say, signal, notify } = options;
  const bell = makeBell(signal);
  const said = new Set<string>();
  let watched = open(options.read());
  let streams = new AbortController();
  const follow = (): Promise<unknown> => {
    const until = AbortSignal.any([signal, streams.signal]);
    const { docker, config } = watched;
    return Promise.all([
      keepOpen((opened) => docker.follow(until, opened, bell.ring), bell.ring, until, say),
      keepOpen((opened) => followAddresses(config.device, until, opened, bell.ring), bell.ring, until, say),
    ]);
  };
  let following = follow();
  options.onReread(() => {
    try {
      watched = open(options.read());
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      for (const line of error.message.split("\n")) say("error", `${line}; the old configuration stays`);
      return;
    }
    say("info", "the configuration has been read anew");
    streams.abort();
    streams = new AbortController();
    following = follow();
    bell.ring();
  });
  const flock = flockByCall();
  const pulse = keepAlive(notify);
  const inhabitants = remember();
  let ready = false;
  const metrics = await openMetrics(watched.config, () => ready, say);
  while (!signal.aborted) {
    const started = performance.now();
    const { config, host } = watched;
    pulse.busy();
    try {
      const outcome = await lockedRun(config, host, flock);
      if (!ready) notify.ready();
      ready = true;
      metrics?.ran(secondsSince(started), outcome.decision, outcome.plan.changes, inhabitants.same(outcome));
      const rung = bell.answered();
      if (rung !== null) metrics?.inForce(secondsSince(rung));
      report(outcome, said, say);
      lookAhead(host, outcome);
    } catch (error) {
      if (error instanceof Overtaken) continue;
      if (!(error instanceof HostError || error instanceof ConfigError)) throw error;
      // somebody runs `ocdd` by hand just now: what woke us is looked at when he has done
      if (error instanceof HostError && error.fault === "busy") setTimeout(bell.ring, BUSY);
      const remedy = error instanceof HostError && error.remedy !== undefined ? ` (${error.remedy})` : "";
      metrics?.failed(secondsSince(started), error instanceof HostError ? error.fault : "config");
      once(said, "error", `${error.message}${remedy}; what is in force stays`, say);
    }
    pulse.idle();
    getReadyForDeath();
    await bell.wait(BURST - (performance.now() - started), config.syncInterval * 1000);
  }
  notify.stopping();
  pulse.end();
  leaveReady();
  await following;
}

/** Counts and tells, for those who have set METRICS_LISTEN; the library is loaded for them alone. */
async function openMetrics(config: Config, ready: () => boolean, say: Say): Promise<DirectorMetrics | null> {
  if (config.metricsListen === null) return null;
  const { directorMetrics, tellHealth } = await import("./metrics.ts");
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

/** Milliseconds after which a run that has not ended counts as hung; every call in it has a deadline below that. */
const HUNG = 60_000;

/** Tells the supervisor that the loop turns: always while it waits, and for a bounded time while it works. */
function keepAlive(notify: Notifier): { busy: () => void; idle: () => void; end: () => void } {
  let since: number | null = null;
  const tick = (): void => {
    if (since === null || performance.now() - since < HUNG) notify.alive();
  };
  const timer = notify.interval === null ? undefined : setInterval(tick, notify.interval / 3);
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

function open(config: Config): Watched {
  const docker = connectDocker({ socket: config.dockerSocket, ...config.api });
  return { config, docker, host: openHost(config, docker) };
}

/** Asks about the addresses that come next, while nobody waits for them. What fails here fails when it matters. */
function lookAhead(host: Host, { decision }: Outcome): void {
  host.probe([], decision.spare).catch(() => undefined);
}

async function lockedRun(
  config: Config,
  host: Host,
  flock: ReturnType<typeof flockByCall>,
): Promise<Outcome> {
  const release = await takeLock(lockFile(config), flock);
  try {
    const now = (): number => Math.floor(Date.now() / 1000);
    return await reconcile(config, host, { now, apply: true, yes: false, secondLook: 3_000 });
  } finally {
    await release();
  }
}

/** Says a standing condition when it arises, not at every run that finds it again. */
function once(said: Set<string>, level: "warning" | "error", line: string, say: Say): void {
  if (!said.has(line)) say(level, line);
  said.add(line);
}

function report({ decision, plan }: Outcome, said: Set<string>, say: Say): void {
  const standing = new Set(decision.warnings);
  for (const line of said) if (!standing.has(line)) said.delete(line);
  for (const line of standing) once(said, "warning", line, say);
  const { changes } = plan;
  if (changes.length === 0) return;
  say(
    "info",
    `${changes.length} changes: ${changes.slice(0, 4).join("; ")}${changes.length > 4 ? "; ..." : ""}`,
  );
}

/** Opens a stream again whenever it ends; every opening is a reason to look, since something may have been missed. */
async function keepOpen(
  stream: (opened: () => void) => Promise<void>,
  wake: () => void,
  signal: AbortSignal,
  say: Say,
): Promise<void> {
  let pause: number = BACK_OFF[0];
  while (!signal.aborted) {
    try {
      await stream(() => {
        pause = BACK_OFF[0];
        wake();
      });
    } catch (error) {
      if (!(error instanceof HostError)) throw error;
      if (pause === BACK_OFF[0]) say("warning", `${error.message}; trying again`);
    }
    await pausing(pause, signal);
    pause = Math.min(pause * 2, BACK_OFF[1]);
  }
}
