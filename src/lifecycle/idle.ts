/** Stops services that are not used for their time. */
import type { Ipv4 } from "../core/addresses/ipv4.ts";
import type { Use } from "../core/lifecycle/usage.ts";
import type { Service } from "../core/model.ts";
import { stopsWith } from "./group.ts";
import type { PlaceState } from "./place.ts";
import type { Waker } from "./waker-types.ts";

export interface IdleParts {
  readonly waker: Pick<Waker, "places" | "fallAsleep">;
  /** How the aliases of these services are used, by connection tracking. */
  readonly usage: (services: readonly Service[]) => Promise<ReadonlyMap<Ipv4, Use>>;
  /** Tells of each service whether a container that runs needs it. */
  readonly needed: () => (service: Service) => boolean;
  /** Milliseconds of a monotonic clock. */
  readonly now: () => number;
}

/** Milliseconds between two looks at most, and at least; in between a quarter of the shortest time asked for. */
const LONGEST_MS = 20_000;
const SHORTEST_MS = 500;

export interface Idle {
  /** One look: begins to stop what has not been used for its time. Rejects when connection tracking cannot be read. */
  look(): Promise<void>;
  /** Milliseconds until the next look; null while no service asks for one. */
  pause(): number | null;
}

export function idleWatch({ waker, usage, needed, now }: IdleParts): Idle {
  /** Alias → when it was used last. */
  const used = new Map<Ipv4, number>();
  const awake = (): [Ipv4, PlaceState, number][] =>
    [...waker.places()].flatMap(([alias, place]) => {
      const idle = place.service.sleep?.settings.idle ?? null;
      return place.phase === "awake" && idle !== null ? [[alias, place, idle * 1000]] : [];
    });
  return {
    async look() {
      const candidates = awake();
      const uses =
        candidates.length === 0 ? new Map() : await usage(candidates.map(([, { service }]) => service));
      const isNeeded = needed();
      const here = new Set(candidates.map(([alias]) => alias));
      for (const alias of used.keys()) if (!here.has(alias)) used.delete(alias);
      /** Group → when one of its services was used last. */
      const last = new Map<string, number>();
      for (const [alias, { service, since }] of candidates) {
        const use = uses.get(alias);
        const active = isNeeded(service) || (use !== undefined && (use.open > 0 || use.busy));
        const seen = active ? now() : use === undefined ? since : now() - use.idle * 1000;
        const latest = Math.max(used.get(alias) ?? since, seen);
        used.set(alias, latest);
        last.set(stopsWith(service), Math.max(last.get(stopsWith(service)) ?? 0, latest));
      }
      const due = candidates.filter(
        ([, { service }, idleMs]) => now() - (last.get(stopsWith(service)) ?? 0) >= idleMs,
      );
      // not waited for: one that takes an hour to end keeps no other from being stopped
      for (const [alias, { service }] of due)
        void waker.fallAsleep(alias, `not used for ${service.sleep?.settings.idle} s`);
    },
    pause() {
      const shortest = Math.min(...awake().map(([, , idleMs]) => idleMs / 4));
      if (!Number.isFinite(shortest)) return null;
      return Math.max(SHORTEST_MS, Math.min(LONGEST_MS, shortest));
    },
  };
}
