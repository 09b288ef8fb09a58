/** Metrics for Prometheus. */
import { Counter, Gauge, Histogram, Registry } from "prom-client";
import type { Family } from "../core/methods/exposition.ts";
import type { MethodFigures } from "../core/methods/figures.ts";
import { merged } from "../core/methods/merge.ts";
import type { Decision } from "../core/model.ts";
import type { Step } from "../core/plan.ts";
import { SKIP_CODES } from "../core/services/skipped.ts";
import { version } from "../platform/version.ts";
import { methodMetrics } from "./method-metrics.ts";
import { processMetrics } from "./process-metrics.ts";
import { answerTimes, type ServerCounters, serverFigures } from "./server-metrics.ts";
import type { MakeMetric } from "./settable.ts";

/** What the director counts. */
export interface DirectorMetrics {
  readonly text: () => Promise<string>;
  /** A run that succeeded. `repairs`: those of its steps that repair what another program had changed. */
  readonly ran: (
    seconds: number,
    decision: Decision,
    steps: readonly Step[],
    repairs: readonly Step[],
  ) => void;
  /** A run that failed, by fault. */
  readonly failed: (seconds: number, fault: string) => void;
  /** Seconds from a Docker event to the end of the run that it started. */
  readonly inForce: (seconds: number) => void;
  /** A service that slept is ready; `waited`: seconds since its first visitor came, null where none did. */
  readonly woke: (waited: number | null) => void;
  /** A service that slept could not be started. */
  readonly notWoken: () => void;
  /** A service was stopped because it was not used. */
  readonly stopped: () => void;
}

/** Read at each scrape. */
export interface Sleepers {
  /** Services that are asleep. */
  readonly asleep: number;
  /** Connections and flows that wait for a container. */
  readonly held: number;
}

/** The metric that every process has, with the version that runs. */
const BUILD = ["ocdd_build_info", "1, with the version of OCDD", ["version"]] as const;

const SECONDS = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

/** From a visit that unpauses a container to one that waits for a large program. */
const WAKE_SECONDS = [0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 30, 60];

/** Both are asked at each scrape; `methods` puts the metrics that it is given, those of the process, in its text. */
export function directorMetrics(
  sleepers: () => Sleepers,
  methods: (own: readonly Family[]) => Promise<MethodFigures>,
): DirectorMetrics {
  const registers = [new Registry()];
  const runs = new Histogram({
    name: "ocdd_run_seconds",
    help: "Duration of runs by result",
    labelNames: ["result"],
    buckets: SECONDS,
    registers,
  });
  const inForce = new Histogram({
    name: "ocdd_event_in_force_seconds",
    help: "Time from a Docker event until the change is active",
    buckets: SECONDS,
    registers,
  });
  const changes = new Counter({
    name: "ocdd_changes_total",
    help: "Changes made, by kind; drift: repairs of what another program had changed",
    labelNames: ["kind", "drift"],
    registers,
  });
  const gauge = (name: string, help: string, label?: string): Gauge =>
    new Gauge({ name, help, registers, labelNames: label === undefined ? [] : [label] });
  const services = gauge("ocdd_services", "Containers served");
  const failing = gauge("ocdd_services_failed", "Services whose last start has failed");
  const unhealthy = gauge("ocdd_services_unhealthy", "Services whose health check fails");
  const silent = gauge(
    "ocdd_services_unanswered",
    "Services that run and accept no connection on their ports",
  );
  const skipped = gauge("ocdd_skipped", "Containers not served, by reason", "reason");
  const addresses = gauge("ocdd_addresses", "Addresses of the range by state", "state");
  const docker = gauge("ocdd_docker_up", "1 when Docker answered the last run");
  const last = gauge("ocdd_last_run_timestamp_seconds", "Time of the last successful run");
  const wakes = new Counter({
    name: "ocdd_wakes_total",
    help: "Starts of services that slept, by result",
    labelNames: ["result"],
    registers,
  });
  for (const result of ["ready", "failed"]) wakes.inc({ result }, 0);
  const wake = new Histogram({
    name: "ocdd_wake_seconds",
    help: "Time from a visit until its first packet was released to the container",
    buckets: WAKE_SECONDS,
    registers,
  });
  const idleStops = new Counter({
    name: "ocdd_idle_stops_total",
    help: "Services stopped because they were not used",
    registers,
  });
  const asleep = gauge("ocdd_asleep", "Services that are asleep");
  const held = gauge("ocdd_held_packets", "Connections and flows that wait for a container");
  const make = settableIn(registers);
  make(...BUILD).set({ version: version() }, 1);
  const setMethods = methodMetrics(make);
  return {
    async text() {
      const now = sleepers();
      asleep.set(now.asleep);
      held.set(now.held);
      const figures = await methods(await processMetrics());
      setMethods(figures);
      // the registry's text ends with a line break
      return (await (registers[0] as Registry).metrics()) + figures.text;
    },
    ran(seconds, decision, steps, repairs) {
      runs.observe({ result: "ok" }, seconds);
      const repairing = new Set(repairs);
      for (const step of steps) changes.inc({ kind: step.kind, drift: String(repairing.has(step)) });
      services.set(decision.services.length);
      failing.set(decision.services.filter(({ failure }) => failure !== undefined).length);
      unhealthy.set(decision.services.filter(({ health }) => health === "unhealthy").length);
      silent.set(decision.services.filter(({ unanswered }) => unanswered === true).length);
      for (const reason of SKIP_CODES)
        skipped.set({ reason }, decision.skipped.filter(({ code }) => code === reason).length);
      const { used, held, conflict, reserved, free } = decision.range;
      for (const [state, n] of Object.entries({ used, held, conflict, reserved, free }))
        addresses.set({ state }, n);
      // the name of `held` until 2.0, kept for dashboards until 3.0
      addresses.set({ state: "rest" }, held);
      docker.set(1);
      last.setToCurrentTime();
    },
    failed(seconds, fault) {
      runs.observe({ result: fault }, seconds);
      if (fault === "docker") docker.set(0);
    },
    inForce: (seconds) => inForce.observe(seconds),
    woke(waited) {
      wakes.inc({ result: "ready" });
      if (waited !== null) wake.observe(waited);
    },
    notWoken: () => wakes.inc({ result: "failed" }),
    stopped: () => idleStops.inc(),
  };
}

/** Metrics whose values are counted elsewhere. */
const settableIn =
  (registers: Registry[]): MakeMetric =>
  (name, help, labels) => {
    const settings = { name, help, labelNames: [...labels], registers };
    if (!name.endsWith("_total")) return new Gauge(settings);
    const counter = new Counter(settings);
    // it begins at zero after a reset
    return { reset: () => counter.reset(), set: (of, n) => counter.inc(of, n) };
  };

/** Prometheus text of the server; `read` is called at each scrape. */
export function serverMetrics(read: () => ServerCounters): () => Promise<string> {
  const registry = new Registry();
  const make = settableIn([registry]);
  make(...BUILD).set({ version: version() }, 1);
  const set = serverFigures(make);
  return async () => {
    const now = read();
    set(now);
    const own = merged(new Map(), [answerTimes(now.answers), ...(await processMetrics())]);
    return (await registry.metrics()) + own.text;
  };
}
