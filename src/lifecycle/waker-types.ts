/** What the waker does on the host, what it tells, and what can be asked of it. */
import type { Ipv4 } from "../core/addresses/ipv4.ts";
import type { Flow } from "../core/lifecycle/flow.ts";
import type { Service } from "../core/model.ts";
import type { Verdict } from "../host/kernel/queue/queue.ts";
import type { PlaceState } from "./place.ts";

/** What the waker does with one service. All reject with Error; the message is for people. */
export interface Acts {
  /** Whether this packet is a visit. */
  isVisit(service: Service, flow: Flow): Promise<boolean>;
  /** Starts the container and what it needs. */
  start(service: Service, signal: AbortSignal): Promise<void>;
  /** Resolves when the container is ready; null when it does not run. `ports`: TCP ports asked for so far. */
  ready(service: Service, ports: () => readonly number[], signal: AbortSignal): Promise<Started | null>;
  /** Stops the container, or pauses it. With what is to be said about it, or null. */
  stop(service: Service): Promise<string | null>;
  /** Has the alias lead to its container, or its first packets wait: in force when it resolves. */
  open(service: Service, started: Started): Promise<void>;
  shut(service: Service): Promise<void>;
  /** Has TCP port 80 of the alias lead to the page that says what is going on. False where there is no such page. */
  page(service: Service): Promise<boolean>;
  /** Whether a connection is open or just being opened. Asked while first packets wait. */
  busy(service: Service): Promise<boolean>;
  /** A decision of the director's has to follow: about one service, or about all. */
  look(service: Service | null): void;
  decide(id: number, verdict: Verdict): void;
  /** For the log: a line about a service. */
  note(service: Service, event: WakerEvent): void;
  /** Milliseconds of a monotonic clock. */
  now(): number;
}

/** The container's address, where it is known from its start. */
export interface Started {
  readonly address: Ipv4 | null;
}

export type WakerEvent =
  | { readonly kind: "visit"; readonly flow: Flow }
  | { readonly kind: "asked"; readonly by: string }
  | {
      readonly kind: "ready";
      readonly ms: number;
      readonly held: number;
      /** This process has started it: it was not started by hand and only looked at. */
      readonly woken: boolean;
      /** Milliseconds since the first visitor came; null where none has. */
      readonly waited: number | null;
    }
  | {
      readonly kind: "failed";
      readonly ms: number;
      readonly reason: string;
      readonly retryMs: number;
      readonly woken: boolean;
    }
  | { readonly kind: "stopped"; readonly reason: string; readonly note: string | null }
  | { readonly kind: "kept"; readonly reason: string };

export interface Waker {
  arrived(id: number, flow: Flow): void;
  /** A request has come for the page. Its connection may have been led there before the service fell asleep: then it is a visit too. */
  asked(flow: Flow): void;
  /** What the next `update` tells is as old as this moment. */
  observing(): void;
  /** The services that may sleep, as the director has decided last. */
  update(services: readonly Service[]): void;
  /** The container has ended: by itself, by a command, or by this process. */
  ended(container: string): void;
  /** The container has been started, by this process or by another. */
  started(container: string): void;
  /** Docker's list shows that the container does not run. The list may be older than its start, and its end may be missed. */
  notRunning(container: string): void;
  /** Stops one that is awake, unless a connection to it is open. True when it has been stopped. */
  fallAsleep(alias: Ipv4, reason: string): Promise<boolean>;
  /** Starts one without a visit, because another service is started or a command asks for it. */
  wake(alias: Ipv4, by: string): void;
  places(): ReadonlyMap<Ipv4, PlaceState>;
  place(alias: Ipv4): PlaceState | undefined;
  /** Resolves at the next change of what `place` gives; rejects when the signal is aborted. */
  changed(alias: Ipv4, signal: AbortSignal): Promise<void>;
  /** Container ids: ready, and about to be stopped; and why a start has failed. */
  readonly open: ReadonlySet<string>;
  readonly shut: ReadonlySet<string>;
  readonly failed: ReadonlyMap<string, string>;
  /** The kernel has dropped all that waited, with its queue. */
  queueLost(): void;
  /** Ends the starts in progress, without a failure of theirs, and refuses all that wait. */
  close(): void;
}
