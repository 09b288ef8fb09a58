/** Reads from the kernel's connection tracking how services are used just now. */
import { parseCidr } from "../core/addresses/ipv4.ts";
import { countsFor, type Looked, type Timeouts, type Use, usage } from "../core/lifecycle/usage.ts";
import type { Observation, Service } from "../core/model.ts";
import { readFlows } from "../host/kernel/flows/flows.ts";
import { readTimeouts } from "../host/kernel/flows/timeouts.ts";
import type { Netlink } from "../host/kernel/netlink.ts";

export interface UseParts {
  /** Of NETLINK_NETFILTER, or why there is none. */
  readonly netfilter: { readonly calls: Netlink } | { readonly reason: string };
  /** The last observation. */
  readonly seen: () => Pick<Observation, "containers" | "addresses">;
  /** Milliseconds of a monotonic clock. */
  readonly now: () => number;
}

/** Milliseconds for which the kernel's timeouts are not read again. */
const TIMEOUTS_MS = 60_000;

/** Alias → use, of these services; each call reads the list once. Rejects when connection tracking cannot be read. */
export function useReader({
  netfilter,
  seen,
  now,
}: UseParts): (services: readonly Service[]) => Promise<ReadonlyMap<Service["address"], Use>> {
  let known: { readonly at: number; readonly timeouts: Promise<Timeouts> } | undefined;
  const timeouts = (): Promise<Timeouts> => {
    if (known === undefined || now() - known.at > TIMEOUTS_MS)
      known = { at: now(), timeouts: readTimeouts() };
    return known.timeouts;
  };
  return async (services) => {
    if ("reason" in netfilter) throw new Error(netfilter.reason);
    const { containers, addresses } = seen();
    const attached = new Map(containers.map(({ id, attachments }) => [id, attachments]));
    const looked = services.map(({ address: alias, sleep, instances: [instance] }): Looked => {
      // a published port may lead to its address in another network than the alias does
      const others = (attached.get(instance?.id ?? "") ?? []).flatMap(({ address }) => address ?? []);
      return {
        alias,
        container: [...(sleep?.open.target ? [sleep.open.target] : []), ...others],
        ignored: (sleep?.settings.ignore ?? []).flatMap((cidr) => parseCidr(cidr) ?? []),
      };
    });
    const own = new Set(addresses.map(({ address }) => address));
    const kernel = await timeouts();
    return usage(readFlows(netfilter.calls), kernel, countsFor(looked, own));
  };
}
