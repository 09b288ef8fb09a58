/** The loop: a Docker event, a change in the kernel or the interval starts a run. Never two runs at once. */
import type { Config } from "../core/config/config.ts";
import { HostError } from "../core/errors.ts";
import type { Service } from "../core/model.ts";
import { pathsOf } from "../core/paths.ts";
import type { Step } from "../core/plan.ts";
import { describe } from "../core/report/steps.ts";
import { counted } from "../core/text.ts";
import type { Say } from "../daemon/log.ts";
import { dedupedLog } from "../daemon/log-once.ts";
import type { Sleepers } from "../daemon/metrics.ts";
import type { Notifier } from "../daemon/sd-notify.ts";
import { debouncedWakeup } from "../daemon/wakeup.ts";
import { watchdogPing } from "../daemon/watchdog.ts";
import { recordWatchStats } from "../host/disk/watch-stats.ts";
import type { Host } from "../host/host.ts";
import { openSchedule } from "../lifecycle/methods/open-schedule.ts";
import { openPortChecks } from "../lifecycle/port-checks.ts";
import type { WakerEvent } from "../lifecycle/waker-types.ts";
import { CONFIRMATION_MS } from "./confirm.ts";
import { causeOf, failureLine } from "./failure.ts";
import { countEvent, openMetrics, type ServedMetrics } from "./metrics.ts";
import { alone } from "./only-watch.ts";
import { makePending } from "./pending.ts";
import { type Outcome, reconcile } from "./reconcile.ts";
import { type ReloadOptions, reloadable } from "./reload.ts";
import { repairFinder } from "./repairs.ts";
import { type RunLock, runLock } from "./run-lock.ts";
import { followHost, openWatched, type Watched } from "./streams.ts";

/** Milliseconds between the starts of two runs in a burst of events. */
const DEBOUNCE_MS = 100;
/** The same when a container has ended: its name still resolves. */
const DEBOUNCE_END_MS = 20;
/** Milliseconds until a failed run is tried again; doubled each time, SYNC_INTERVAL at most. */
const RETRY_MS = 1_000;
/** Milliseconds before a lock that another run holds is tried again, and until that is logged. */
const LOCK_RETRY_MS = 250;
const LOCK_LOG_MS = 10_000;

export interface WatchOptions extends ReloadOptions {
  /** The supervisor of this process. */
  readonly notify: Notifier;
  /** Ends the watch after the current run. */
  readonly signal: AbortSignal;
}

/**
 * Keeps the host converged until the signal is aborted. After a failure the current addresses and rules stay. Throws HostError
 * "busy" where another `watch` runs. Rejects else only with a fault of the program itself, and leaves nothing running then: the
 * supervisor starts it again.
 */
export async function watch(options: WatchOptions): Promise<void> {
  const config = options.read();
  // before anything is opened or written: the two would undo each other's work
  await alone(pathsOf(config).watchLock, options.signal, () => keepConverged(config, options));
}

async function keepConverged(config: Config, options: WatchOptions): Promise<void> {
  const { say, notify } = options;
  const over = new AbortController();
  const signal = AbortSignal.any([options.signal, over.signal]);
  const wakeup = debouncedWakeup(signal);
  const pending = makePending(() => performance.now());
  const log = dedupedLog(say);
  const ping = watchdogPing(notify);
  const lock = runLock(() => pathsOf(watched.config).lock);
  const repairsOf = repairFinder();
  let metrics: ServedMetrics | null = null;
  const heard = (event: WakerEvent): void => {
    if (metrics !== null) countEvent(metrics, event);
  };
  const changed = (container: string): void => {
    pending.add({ action: "", container, network: "" });
    wakeup.wake();
  };
  const ports = openPortChecks({ say, changed, store: (containers) => stats.unanswered(containers) });
  const requests = { pending, wakeup, say, heard, unanswered: ports.unanswered };
  const open = (config: Config): Watched => openWatched(config, requests);
  let watched = open(config);
  const followers = { pending, wakeup, signal, say, locked: lock.unlessBusy };
  let following = followHost(watched, followers);
  const record = (refusal: Parameters<typeof stats.reload>[0]): void => stats.reload(refusal);
  const configuration = reloadable(options, { open, wake: wakeup.wake, record });
  const stats = recordWatchStats(pathsOf(watched.config).watchStats, now);
  let ready = false;
  /** Docker has announced a change of a container since the last run that succeeded. */
  let announced = false;
  let lockedOutMs = 0;
  let retryMs = Number.POSITIVE_INFINITY;
  const sleepers = (): Sleepers => watched.lifecycle.counts();
  const methods = openSchedule({ say, changed });
  metrics = await openMetrics(watched.config, () => ready, { sleepers, methods }, say);

  const adopt = async (): Promise<void> => {
    const next = await configuration.adopt(pending.isWhole());
    if (next === undefined) return;
    for (const [key, of] of [
      ["METRICS_LISTEN", ({ metricsListen }: Config) => metricsListen],
      ["METRICS_ALLOW", ({ metricsAllow }: Config) => metricsAllow],
    ] as const)
      if (JSON.stringify(of(next.config)) !== JSON.stringify(of(watched.config)))
        say("warning", `${key} changed: restart ocdd-watch to apply`);
    await following.close();
    watched = next;
    pending.addAll();
    following = followHost(watched, followers);
  };
  const succeeded = (outcome: Outcome, since: number | null, started: number): void => {
    const { decision, plan, warnings } = outcome;
    if (!ready) {
      notify.ready();
      say("info", `watching ${counted(decision.services.length, "service")}`);
    }
    ready = true;
    lockedOutMs = 0;
    retryMs = Number.POSITIVE_INFINITY;
    const repairs = repairsOf(outcome, announced);
    announced = false;
    metrics?.ran(secondsSince(started), decision, plan.steps, repairs);
    stats.succeeded(plan.steps.length, repairs.length);
    stats.portless(portlessIn(decision.services));
    if (since !== null) metrics?.inForce(secondsSince(since));
    log.succeeded(warnings);
    logChanges(plan.steps, say);
    following.runEnded();
    watched.lifecycle.update(outcome);
    methods.update(watched.config, outcome);
    ports.update(watched.config, decision);
    watched.reap();
    for (const container of watched.host.unsettled()) following.lookLater(container);
    // probes the next free addresses while no run waits for them; a failure is reported when one is needed
    watched.host.probe([], decision.spare).catch(() => undefined);
  };
  const failed = (error: unknown, started: number): void => {
    const cause = causeOf(error);
    metrics?.failed(secondsSince(started), cause instanceof HostError ? cause.fault : "config");
    pending.addAll();
    following.runEnded();
    if (cause instanceof HostError && cause.fault === "busy") {
      // another `ocdd` is running: this run is tried again when that one has ended
      setTimeout(wakeup.wake, LOCK_RETRY_MS);
      lockedOutMs += LOCK_RETRY_MS;
      if (lockedOutMs < LOCK_LOG_MS) return;
    } else retryMs = Number.isFinite(retryMs) ? retryMs * 2 : RETRY_MS;
    ports.pause();
    log.failed(failureLine(cause));
    stats.failed(cause.message);
  };

  try {
    while (!signal.aborted) {
      const started = performance.now();
      ping.busy();
      try {
        await adopt();
        const { scope, since, more, ...taken } = pending.take();
        announced ||= taken.announced;
        if (more) wakeup.wakeSoon();
        const outcome = await lockedRun(
          watched,
          lock,
          { begins: following.runBegins, progress: ping.busy },
          scope,
        );
        succeeded(outcome, since, started);
      } catch (error) {
        failed(error, started);
      }
      ping.idle();
      const maxMs = Math.min(watched.config.syncInterval * 1000, retryMs);
      const ran = performance.now() - started;
      await wakeup.wait({ minMs: DEBOUNCE_MS - ran, soonMs: DEBOUNCE_END_MS - ran, maxMs });
      if (performance.now() - started >= maxMs) pending.addAll();
    }
  } finally {
    over.abort();
    notify.stopping();
    ping.end();
    // a disk or a firewall that fails keeps nothing from ending
    await lock.unlessBusy(watched.host.stopHolding).catch(() => undefined);
    await Promise.all([following.close(), methods.close(), ports.close(), stats.written(), metrics?.close()]);
  }
}

/** Ids of the containers whose bridge port is not found. */
const portlessIn = (services: readonly Service[]): string[] =>
  services
    .filter(({ portless }) => portless === true)
    .flatMap(({ instances }) => instances.map(({ id }) => id));

const now = (): number => Math.floor(Date.now() / 1000);
const secondsSince = (started: number): number => (performance.now() - started) / 1000;

/** One run under the lock. `progress` is called at each observation, since many slow ones are no hang. */
async function lockedRun(
  { config, host }: Watched,
  lock: RunLock,
  { begins, progress }: { readonly begins: () => void; readonly progress: () => void },
  scope: Parameters<Host["observe"]>[0],
): Promise<Outcome> {
  const observe: Host["observe"] = (what) => {
    progress();
    return host.observe(what);
  };
  const release = await lock.take();
  begins();
  try {
    const options = { now, apply: true, yes: false, confirmationMs: CONFIRMATION_MS };
    return await reconcile(
      config,
      { ...host, observe },
      { ...options, ...(scope === undefined ? {} : { scope }) },
    );
  } finally {
    await release();
  }
}

/** Changes named in one line of the log. */
const NAMED = 4;

function logChanges(steps: readonly Step[], say: Say): void {
  if (steps.length === 0) return;
  const first = steps.slice(0, NAMED).flatMap(describe);
  say(
    "info",
    `${counted(steps.length, "change")}: ${first.join("; ")}${steps.length > NAMED ? "; ..." : ""}`,
  );
}
