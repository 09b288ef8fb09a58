/** Services that are not served at the moment: their container has stopped, and their address is on hold. */
import type { Ipv4 } from "../addresses/ipv4.ts";
import { isHeld } from "../addresses/lease.ts";
import type { Config } from "../config/config.ts";
import type { Decision, Observation } from "../model.ts";

/** One of them. */
export interface StoppedService {
  readonly name: string;
  readonly names: readonly string[];
  readonly fqdn: string;
  readonly address: Ipv4;
  /** Name of its container; null where it is not known any more. */
  readonly container: string | null;
  /** It does not exist any more. */
  readonly removed: boolean;
  /** Seconds since the epoch: until then no other service gets the address or the name. */
  readonly until: number;
}

/** Its state in a word. */
export const stoppedWord = ({ removed }: StoppedService): string => (removed ? "removed" : "stopped");

/** In the order of their names; `now` is in seconds since the epoch. */
export function stoppedServices(
  { zone, addressHold }: Pick<Config, "zone" | "addressHold">,
  { services, desired }: Pick<Decision, "services" | "desired">,
  seen: Pick<Observation, "containers" | "stopped" | "actual">,
  now: number,
): StoppedService[] {
  const served = new Set(services.map(({ name }) => name as string));
  const nameOf = new Map([...seen.containers, ...(seen.stopped ?? [])].map(({ id, name }) => [id, name]));
  return desired.table.leases
    .flatMap((lease): StoppedService[] => {
      const { names, address, container, releasedAt } = lease;
      const [name] = names;
      if (name === undefined || releasedAt === null || served.has(name)) return [];
      if (!isHeld(lease, now, addressHold)) return [];
      return [
        {
          name,
          names,
          fqdn: `${name}.${zone}`,
          address,
          container: nameOf.get(container) ?? seen.actual.history.get(name)?.container ?? null,
          removed: seen.stopped !== undefined && !nameOf.has(container),
          until: releasedAt + addressHold,
        },
      ];
    })
    .sort((a, b) => (a.name < b.name ? -1 : 1));
}
