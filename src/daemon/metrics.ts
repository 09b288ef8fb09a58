/** Metrics for Prometheus, and health for a supervisor. */
import { createServer } from "node:http";
import { Counter, Gauge, Histogram, Registry } from "prom-client";
import type { Endpoint } from "../core/config/endpoints.ts";
import type { MethodFigures } from "../core/methods/figures.ts";
import type { Decision } from "../core/model.ts";
import type { Step } from "../core/plan.ts";
import { SKIP_CODES } from "../core/services/skipped.ts";
import type { Say } from "./log.ts";
import { type MakeMetric, methodMetrics, type Settable } from "./method-metrics.ts";

/** What a process answers about itself. */
export interface Health {
  /** The process works; if not, it should be restarted. */
  readonly live: () => boolean;
  /** Its first work is done; if not, no load should be sent to it yet. */
  readonly ready: () => boolean;
  /** Prometheus text. */
  readonly metrics: () => Promise<string>;
}

/** Answers /metrics, /livez and /readyz on a loopback address. A port in use is logged; nothing else depends on it. */
export function serveHealth(at: Endpoint, health: Health, say: Say): { readonly close: () => void } {
  const server = createServer((request, response) => {
    const verdict = (good: boolean): void => {
      response.writeHead(good ? 200 : 503, { "content-type": "text/plain; charset=utf-8" });
      response.end(good ? "ok\n" : "not ok\n");
    };
    const path = request.url?.split("?")[0];
    if (path === "/livez") verdict(health.live());
    else if (path === "/readyz") verdict(health.ready());
    else if (path === "/metrics") {
      health.metrics().then(
        (text) => response.writeHead(200, { "content-type": Registry.PROMETHEUS_CONTENT_TYPE }).end(text),
        () => verdict(false),
      );
    } else response.writeHead(404).end();
  });
  server.requestTimeout = 5_000;
  server.maxConnections = 32;
  server.on("error", (error: NodeJS.ErrnoException) => {
    say("error", `cannot listen on ${at.address}:${at.port} for metrics (${error.code ?? error.message})`);
  });
  server.listen(at.port, at.address);
  server.unref();
  return { close: () => server.close() };
}

/** What the director counts. */
export interface DirectorMetrics {
  readonly text: () => Promise<string>;
  /** A run that succeeded. `drift`: no container had changed. */
  readonly ran: (seconds: number, decision: Decision, steps: readonly Step[], drift: boolean) => void;
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

const SECONDS = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

/** From a visit that unpauses a container to one that waits for a large program. */
const WAKE_SECONDS = [0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 30, 60];

/** Both are asked at each scrape. */
export function directorMetrics(
  sleepers: () => Sleepers,
  methods: () => Promise<MethodFigures>,
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
    help: "Changes made, by kind; drift: repairs, made although no container had changed",
    labelNames: ["kind", "drift"],
    registers,
  });
  const gauge = (name: string, help: string, label?: string): Gauge =>
    new Gauge({ name, help, registers, labelNames: label === undefined ? [] : [label] });
  const services = gauge("ocdd_services", "Containers served");
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
  const setMethods = methodMetrics(settableIn(registers));
  return {
    async text() {
      const now = sleepers();
      asleep.set(now.asleep);
      held.set(now.held);
      const figures = await methods();
      setMethods(figures);
      // the registry's text ends with a line break
      return (await (registers[0] as Registry).metrics()) + figures.text;
    },
    ran(seconds, decision, steps, drift) {
      runs.observe({ result: "ok" }, seconds);
      for (const { kind } of steps) changes.inc({ kind, drift: String(drift) });
      services.set(decision.services.length);
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

/** A server's counters at the moment of a scrape. */
export interface ServerCounters {
  readonly types: Readonly<Record<string, number>>;
  readonly rcodes: Readonly<Record<string, number>>;
  readonly events: Readonly<Record<string, number>>;
  readonly statuses: Readonly<Record<string, number>>;
  readonly engine: string;
}

/** Prometheus text of the server; `read` is called at each scrape. */
export function serverMetrics(read: () => ServerCounters): () => Promise<string> {
  const registry = new Registry();
  const make = settableIn([registry]);
  const counter = (name: string, help: string, label: string): Settable => make(name, help, [label]);
  const types = counter("ocdd_dns_queries_total", "Queries by type", "type");
  const rcodes = counter("ocdd_dns_responses_total", "Responses by RCODE", "rcode");
  const events = counter("ocdd_dns_events_total", "Other name server events", "event");
  const statuses = counter("ocdd_http_responses_total", "Responses of the web server by status", "status");
  const engine = counter("ocdd_dns_engine", "1 for the UDP engine in use", "engine");
  return () => {
    for (const metric of [types, rcodes, events, statuses, engine]) metric.reset();
    const now = read();
    for (const [type, n] of Object.entries(now.types)) types.set({ type }, n);
    for (const [rcode, n] of Object.entries(now.rcodes)) rcodes.set({ rcode }, n);
    for (const [event, n] of Object.entries(now.events)) events.set({ event }, n);
    for (const [status, n] of Object.entries(now.statuses)) statuses.set({ status }, n);
    engine.set({ engine: now.engine }, 1);
    return registry.metrics();
  };
}
