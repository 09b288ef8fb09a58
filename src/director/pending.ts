/** What has changed on the host since the last run, as far as it is known. */
import type { DockerEvent } from "../host/docker/json.ts";
import type { Scope } from "../host/observe.ts";

export interface Pending {
  /** A container's event. */
  add(event: DockerEvent): void;
  /** Anything may have changed. */
  addAll(): void;
  /** Whether the next run observes everything. */
  isWhole(): boolean;
  /**
   * What a run that begins now has to observe, and when its first event arrived (milliseconds of a monotonic clock). Ends
   * come first, alone: their names are removed without a request to Docker, which answers late while it starts a container.
   */
  take(): Taken;
}

export interface Taken {
  /** Everything when not given. */
  readonly scope: Scope | undefined;
  readonly since: number | null;
  /** Docker has announced one of the changes: not all of them have been noticed otherwise. */
  readonly announced: boolean;
  /** Another run has to follow. */
  readonly more: boolean;
}

/** Above so many events in one run everything is observed: one list costs less than so many requests. */
const MOST_EVENTS = 64;

const ENDING: ReadonlySet<string> = new Set(["die", "disconnect"]);
const BACK: ReadonlySet<string> = new Set(["connect", "start"]);

/** Ends and lost endpoints of containers that have not come back since. */
function endsOf(events: readonly DockerEvent[]): DockerEvent[] {
  const back = (i: number): boolean =>
    events.slice(i).some(({ action, container }) => BACK.has(action) && container === events[i]?.container);
  return events.filter(({ action }, i) => ENDING.has(action) && !back(i));
}

/** `now` gives milliseconds of a monotonic clock. */
export function makePending(now: () => number): Pending {
  let events: DockerEvent[] = [];
  let everything = true;
  let since: number | null = null;
  const isWhole = (): boolean => everything || events.length > MOST_EVENTS;
  return {
    isWhole,
    add(event) {
      since ??= now();
      events.push(event);
    },
    addAll() {
      everything = true;
    },
    take() {
      const whole = isWhole();
      const ends = whole ? [] : endsOf(events);
      const now = ends.length > 0 ? ends : events;
      const announced = now.some(({ action }) => action !== "");
      const more = now.length < events.length;
      const taken = { scope: whole ? undefined : { events: now }, since, announced, more };
      const taking = new Set(now);
      events = events.filter((event) => !taking.has(event));
      everything = false;
      if (!taken.more) since = null;
      return taken;
    },
  };
}
