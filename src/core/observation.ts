/** What was seen on the host, piece by piece → one observation: which of it is ours, and how far the leases can be believed. */

import { contains, type Ipv4 } from "./addresses/ipv4.ts";
import type { Config } from "./config/config.ts";
import { parseFirewall } from "./forwards/firewall.ts";
import type {
  BridgePort,
  Container,
  DeviceAddress,
  LeaseTable,
  Network,
  Observation,
  TableName,
} from "./model.ts";
import type { PageTemplate } from "./page/template.ts";

/** How reading the leases ended: the table, or why there is none. */
export type LeasesRead =
  | { readonly status: "read" | "previous"; readonly table: LeaseTable }
  | { readonly status: "absent" | "unreadable" };

/** The pieces, as Docker, `ip`, `iptables-save` and the disk gave them. */
export interface Sighting {
  readonly containers: readonly Container[];
  readonly networks: readonly Network[];
  readonly dead?: ReadonlySet<string> | undefined;
  readonly links: {
    readonly devices: readonly string[];
    readonly addresses: readonly DeviceAddress[];
    readonly bridgePorts: readonly BridgePort[];
  };
  /** Text of iptables-save by table. */
  readonly tables: ReadonlyMap<TableName, string>;
  readonly leases: LeasesRead;
  /** Where the leases are kept, for messages. */
  readonly leasesFile: string;
  readonly zone: string;
  readonly page: string;
  readonly services: string;
  readonly template?: PageTemplate;
}

/** Joins the pieces. */
export function observationOf(config: Config, seen: Sighting): Observation {
  const { links, leases } = seen;
  const firewall = parseFirewall(seen.tables, config.pool);
  const inPool = (address: Ipv4): boolean => config.pool.some((range) => contains(range, address));
  const leased = new Set("table" in leases ? leases.table.leases.map((lease) => lease.address) : []);
  const isAlias = (a: DeviceAddress): boolean =>
    a.prefix === 32 &&
    (a.label.endsWith(":ocdd") ||
      (inPool(a.address) && (leased.has(a.address) || firewall.originals.has(a.address))));
  const aliases = links.addresses.filter(isAlias);
  // a leases file that is gone while its aliases are here is as bad as a torn one
  const somethingOfOurs = aliases.length > 0 || firewall.forwards.length > 0;
  const lost = leases.status === "unreadable" || (leases.status === "absent" && somethingOfOurs);
  return {
    actual: {
      table: "table" in leases ? leases.table : { leases: [], conflicts: [], hairpins: [] },
      firewall: firewall.firewall,
      aliases,
      zone: seen.zone,
      page: seen.page,
      services: seen.services,
      hairpins: links.bridgePorts.filter((port) => port.hairpin).map((port) => port.name),
    },
    containers: seen.containers,
    networks: seen.networks,
    addresses: links.addresses,
    devices: links.devices,
    bridgePorts: links.bridgePorts,
    leasesIntact: !lost,
    leasesStale: lost || leases.status === "previous",
    notices: noticesOf(leases, lost, seen.leasesFile),
    dockerUser: firewall.dockerUser,
    forwards: firewall.forwards,
    ...(seen.dead === undefined ? {} : { dead: seen.dead }),
    ...(seen.template === undefined ? {} : { template: seen.template }),
  };
}

function noticesOf(read: LeasesRead, lost: boolean, file: string): string[] {
  if (read.status === "previous") return [`${file} cannot be read; the one before it is used`];
  if (!lost) return [];
  const why = read.status === "absent" ? "is gone" : "cannot be read, nor can the one before it";
  return [`${file} ${why}; the leases are rebuilt from the rules in force, and all other addresses rest`];
}
