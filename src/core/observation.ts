/** The parts read from the host → one observation: what of it is OCDD's, and whether the leases are intact. */
import { contains, type Ipv4 } from "./addresses/ipv4.ts";
import { NO_LEASES } from "./addresses/lease.ts";
import type { Neighbours } from "./addresses/neighbours.ts";
import type { Config } from "./config/config.ts";
import { hostAddress } from "./config/host-check.ts";
import { type DataPath, type LegacyForward, NO_DATA_PATH } from "./forwards/forward.ts";
import type { Gates } from "./lifecycle/gates.ts";
import type { Results } from "./methods/results.ts";
import type {
  BridgePort,
  Container,
  DeviceAddress,
  FirewallSeen,
  LeaseTable,
  Network,
  Observation,
  PageFiles,
} from "./model.ts";
import type { ServiceHistory } from "./page/history.ts";
import type { PageTemplate } from "./page/template.ts";
import type { ZoneOnDisk } from "./zone/zone-file.ts";

/** The result of reading the leases: the table, or why there is none. */
export type LeasesRead =
  | { readonly status: "read" | "previous"; readonly table: LeaseTable }
  | { readonly status: "absent" | "unreadable" };

/** The data path as one reading found it. */
export interface DataPathSeen {
  readonly dataPath: DataPath;
  readonly firewall: FirewallSeen;
  /** What rules of the bash script OctoCopDD forward. */
  readonly legacy: readonly LegacyForward[];
}

/** For an observation without the firewall. */
export const NOTHING_SEEN: DataPathSeen = {
  dataPath: NO_DATA_PATH,
  firewall: { backend: "iptables", unguarded: "not checked", obstacles: [], iptables: false },
  legacy: [],
};

/** The parts, as read from Docker, the kernel and the disk. */
export interface Sighting {
  readonly containers: readonly Container[];
  readonly stopped?: readonly Container[];
  readonly networks: readonly Network[];
  readonly ended?: ReadonlySet<string> | undefined;
  readonly links: {
    readonly devices: readonly string[];
    readonly bridges: readonly string[];
    readonly addresses: readonly DeviceAddress[];
    readonly bridgePorts: readonly BridgePort[];
  };
  readonly path: DataPathSeen;
  readonly leases: LeasesRead;
  /** Where the leases are kept, for messages. */
  readonly leasesFile: string;
  /** The parsed zone file; `host` is the host's own address, undefined where it has none. */
  readonly readZone: (host: Ipv4 | undefined) => ZoneOnDisk;
  /** Messages about the observation itself. */
  readonly notices?: readonly string[];
  readonly page: PageFiles;
  readonly lastRun?: string;
  readonly self: string;
  readonly history: ServiceHistory;
  readonly template?: PageTemplate;
  readonly neighbours?: Neighbours;
  readonly gates?: Gates;
  /** The last results of methods. */
  readonly results?: Results;
  /** Ids of containers that do not answer. */
  readonly unanswered?: ReadonlySet<string>;
  /** Ids of containers whose bridge port is not found. */
  readonly portless?: ReadonlySet<string>;
}

/** Joins the parts. */
export function observationOf(config: Config, seen: Sighting): Observation {
  const { links, leases, path } = seen;
  const inPool = (address: Ipv4): boolean => config.pool.some((range) => contains(range, address));
  const leased = new Set("table" in leases ? leases.table.leases.map((lease) => lease.address) : []);
  const legacy = new Set(path.legacy.map(({ alias }) => alias));
  const isAlias = (a: DeviceAddress): boolean =>
    a.prefix === 32 &&
    (a.label.endsWith(":ocdd") || (inPool(a.address) && (leased.has(a.address) || legacy.has(a.address))));
  const aliases = links.addresses.filter(isAlias);
  // a leases file that is missing while its aliases exist counts as damaged; the bash script had none
  const somethingOfOurs =
    aliases.some(({ address }) => !legacy.has(address)) || path.dataPath.forwards.length > 0;
  const lost = leases.status === "unreadable" || (leases.status === "absent" && somethingOfOurs);
  const zone = seen.readZone(hostAddress(config, links.addresses, aliases));
  return {
    actual: {
      table: "table" in leases ? leases.table : NO_LEASES,
      dataPath: path.dataPath,
      aliases,
      zone: { serial: zone.serial, records: zone.records, text: zone.text },
      page: seen.page,
      self: seen.self,
      history: seen.history,
      hairpins: links.bridgePorts.filter((port) => port.hairpin).map((port) => port.name),
    },
    zone,
    ...(seen.lastRun === undefined ? {} : { lastRun: seen.lastRun }),
    containers: seen.containers,
    networks: seen.networks,
    addresses: links.addresses,
    devices: links.devices,
    bridges: links.bridges,
    bridgePorts: links.bridgePorts,
    leasesIntact: !lost,
    ...(leases.status === "absent" && !lost ? { legacy: path.legacy } : {}),
    ...(path.legacy.length > 0 ? { leftRules: path.legacy } : {}),
    leasesStale: lost || leases.status === "previous",
    notices: [...noticesOf(leases, lost, seen.leasesFile), ...(seen.notices ?? [])],
    firewall: path.firewall,
    ...(seen.stopped === undefined ? {} : { stopped: seen.stopped }),
    ...(seen.ended === undefined ? {} : { ended: seen.ended }),
    ...(seen.gates === undefined ? {} : { gates: seen.gates }),
    ...(seen.results === undefined ? {} : { results: seen.results }),
    ...(seen.unanswered === undefined ? {} : { unanswered: seen.unanswered }),
    ...(seen.portless === undefined ? {} : { portless: seen.portless }),
    ...(seen.neighbours === undefined ? {} : { neighbours: seen.neighbours }),
    ...(seen.template === undefined ? {} : { template: seen.template }),
  };
}

function noticesOf(read: LeasesRead, lost: boolean, file: string): string[] {
  if (read.status === "previous") return [`${file} cannot be read; the previous leases file is used`];
  if (!lost) return [];
  const why = read.status === "absent" ? "is missing" : "and the previous leases file cannot be read";
  return [
    `${file} ${why}; the leases are rebuilt from the current rules, and all other addresses are on hold`,
  ];
}
