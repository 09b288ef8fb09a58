/** Addresses of the range that are not handed out, since the host, its routes or Docker's networks use them. */

import { clip } from "../clip.ts";
import type { Config } from "../config/config.ts";
import type { Network, Observation } from "../model.ts";
import { compareIpv4, contains, fromNumber, type Ipv4, type Range, toNumber } from "./ipv4.ts";
import { type Neighbours, NO_NEIGHBOURS } from "./neighbours.ts";

export interface Reserved {
  /** Never handed out nor kept: the host's own, network and broadcast addresses, but those of bridges. */
  readonly excluded: ReadonlySet<Ipv4>;
  /** The host's own addresses in the range, of bridges too: where no lease is in use, their traffic is not changed. */
  readonly own: readonly Ipv4[];
  /** Not given to a new owner. A container or a network that takes such an address itself ends no lease. */
  readonly avoided: ReadonlySet<Ipv4>;
  /** The reserved addresses of the range and the reasons, for people. */
  readonly notes: readonly string[];
}

/**
 * The reserved addresses of the range; `listens` are those that the servers are to answer on. Any user who may create a network
 * of Docker's gives the host a bridge with any name and address, which Docker lists before or after the kernel does: so what is
 * on a bridge, other than the device that the configuration names, is only avoided.
 */
export function reservedAddresses(
  { pool, device: clients }: Pick<Config, "pool" | "device">,
  seen: Pick<Observation, "actual" | "addresses" | "bridges" | "networks" | "containers">,
  hostIp: Ipv4,
  { nextHops, resolvers }: Neighbours = NO_NEIGHBOURS,
  listens: readonly Ipv4[] = [],
): Reserved {
  const inPool = (address: Ipv4): boolean => pool.some((range) => contains(range, address));
  const notes = new Map<Ipv4, string>();
  const ours = new Set(seen.actual.aliases.map((alias) => alias.address));
  const bridges = new Set(seen.bridges.filter((bridge) => bridge !== clients));
  const excluded = new Set<Ipv4>([hostIp]);
  const own = new Set<Ipv4>([hostIp]);
  // macvlan and ipvlan containers have addresses of the LAN itself, chosen when they are created
  const avoided = new Set(
    seen.containers.flatMap((c) => c.attachments.flatMap(({ address }) => address ?? [])),
  );
  for (const { address, prefix, device } of seen.addresses) {
    const taken = bridges.has(device) ? avoided : excluded;
    if (!ours.has(address)) {
      taken.add(address);
      own.add(address);
      if (inPool(address) && address !== hostIp)
        notes.set(address, `is an address of this host (${clip(device)})`);
    }
    if (prefix >= 31) continue;
    const size = 2 ** (32 - prefix);
    const net = Math.floor(toNumber(address) / size) * size;
    taken.add(fromNumber(net)).add(fromNumber(net + size - 1));
  }
  for (const [addresses, what] of [
    [nextHops, "is the next hop of a route of this host"],
    [resolvers, "is a name server that this host asks"],
    [listens, "is one that OCDD's servers listen on"],
  ] as const) {
    for (const address of addresses.filter(inPool)) {
      avoided.add(address);
      if (!notes.has(address)) notes.set(address, what);
    }
  }
  for (const range of pool) for (const address of endsOf24(range)) avoided.add(address);
  const overlaps = seen.networks.flatMap((network) => overlapsOf(pool, network));
  for (const { part } of overlaps)
    for (let n = toNumber(part.first); n <= toNumber(part.last); n++) avoided.add(fromNumber(n));
  return {
    excluded,
    own: [...own].filter(inPool),
    avoided,
    notes: [
      ...[...notes]
        .sort(([a], [b]) => compareIpv4(a, b))
        .map(([address, what]) => `${address} of the range ${what} and is not handed out`),
      ...overlaps.map(
        ({ network, part }) =>
          `the Docker network "${clip(network.name)}" overlaps the range: ${part.first}-${part.last} is not handed out`,
      ),
    ],
  };
}

/** First and last addresses of each /24: in a larger network, too, some devices treat them as network and broadcast address. */
function endsOf24({ first, last }: Range): Ipv4[] {
  const ends: Ipv4[] = [];
  for (let n = Math.floor(toNumber(first) / 256) * 256; n <= toNumber(last); n += 256)
    ends.push(
      ...[n, n + 255].filter((end) => end >= toNumber(first) && end <= toNumber(last)).map(fromNumber),
    );
  return ends;
}

/** A part of the range that lies in a subnet of a Docker network. */
export interface Overlap {
  readonly network: Network;
  readonly subnet: Range;
  readonly part: Range;
}

/**
 * The parts of the range that the host would route into a Docker network: only bridges are routed by the host itself. A
 * macvlan's subnet is the LAN's own, an overlay lives in a namespace of its own, and a network that is configuration
 * only has no driver.
 */
export function overlapsOf(pool: readonly Range[], network: Network): Overlap[] {
  if (network.driver !== "bridge") return [];
  return network.subnets.flatMap((subnet) =>
    pool.flatMap((range): Overlap[] => {
      const first = compareIpv4(range.first, subnet.first) > 0 ? range.first : subnet.first;
      const last = compareIpv4(range.last, subnet.last) < 0 ? range.last : subnet.last;
      return compareIpv4(first, last) > 0 ? [] : [{ network, subnet, part: { first, last } }];
    }),
  );
}
