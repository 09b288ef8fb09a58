/** What `watch` follows: Docker's events, lost aliases, changes of the firewall by other programs. */
import type { Config } from "../core/config/config.ts";
import { pathsOf } from "../core/paths.ts";
import type { Say } from "../daemon/log.ts";
import { reconnecting } from "../daemon/reconnecting.ts";
import type { Wakeup } from "../daemon/wakeup.ts";
import { eventLog } from "../host/disk/event-log.ts";
import { connectActions } from "../host/docker/actions.ts";
import { connectDocker, type Docker } from "../host/docker/client.ts";
import { connectCreation } from "../host/docker/creation.ts";
import { type Exits, makeExits } from "../host/docker/exits.ts";
import type { DockerEvent } from "../host/docker/json.ts";
import { connectMethods } from "../host/docker/methods.ts";
import { lookOnce } from "../host/docker/view.ts";
import { type Host, openHost } from "../host/host.ts";
import { followAddresses } from "../host/kernel/addresses.ts";
import { followFirewall } from "../host/kernel/netfilter-events.ts";
import type { Unanswered } from "../host/observe.ts";
import { type Lifecycle, openLifecycle } from "../lifecycle/lifecycle.ts";
import { backgroundReaper } from "../lifecycle/methods/try-reaper.ts";
import type { WakerEvent } from "../lifecycle/waker-types.ts";
import type { Pending } from "./pending.ts";
import { revokeEnded } from "./revoke.ts";

/** What one configuration watches: a client that also follows events, and the host seen with it. */
export interface Watched {
  readonly config: Config;
  readonly docker: Docker;
  readonly exits: Exits;
  readonly host: Host;
  readonly lifecycle: Lifecycle;
  /** Removes what an `ocdd try` that was killed has left; nothing waits for it. */
  readonly reap: () => void;
}

export interface Requests {
  readonly pending: Pending;
  readonly wakeup: Wakeup;
  readonly say: Say;
  /** What the lifecycle tells, for the metrics. */
  readonly heard?: (event: WakerEvent) => void;
  /** The containers that do not answer. */
  readonly unanswered?: Unanswered;
}

export function openWatched(config: Config, { pending, wakeup, say, heard, unanswered }: Requests): Watched {
  const engine = { socket: config.dockerSocket, ...config.api };
  const docker = connectDocker(engine);
  const exits = makeExits(() => performance.now());
  const look = (container: string): void => {
    pending.add({ action: "", container, network: "" });
    wakeup.wakeSoon();
  };
  const gate: Host["gate"] = (container, forward, network) => host.gate(container, forward, network);
  const lifecycle = openLifecycle({
    config,
    docker: connectActions(engine),
    methods: connectMethods(engine),
    list: () => lookOnce(docker),
    gate,
    look,
    say,
    ...(heard === undefined ? {} : { heard }),
  });
  const host = openHost(config, {
    docker,
    exits,
    gates: lifecycle.gates,
    observing: lifecycle.observing,
    ...(unanswered === undefined ? {} : { unanswered }),
  });
  const { tries: directory, events } = pathsOf(config);
  const reaper = { directory, docker: () => connectCreation(engine), events: eventLog(events) };
  return { config, docker, exits, host, lifecycle, reap: backgroundReaper(reaper, say) };
}

export interface Followers {
  readonly pending: Pending;
  readonly wakeup: Wakeup;
  readonly signal: AbortSignal;
  readonly say: Say;
  /** Carries something out under the lock of runs; not at all when another `ocdd` holds it. */
  readonly locked: (act: () => Promise<void>) => Promise<void>;
}

export interface Following {
  /** A run begins and holds the lock: addresses that disappear meanwhile may be removed by the run itself. */
  runBegins(): void;
  /** It has ended: an alias that should exist now and was lost is to be repaired. */
  runEnded(): void;
  /** Has a run observe a container again once Docker's list may show its present state. */
  lookLater(container: string): void;
  close(): Promise<void>;
}

/** Milliseconds by which Docker's list may follow its events. */
const LIST_LAG_MS = 1_000;

/** Milliseconds until a container that was created and may sleep is observed. */
const CREATED_MS = 250;

export interface EventHandling {
  readonly host: Pick<Host, "revoke" | "withdraw" | "admit">;
  readonly exits: Exits;
  /** A container has ended. */
  readonly ended?: (container: string) => void;
  /** A container has been started. */
  readonly started?: (container: string) => void;
  /** A container has been created that is served although it does not run. */
  readonly created?: (container: string) => void;
  /** Has the next run observe what the event is about. */
  readonly look: (event: DockerEvent) => void;
  /** The same for a container that has ended. */
  readonly lookSoon: (event: DockerEvent) => void;
  readonly say: Say;
}

/** Handles a Docker event. */
export function eventHandler({
  host,
  exits,
  ended,
  started,
  created,
  look,
  lookSoon,
  say,
}: EventHandling): (event: DockerEvent) => void {
  return (event) => {
    // one that does not run is no service, unless it may sleep
    if (event.action === "create") {
      if (event.wakes) created?.(event.container);
      return;
    }
    if (event.action === "pause") ended?.(event.container);
    if (event.action === "start" || event.action === "unpause") started?.(event.container);
    // the observation after the end itself sees that the endpoint is gone
    if (event.action === "disconnect" && exits.ended().has(event.container)) return;
    if (exits.note(event.action, event.container)) {
      ended?.(event.container);
      revokeEnded(host, event.container, say);
      return lookSoon(event);
    }
    // what fails here fails again in the run, which reports it
    const admitted =
      event.action === "start" ? host.admit(event.container).catch(() => undefined) : undefined;
    if (admitted === undefined) look(event);
    else void admitted.then(() => look(event));
  };
}

/** Follows all streams until closed; each is opened again when it ends, and everything is observed then. */
export function followHost(watched: Watched, { pending, wakeup, signal, say, locked }: Followers): Following {
  const { config, docker, exits, host, lifecycle } = watched;
  const own = new AbortController();
  const until = AbortSignal.any([signal, own.signal]);
  const lookAtAll = (): void => {
    host.invalidate();
    pending.addAll();
    wakeup.wake();
  };
  const look = (event: DockerEvent): void => {
    pending.add(event);
    wakeup.wake();
  };
  const lookSoon = (event: DockerEvent): void => {
    pending.add(event);
    wakeup.wakeSoon();
  };
  lifecycle.start();
  let running = false;
  /** A teardown that is in progress, or a run by hand, has the lock: what this process has written last is out of date then. */
  const underLock = (act: () => Promise<void>): Promise<void> => (running ? act() : locked(act));
  const withdrawing = { ...host, withdraw: () => underLock(host.withdraw) };
  const firewallChanged = (): void => {
    // Docker puts its jumps before OCDD's while it starts, and answers no request until then; the run repeats what fails here
    underLock(host.reassert).then(lookAtAll, lookAtAll);
  };
  // most are started at once, and are observed then
  const created = (container: string): void => {
    setTimeout(() => look({ action: "", container, network: "" }), CREATED_MS).unref();
  };
  const onEvent = eventHandler({
    host: withdrawing,
    exits,
    ended: lifecycle.ended,
    started: lifecycle.started,
    created,
    look,
    lookSoon,
    say,
  });
  let lostMeanwhile: string[] = [];
  const lost = (address: string): void => {
    if (running) lostMeanwhile.push(address);
    else if (host.holds(address)) lookAtAll();
  };
  const streams = Promise.all([
    reconnecting(
      "lost Docker's event stream",
      (opened) => docker.follow(until, opened, onEvent),
      lookAtAll,
      until,
      say,
    ),
    reconnecting(
      "`ip monitor` ended",
      (opened) => followAddresses(config.device, until, opened, lost),
      lookAtAll,
      until,
      say,
    ),
    reconnecting(
      "lost the kernel's firewall notifications",
      (opened) => followFirewall(until, opened, firewallChanged),
      lookAtAll,
      until,
      say,
    ),
  ]);
  return {
    runBegins() {
      running = true;
    },
    runEnded() {
      running = false;
      if (lostMeanwhile.some((address) => host.holds(address))) lookAtAll();
      lostMeanwhile = [];
    },
    lookLater(container) {
      const again = (): void => {
        if (host.unsettled().includes(container)) look({ action: "", container, network: "" });
      };
      setTimeout(again, LIST_LAG_MS).unref();
    },
    async close() {
      own.abort();
      await streams;
      await lifecycle.close();
      host.close();
    },
  };
}
