/** The containers that a name on the command line means. */
import { meant } from "../config/nearest.ts";
import type { Container, Decision, Observation } from "../model.ts";

/** Containers of one name, or the known name that was meant; null where none is near to it. */
export type Found = { readonly containers: readonly Container[] } | { readonly meant: string | null };

/**
 * A name is a service's, in the zone or fully qualified; else that of a stopped service whose address is on hold; else a
 * container's.
 */
export function findNamed(
  name: string,
  zone: string,
  { services, desired }: Pick<Decision, "services" | "desired">,
  seen: Pick<Observation, "containers" | "stopped">,
): Found {
  const all = new Map([...seen.containers, ...(seen.stopped ?? [])].map((one) => [one.id, one]));
  const label = labelIn(zone, name);
  const served = services.filter(({ names }) => names.includes(label));
  const onHold = desired.table.leases.filter(
    (lease) => lease.releasedAt !== null && lease.names.includes(label),
  );
  const ids =
    served.length > 0
      ? served.flatMap(({ instances }) => instances.map(({ id }) => id))
      : onHold.map(({ container }) => container);
  const found = ids.flatMap((id) => all.get(id) ?? []);
  const named = found.length > 0 ? found : [...all.values()].filter((one) => one.name === name);
  if (named.length > 0) return { containers: named };
  const known = [...services.flatMap(({ names }) => names), ...[...all.values()].map((one) => one.name)];
  return { meant: meant(name, known) };
}

/** The containers whose id, in hexadecimal digits, begins with this text of four of them or more. */
export function containersWithId(
  text: string,
  { containers, stopped = [] }: Pick<Observation, "containers" | "stopped">,
): readonly Container[] {
  return /^[0-9a-f]{4,64}$/.test(text)
    ? [...containers, ...stopped].filter(({ id }) => id.startsWith(text))
    : [];
}

/** A name relative to the zone, in lower case, of one that may be fully qualified. */
export function labelIn(zone: string, name: string): string {
  const short = name.toLowerCase().replace(/\.$/, "");
  return short.endsWith(`.${zone}`) ? short.slice(0, -zone.length - 1) : short;
}
