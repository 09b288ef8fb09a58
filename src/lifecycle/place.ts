/** One alias whose service may sleep: its phase, and the packets that wait for it. */
import { type Held, makeHeld, type Room } from "../core/lifecycle/held.ts";
import type { Service } from "../core/model.ts";

/** `starting`: also while it is checked. `falling`: it is about to be stopped. */
export type Phase = "asleep" | "starting" | "awake" | "falling" | "failed";

/** One alias whose service may sleep. */
export interface Place {
  service: Service;
  readonly held: Held;
  phase: Phase;
  /** When the phase began. */
  since: number;
  /** When the first visitor came that still waits, or sees the page; null while there is none. */
  visited: number | null;
  failures: number;
  /** While it has failed: from then on a visit is tried again. */
  retryAt: number;
  reason: string | null;
  /** It has been started and is being checked. */
  checking: boolean;
  /** How often its container has ended: what was found out before is out of date then. */
  ends: number;
  /** TCP port 80 leads to the page. */
  paged: boolean;
  /** Flows released lately: one that comes back again and again has met no rule. */
  readonly released: Map<string, number>;
}

/** What is known of one alias. */
export interface PlaceState {
  readonly service: Service;
  readonly phase: Phase;
  readonly checking: boolean;
  readonly paged: boolean;
  readonly since: number;
  readonly reason: string | null;
  readonly retryAt: number;
  readonly held: number;
}

export const makePlace = (service: Service, now: number, room: Room): Place => ({
  service,
  held: makeHeld(room),
  phase: "asleep",
  since: now,
  visited: null,
  failures: 0,
  retryAt: 0,
  reason: null,
  checking: false,
  ends: 0,
  paged: false,
  released: new Map(),
});

export const stateOf = ({
  held,
  released: _,
  failures: __,
  ends: ___,
  visited: ____,
  ...place
}: Place): PlaceState => ({
  ...place,
  held: held.size,
});
