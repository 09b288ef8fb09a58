/**
 * Starts services that sleep when they are visited. The visitor's first packet waits in the kernel meanwhile; it is
 * released when the alias leads to the container, or refused when that cannot be. Longer than most files: the transitions
 * between the phases are to be seen together.
 */
import { EventEmitter, once } from "node:events";
import type { Ipv4 } from "../core/addresses/ipv4.ts";
import { type Flow, flowKey } from "../core/lifecycle/flow.ts";
import type { Service } from "../core/model.ts";
import { reasonOf } from "../host/docker/error.ts";
import { QUEUE_LENGTH } from "../host/kernel/queue/queue.ts";
import { unlessAborted } from "../platform/abort.ts";
import { after } from "../platform/timer.ts";
import { makePlace, type Phase, type Place, stateOf } from "./place.ts";
import { EndedError } from "./readiness.ts";
import { verdictsOn } from "./verdicts.ts";
import type { Acts, Waker } from "./waker-types.ts";

/** Milliseconds until a failed start is tried again: doubled each time, up to the second. */
const RETRY_MS = [5_000, 300_000] as const;
/** Milliseconds after which a browser gets a page in place of a connection that waits. */
const PATIENCE_MS = 3_000;
const HTTP_PORT = 80;
/** Times a container is started for one visit: it may be stopped by a command just then. */
const MOST_STARTS = 3;
/** Packets that wait, of all aliases together: the kernel drops the packets of every alias once its queue is full. */
const MOST_HELD = (QUEUE_LENGTH * 3) / 4;
/** Packets to aliases of which nothing is known yet, at most. */
const MOST_EARLY = 256;
/** Milliseconds by which Docker's list may follow a start on a loaded machine. */
const LIST_LAG_MS = 10_000;

const idOf = ({ instances }: Service): string => instances[0]?.id ?? "";

const isStarting = ({ phase }: Place): boolean => phase === "starting";

const isHttp = ({ protocol, port }: Flow): boolean => protocol === "tcp" && port === HTTP_PORT;

/** `timer` is that of the times in which something has to be ready, and of the page. */
export function makeWaker(acts: Acts, timer: typeof after = after): Waker {
  const places = new Map<Ipv4, Place>();
  const room = { free: MOST_HELD };
  const { letIn, refuse, release } = verdictsOn(acts, () => places.values());
  const open = new Set<string>();
  const shut = new Set<string>();
  const failed = new Map<string, string>();
  /** Container id → resolves when it has been stopped, or could not be. A container may take an hour for it. */
  const stopping = new Map<string, Promise<void>>();
  /** Ends the start in progress of one place. */
  const starts = new Map<Place, AbortController>();
  /** Ends the starts in progress: the process must not wait for them when it ends. */
  const closing = new AbortController();
  /** Containers that have ended since the observation began on which the next decision is made. */
  const ended = new Set<string>();
  /** Packets to aliases of which nothing is known yet. */
  const early: { readonly id: number; readonly flow: Flow }[] = [];

  const changes = new EventEmitter().setMaxListeners(0);
  const enter = (place: Place, phase: Phase): void => {
    place.phase = phase;
    place.since = acts.now();
    place.checking = false;
    if (phase !== "starting" && phase !== "failed") place.paged = false;
    if (phase === "awake" || phase === "failed") place.visited = null;
    changes.emit(place.service.address);
  };
  /** From now on TCP port 80 leads to the page; those that wait for it are led there. */
  const showPage = async (place: Place): Promise<void> => {
    const { phase } = place;
    if (!(await acts.page(place.service)) || place.phase !== phase) return;
    place.paged = true;
    for (const id of place.held.take(isHttp)) acts.decide(id, "release");
  };
  /** The next visit is to start it again, a browser's too. */
  const hidePage = async (place: Place): Promise<void> => {
    if (place.phase !== "failed" || !place.paged) return;
    place.paged = false;
    await acts.shut(place.service);
  };
  const fail = (place: Place, error: unknown, woken: boolean): void => {
    const { service } = place;
    const ms = acts.now() - place.since;
    const retryMs = Math.min(RETRY_MS[0] * 2 ** place.failures, RETRY_MS[1]);
    place.failures += 1;
    place.retryAt = acts.now() + retryMs;
    place.reason = reasonOf(error);
    enter(place, "failed");
    failed.set(idOf(service), place.reason);
    refuse(place);
    acts.note(service, { kind: "failed", ms, reason: place.reason, retryMs, woken });
    acts.look(service);
    showPage(place).catch(() => undefined);
    timer(retryMs, () => void hidePage(place).catch(() => undefined), { ref: false });
  };
  /** What has failed so far says nothing of the next start. */
  const forgive = (place: Place): void => {
    place.failures = 0;
    place.retryAt = 0;
    place.reason = null;
    failed.delete(idOf(place.service));
  };

  const isPlace = (place: Place): boolean => places.get(place.service.address) === place;

  /** The alias still belongs to this service, in the same container. */
  const isSame = (place: Place, service: Service): boolean =>
    isPlace(place) && idOf(place.service) === idOf(service);

  /**
   * Has the alias lead to the container, once that is ready. False when it does not run, or the place has changed. A
   * container that ends while the rule is written is checked again.
   */
  const openWhenReady = async (place: Place, service: Service, signal: AbortSignal): Promise<boolean> => {
    for (;;) {
      const { ends } = place;
      const started = await acts.ready(service, place.held.ports, signal);
      if (started === null || !isSame(place, service)) return false;
      open.add(idOf(service));
      await acts.open(service, started);
      if (ends === place.ends) return true;
      open.delete(idOf(service));
      await acts.shut(service);
      signal.throwIfAborted();
    }
  };

  /** From "starting" to "awake" or "failed"; back to what it was when it is only to be `watched` and does not run. */
  const start = async (place: Place, watched = false): Promise<void> => {
    const { service, reason: before } = place;
    const began = acts.now();
    enter(place, "starting");
    failed.delete(idOf(service));
    const seconds = service.sleep?.settings.timeout ?? 0;
    const late = new AbortController();
    starts.set(place, late);
    const signal = AbortSignal.any([late.signal, closing.signal]);
    const cancel = timer(seconds * 1000, () => {
      const why = stopping.has(idOf(service))
        ? "it was still being stopped after"
        : "it was not ready within";
      late.abort(new Error(`${why} ${seconds} s`));
    });
    const slow = timer(PATIENCE_MS, () => {
      if (isStarting(place)) showPage(place).catch(() => undefined);
    });
    try {
      const stop = stopping.get(idOf(service));
      if (stop !== undefined) await unlessAborted(stop, signal);
      let isOpen = false;
      for (let tries = 0; !isOpen && isSame(place, service) && tries < (watched ? 1 : MOST_STARTS); tries++) {
        if (!watched) await acts.start(service, signal);
        place.checking = true;
        changes.emit(service.address);
        // false when it was just being stopped
        isOpen = await openWhenReady(place, service, signal);
      }
      if (!isSame(place, service)) return restart(place, service);
      if (!isOpen && !watched) throw new Error("it does not run");
      if (!isOpen) return backToSleep(place, before);
      const { visited: came } = place;
      enter(place, "awake");
      place.failures = 0;
      place.reason = null;
      const waited = came === null ? null : acts.now() - came;
      const ms = acts.now() - began;
      acts.note(service, { kind: "ready", ms, held: place.held.size, woken: !watched, waited });
      acts.look(service);
      await letIn(place);
    } catch (error) {
      open.delete(idOf(service));
      if (closing.signal.aborted) return;
      if (!isSame(place, service)) restart(place, service);
      // it was started and stopped by others: the next visit starts it, and does not wait for a back-off
      else if (watched && error instanceof EndedError) backToSleep(place, before);
      else fail(place, error, !watched);
    } finally {
      cancel();
      slow();
      if (starts.get(place) === late) starts.delete(place);
    }
  };
  /** Another container has taken the place of the one that was started: what waits now waits for that one. */
  const restart = (place: Place, before: Service): void => {
    open.delete(idOf(before));
    if (!isPlace(place)) return;
    if (place.held.size > 0) void start(place);
    else enter(place, "asleep");
    acts.look(place.service);
  };
  /** It only seemed to run. */
  const backToSleep = (place: Place, reason: string | null): void => {
    if (reason !== null) failed.set(idOf(place.service), reason);
    enter(place, reason === null ? "asleep" : "failed");
    // these came meanwhile
    if (reason !== null && acts.now() < place.retryAt) refuse(place);
    else wakeForHeld(place);
  };

  /** It was not stopped after all, unless it has ended since. */
  const reopen = async (place: Place, ends: number): Promise<void> => {
    const { service } = place;
    try {
      open.add(idOf(service));
      await acts.open(service, { address: service.sleep?.open.target ?? null });
      if (place.ends !== ends) throw new Error("it has ended");
      enter(place, "awake");
      await letIn(place);
    } catch {
      open.delete(idOf(service));
      await start(place, true);
    }
  };

  /** What waits for it is what starts it. */
  const wakeForHeld = (place: Place): void => {
    for (const flow of place.held.flows()) void visited(place, flow, acts.now());
  };

  /** A visit starts it now. While it is being stopped as well: that wait has the limits of a start. */
  const isStartable = ({ phase, service }: Place): boolean =>
    phase === "asleep" || phase === "failed" || (phase === "falling" && stopping.has(idOf(service)));

  const visited = async (place: Place, flow: Flow, at: number): Promise<void> => {
    const visit = await acts.isVisit(place.service, flow).catch(() => true);
    if (!visit) {
      for (const one of place.held.take((other) => flowKey(other) === flowKey(flow)))
        acts.decide(one, "refuse");
      return;
    }
    if (place.phase !== "awake") place.visited ??= at;
    if (!isStartable(place)) return;
    acts.note(place.service, { kind: "visit", flow });
    await start(place);
  };

  const updateOne = (service: Service): void => {
    const place = places.get(service.address) ?? makePlace(service, acts.now(), room);
    places.set(service.address, place);
    const isOther = idOf(place.service) !== idOf(service);
    if (isOther) {
      forgive(place);
      for (const set of [open, shut]) set.delete(idOf(place.service));
      if (isStarting(place)) starts.get(place)?.abort(new Error("another container has its name"));
      else enter(place, "asleep");
    }
    place.service = service;
    // these came while the other container was being stopped
    if (isOther && place.phase === "asleep") wakeForHeld(place);
    const asleep =
      service.state === "asleep" || (service.state === "failed" && service.forward?.target === null);
    const waits = service.forward?.waits === true;
    // decided before its end was known
    if (!waits && ended.has(idOf(service))) return;
    const { phase } = place;
    if (asleep && phase === "awake" && !open.has(idOf(service))) enter(place, "asleep");
    // it was started by a command, or this process was started meanwhile
    else if (waits && !asleep && phase === "asleep" && !shut.has(idOf(service))) void start(place, true);
    else if (!waits && phase !== "awake" && phase !== "falling" && phase !== "starting") {
      enter(place, "awake");
      void letIn(place);
    }
  };

  const arrived = (id: number, flow: Flow): void => {
    const place = places.get(flow.destination);
    if (place === undefined) {
      // its rule is in force a moment before the run that has written it tells which service it is
      if (early.length >= MOST_EARLY) acts.decide(id, "drop");
      else if (early.push({ id, flow }) === 1) acts.look(null);
    } else if (place.phase === "awake" || (place.paged && isHttp(flow))) {
      // it came before the rule was changed, and meets the new one now
      release(place, id, flow);
    } else if (place.phase === "failed" && acts.now() < place.retryAt) {
      acts.decide(id, "refuse");
    } else {
      for (const old of place.held.keep(id, flow)) acts.decide(old, "drop");
      if (isStartable(place)) void visited(place, flow, acts.now());
      else place.visited ??= acts.now();
    }
  };

  const hasEnded = (container: string): void => {
    ended.add(container);
    open.delete(container);
    for (const place of places.values()) {
      if (idOf(place.service) !== container) continue;
      place.ends += 1;
      if (place.phase === "awake") enter(place, "asleep");
    }
  };

  return {
    open,
    shut,
    failed,
    arrived,
    asked(flow) {
      const place = places.get(flow.destination);
      if (place?.phase === "asleep") void visited(place, flow, acts.now());
    },
    update(services) {
      const wanted = new Set(services.map(({ address }) => address));
      for (const [alias, place] of places) {
        if (wanted.has(alias)) continue;
        refuse(place);
        places.delete(alias);
        changes.emit(alias);
        for (const set of [open, shut, failed]) set.delete(idOf(place.service));
      }
      for (const service of services) updateOne(service);
      for (const { id, flow } of early.splice(0)) {
        if (places.has(flow.destination)) arrived(id, flow);
        else acts.decide(id, "refuse");
      }
    },
    observing: () => ended.clear(),
    ended: hasEnded,
    started(container) {
      for (const place of places.values())
        if (idOf(place.service) === container && place.phase === "failed") void start(place, true);
    },
    notRunning(container) {
      if (!open.has(container)) return;
      const place = [...places.values()].find(({ service }) => idOf(service) === container);
      if (place?.phase === "awake" && acts.now() - place.since > LIST_LAG_MS) hasEnded(container);
    },
    async fallAsleep(alias, reason) {
      const place = places.get(alias);
      if (place?.phase !== "awake") return false;
      const { service, ends } = place;
      const id = idOf(service);
      // shut first, then look: what came before is seen, and what comes later waits
      enter(place, "falling");
      shut.add(id);
      let kept: string | null = null;
      let note: string | null = null;
      const stopped = Promise.withResolvers<void>();
      try {
        await acts.shut(service);
        if (await acts.busy(service)) kept = "it is used again";
        else {
          const stop = acts.stop(service);
          open.delete(id);
          stopping.set(id, stopped.promise);
          if (isSame(place, service)) wakeForHeld(place);
          note = await stop;
        }
      } catch (error) {
        kept = reasonOf(error);
      }
      shut.delete(id);
      stopping.delete(id);
      // a start that has begun meanwhile goes on from here, and finds what has become of the container
      const isOver = isSame(place, service) && !isStarting(place);
      if (isOver) {
        forgive(place);
        enter(place, kept === null ? "asleep" : "falling");
      }
      stopped.resolve();
      acts.note(service, kept === null ? { kind: "stopped", reason, note } : { kind: "kept", reason: kept });
      if (kept === null) acts.look(service);
      if (isOver && kept === null) wakeForHeld(place);
      else if (isOver) await reopen(place, ends);
      return kept === null;
    },
    wake(alias, by) {
      const place = places.get(alias);
      if (place === undefined || !isStartable(place)) return;
      if (place.phase === "failed" && acts.now() < place.retryAt) return;
      acts.note(place.service, { kind: "asked", by });
      void start(place);
    },
    places: () => new Map([...places].map(([alias, place]) => [alias, stateOf(place)])),
    place(alias) {
      const place = places.get(alias);
      return place && stateOf(place);
    },
    async changed(alias, signal) {
      await once(changes, alias, { signal });
    },
    queueLost() {
      // the numbers of packets begin again with the next queue
      for (const { held } of places.values()) held.take();
      early.length = 0;
    },
    close() {
      closing.abort(new Error("the process ends"));
      for (const place of places.values()) refuse(place);
      for (const { id } of early.splice(0)) acts.decide(id, "refuse");
    },
  };
}
