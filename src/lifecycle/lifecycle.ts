/** Sleep and wake in one long-running process: the queue of first packets, the waker, and what stops idle services. */
import type { Config } from "../core/config/config.ts";
import { type Gates, NO_GATES } from "../core/lifecycle/gates.ts";
import { mayWake } from "../core/lifecycle/sleep.ts";
import type { Decision, Observation, Service } from "../core/model.ts";
import type { WaitingFor } from "../core/page/waiting.ts";
import { pathsOf } from "../core/paths.ts";
import type { Say } from "../daemon/log.ts";
import { eventLog } from "../host/disk/event-log.ts";
import { failuresFile } from "../host/disk/failures.ts";
import type { DockerActions } from "../host/docker/actions.ts";
import type { DockerMethods } from "../host/docker/methods.ts";
import type { Host } from "../host/host.ts";
import { openConntrack } from "../host/kernel/conntrack.ts";
import { NETLINK_NETFILTER, openNetlink } from "../host/kernel/netlink.ts";
import { openQueue, QUEUE_NUMBER, type Queue } from "../host/kernel/queue/queue.ts";
import { after } from "../platform/timer.ts";
import { actsOn } from "./acts.ts";
import { eventLine, loggedEvent, neededEvent } from "./event-texts.ts";
import { wokenWith } from "./group.ts";
import { idleWatch } from "./idle.ts";
import { type Known, neededIn } from "./needs.ts";
import type { PlaceState } from "./place.ts";
import { useReader } from "./use.ts";
import { serveWaitingPage } from "./waiting-page.ts";
import { makeWaker } from "./waker.ts";
import type { WakerEvent } from "./waker-types.ts";

export interface LifecycleParts {
  readonly config: Config;
  readonly docker: DockerActions;
  readonly methods: DockerMethods;
  /** All containers as Docker lists them now. */
  readonly list: () => Promise<Pick<Observation, "containers" | "stopped">>;
  readonly gate: Host["gate"];
  /** Has a run observe a container again, now. */
  readonly look: (container: string) => void;
  readonly say: Say;
  /** For the metrics. */
  readonly heard?: (event: WakerEvent) => void;
}

export interface Lifecycle {
  /** From now on this process reads the queue, where a container may sleep. */
  start(): void;
  /** What decides which packets wait. */
  gates(seen: Pick<Observation, "containers" | "stopped">): Gates;
  /** An observation begins. */
  observing(): void;
  /** A run has put this in force. */
  update(outcome: { readonly seen: Observation; readonly decision: Decision }): void;
  /** A container has ended, by Docker's event. */
  ended(container: string): void;
  /** A container has been started, by Docker's event. */
  started(container: string): void;
  /** Services that are asleep, and flows that wait. */
  counts(): SleepCounts;
  close(): Promise<void>;
}

/** As of now. */
export interface SleepCounts {
  readonly asleep: number;
  readonly held: number;
}

/** Milliseconds until a queue that could not be read is tried again. */
const RETRY_MS = 10_000;

/** Nothing is opened before a service that may sleep exists. */
export function openLifecycle({
  config,
  docker,
  methods,
  list,
  gate,
  look,
  say,
  heard,
}: LifecycleParts): Lifecycle {
  let seen: Known & Pick<Observation, "addresses"> = { containers: [], addresses: [] };
  let queue: Queue | undefined;
  let started = false;
  let retryAt = 0;
  let closed = false;
  const stored = failuresFile(pathsOf(config).failures);
  const events = eventLog(pathsOf(config).events);
  const netfilter = openNetlink(NETLINK_NETFILTER);
  let page: ReturnType<typeof serveWaitingPage> | undefined;
  let pagePort: number | undefined;
  const now = (): number => performance.now();

  const usageOf = useReader({ netfilter, seen: () => seen, now });
  const idOf = ({ instances }: Service): string => instances[0]?.id ?? "";
  const waker = makeWaker({
    ...actsOn({
      config,
      docker,
      methods,
      gate,
      conntrack: openConntrack(netfilter),
      pagePort: async () => (config.wakePage ? (await servePage()).port : undefined),
      seen: () => seen,
      list,
      startedFor: (container, by) => events.add(neededEvent(container, by, Date.now())),
      useOf: async (service) => (await usageOf([service])).get(service.address),
      needed: (service) => needed()(service),
    }),
    look: (service) => look(service === null ? "" : idOf(service)),
    decide: (id, verdict) => queue?.decide(id, verdict),
    note: (service, event) => {
      stored.store(waker.failed);
      events.add(loggedEvent(service, event, Date.now()));
      heard?.(event);
      say(event.kind === "failed" ? "warning" : "info", eventLine(service, event));
      if (event.kind === "visit")
        for (const { address } of wokenWith(service, waker.places().values()))
          waker.wake(address, service.name);
    },
    now,
  });
  /** Opened when it is needed first. */
  const servePage = async (): ReturnType<typeof serveWaitingPage> => {
    page ??= serveWaitingPage({
      waiting: (alias) => waitingFor(waker.place(alias), now()),
      changed: waker.changed,
      asked: waker.asked,
    });
    const server = await page;
    pagePort = server.port;
    return server;
  };
  const needed = (): ((service: Service) => boolean) => {
    const starting = [...waker.places().values()].filter(({ phase }) => phase === "starting");
    return neededIn(seen, new Set(starting.map(({ service }) => idOf(service))));
  };
  const idle = idleWatch({ waker, usage: usageOf, needed, now });

  /** Reads the queue from now on: the next run leads packets there. */
  const listen = (): void => {
    if (!started || queue !== undefined || now() < retryAt) return;
    const failed = (error: unknown): void => {
      queue = undefined;
      waker.queueLost();
      retryAt = now() + RETRY_MS;
      const reason = error instanceof Error ? error.message : String(error);
      say("warning", `visits cannot start services: ${reason}; packets to stopped services are refused`);
      look("");
    };
    try {
      const opened = openQueue(QUEUE_NUMBER, waker.arrived, failed);
      if ("calls" in opened) queue = opened.calls;
      else failed(opened.reason);
    } catch (error) {
      failed(error);
    }
  };

  let cancel: (() => void) | undefined;
  const schedule = (): void => {
    const pause = idle.pause();
    if (cancel !== undefined || pause === null || closed) return;
    cancel = after(pause, () => {
      // what is stopped is started again by visits only
      (queue === undefined ? Promise.resolve() : idle.look())
        .catch((error: unknown) => say("warning", `cannot see which services are used: ${String(error)}`))
        .finally(() => {
          cancel = undefined;
          schedule();
        });
    });
  };

  return {
    start() {
      started = true;
    },
    gates({ containers, stopped = [] }) {
      if ([...containers, ...stopped].some((container) => mayWake(container, config))) listen();
      for (const { id } of stopped) waker.notRunning(id);
      const { open, shut, failed } = waker;
      if (queue === undefined) return { ...NO_GATES, failed };
      const paged = new Set([...waker.places()].flatMap(([alias, place]) => (place.paged ? alias : [])));
      const shown = pagePort === undefined ? {} : { page: pagePort, paged };
      return { queue: QUEUE_NUMBER, ...shown, open, shut, failed };
    },
    update(outcome) {
      seen = outcome.seen;
      const services = outcome.decision.services.filter(({ sleep }) => sleep !== null);
      waker.update(services);
      schedule();
    },
    observing: waker.observing,
    ended: waker.ended,
    started: waker.started,
    counts() {
      const places = [...waker.places().values()];
      return {
        asleep: places.filter(({ phase }) => phase === "asleep").length,
        held: places.reduce((sum, { held }) => sum + held, 0),
      };
    },
    async close() {
      closed = true;
      cancel?.();
      waker.close();
      await queue?.close();
      await (await page)?.close();
      stored.store(new Map());
      await Promise.all([stored.written(), events.written()]);
      if ("calls" in netfilter) netfilter.calls.close();
    },
  };
}

/** What the page says of a service. */
function waitingFor(place: PlaceState | undefined, now: number): WaitingFor | "ready" | undefined {
  if (place === undefined) return undefined;
  const { service, phase, checking, since, reason, retryAt } = place;
  if (phase === "awake") return "ready";
  const about = { name: service.name, fqdn: service.fqdn, since: (now - since) / 1000 };
  if (phase === "failed") return { ...about, phase, reason, retry: Math.max(0, (retryAt - now) / 1000) };
  return { ...about, phase: checking ? "checking" : "starting", reason: null, retry: null };
}
