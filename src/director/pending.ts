/** What has changed on the host since the last run, as far as it is known. */
import type { DockerEvent } from "../host/docker/json.ts";
import type { Scope } from "../host/observe.ts";

export interface Pending {
  /** A container's event. */
  add(event: DockerEvent): void;
  /** Anything may have changed. */
  addAll(): void;
  /** What a run that begins now has to look at, and when the first event of it came (a monotonic clock's milliseconds). */
  take(): Taken;
}

export interface Taken {
  /** Everything when not given. */
  readonly scope: Scope | undefined;
  readonly since: number | null;
}

/** Events in one run above which everything is looked at: a list costs less than so many questions. */
const MOST_EVENTS = 64;

/** `now` gives milliseconds of a monotonic clock. */
export function makePending(now: () => number): Pending {
  let events: DockerEvent[] = [];
  let everything = true;
  let since: number | null = null;
  return {
    add(event) {
      since ??= now();
      events.push(event);
    },
    addAll() {
      everything = true;
    },
    take() {
      const taken = { scope: everything || events.length > MOST_EVENTS ? undefined : { events }, since };
      events = [];
      everything = false;
      since = null;
      return taken;
    },
  };
}
