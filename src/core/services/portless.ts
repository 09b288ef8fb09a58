/** Services that get no packets: the guard lets none through, since the bridge port of their container is not found. */
import { perObject } from "../memo.ts";
import type { Observation, Service } from "../model.ts";
import { isNear } from "../moment.ts";

/** Seconds after which a running container has a bridge port. */
const SETTLED = 10;

const marked = perObject<Service, Service>();

/**
 * The service, marked where that is so; `now` is in seconds since the epoch. Where the firewall is not seen, what `watch` has found counts.
 */
export function withPort(
  service: Service,
  seen: Pick<Observation, "firewall" | "portless">,
  now: number,
): Service {
  const { state, started, forward, instances } = service;
  const isMissing =
    seen.firewall.unguarded === null
      ? // one that has just started or is about to end has none for a moment
        forward?.bridgePort === null && started !== undefined && !isNear(started.latest, now, SETTLED)
      : instances.some(({ id }) => seen.portless?.has(id) === true);
  return isMissing && state === "running"
    ? marked(service, "", () => ({ ...service, portless: true }))
    : service;
}

/** Why such a service gets no packets; null for all others. */
export const portlessReason = ({ portless }: Pick<Service, "portless">): string | null =>
  portless === true ? "the port of its bridge is not found" : null;

/** What helps. */
export const PORTLESS_REMEDY =
  "a director that runs in a container needs the host's PID namespace: `--pid host`";
