/** What the lifecycle has done, in words for the log and as lines for the event log. */
import { clip } from "../core/clip.ts";
import type { Flow } from "../core/lifecycle/flow.ts";
import type { Container, Service } from "../core/model.ts";
import { counted, field } from "../core/text.ts";
import type { WakerEvent } from "./waker-types.ts";

/** One line of the event log. Texts are one line of at most 256 octets; times are UTC. */
export interface LoggedEvent {
  readonly time: string;
  /** The service's name; null for a container that is started because another one needs it. */
  readonly service: string | null;
  readonly container: string;
  readonly event: "start" | "ready" | "failed" | "stop" | "kept" | "update" | "create" | "remove";
  readonly reason: string | null;
  /** Milliseconds from the start. */
  readonly ms?: number;
  /** `ready`: visitors that waited. */
  readonly visitors?: number;
  /** `failed`: seconds until a visit tries again. */
  readonly retry?: number;
}

/** For the log of `watch`. */
export function eventLine(service: Service, event: WakerEvent): string {
  const { name } = service;
  switch (event.kind) {
    case "visit":
    case "asked":
      return `${name} is started: ${whyStarted(event)}`;
    case "ready":
      return `${name} is ready after ${Math.round(event.ms)} ms, ${counted(event.held, "visitor")} waited`;
    case "failed":
      return `${name} could not be started: ${clip(event.reason, 300)}; the next visit after ${event.retryMs / 1000} s tries again`;
    case "stopped":
      return `${name} is stopped: ${event.reason}${event.note === null ? "" : `; ${event.note}`}`;
    case "kept":
      return `${name} is not stopped: ${clip(event.reason, 300)}`;
  }
}

/** For the event log; `now` is in milliseconds since the epoch. */
export function loggedEvent(
  { name, instances: [instance] }: Pick<Service, "name" | "instances">,
  event: WakerEvent,
  now: number,
): LoggedEvent {
  const head = headOf(name, instance?.name ?? "", now);
  switch (event.kind) {
    case "visit":
    case "asked":
      return { ...head, event: "start", reason: field(whyStarted(event)) };
    case "ready":
      return { ...head, event: "ready", reason: null, ms: Math.round(event.ms), visitors: event.held };
    case "failed":
      return {
        ...head,
        event: "failed",
        reason: field(event.reason),
        ms: Math.round(event.ms),
        retry: event.retryMs / 1000,
      };
    case "stopped":
      return { ...head, event: "stop", reason: field(event.reason) };
    case "kept":
      return { ...head, event: "kept", reason: field(event.reason) };
  }
}

/** A container is started because a service needs it. */
export const neededEvent = (container: Pick<Container, "name">, by: string, now: number): LoggedEvent => ({
  ...headOf(null, container.name, now),
  event: "start",
  reason: field(`needed by ${by}`),
});

/** A command has started or stopped a container, or could not. */
export const commandEvent = (
  container: Pick<Container, "name">,
  event: LoggedEvent["event"],
  reason: string,
  now: number,
): LoggedEvent => ({ ...headOf(null, container.name, now), event, reason: field(reason) });

const headOf = (service: string | null, container: string, now: number) => ({
  time: new Date(now).toISOString(),
  service,
  container: field(container) ?? "?",
});

function whyStarted(event: Extract<WakerEvent, { kind: "visit" | "asked" }>): string {
  return event.kind === "visit" ? `visited by ${flowText(event.flow)}` : `asked for by ${event.by}`;
}

const flowText = ({ source, protocol, port }: Flow): string =>
  protocol === "icmp" ? `${source}, ping` : `${source}, ${protocol} port ${port}`;
