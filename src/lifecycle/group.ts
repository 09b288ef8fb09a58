/** The instances of one service, which are started and stopped together. */
import type { Service } from "../core/model.ts";
import { groupOf } from "../core/services/identity.ts";
import type { PlaceState } from "./place.ts";

/** Services of the same group are started together. */
export const groupFor = ({ key, sleep }: Service): string => sleep?.settings.group ?? groupOf(key);

/** They are stopped together as well, unless `ocdd.wake.scale` bounds how many are started. */
export const stopsWith = (service: Service): string =>
  service.sleep?.settings.scale == null ? groupFor(service) : service.address;

/** The other instances that a visit to one starts: all, or as many as make `ocdd.wake.scale` together with those awake. */
export function wokenWith(visited: Service, places: Iterable<PlaceState>): Service[] {
  const most = visited.sleep?.settings.scale ?? Number.POSITIVE_INFINITY;
  const others = [...places].filter(
    ({ service }) => service.address !== visited.address && groupFor(service) === groupFor(visited),
  );
  // instances are stopped together: one may be just before its end
  const asleep = others.filter(({ phase }) => phase !== "awake" && phase !== "starting");
  const missing = Math.max(0, most - 1 - (others.length - asleep.length));
  return asleep.slice(0, missing).map(({ service }) => service);
}
