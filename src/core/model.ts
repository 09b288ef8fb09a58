/**
 * The director's data types. All are read-only: a new state is a new value.
 * Longer than most files, so that all of them are to be seen in one place.
 */

import type { Ipv4, Range } from "./addresses/ipv4.ts";
import type { Neighbours } from "./addresses/neighbours.ts";
import type { DataPath, Forward, LegacyForward } from "./forwards/forward.ts";
import type { Gates, Sleep } from "./lifecycle/gates.ts";
import type { Checks, Results } from "./methods/results.ts";
import type { Card } from "./page/appearance.ts";
import type { ServiceHistory } from "./page/history.ts";
import type { PageTemplate } from "./page/template.ts";
import type { StartBounds } from "./page/uptime.ts";
import type { NamedPort, Port } from "./ports.ts";
import type { Name } from "./services/name.ts";
import type { Skipped } from "./services/skipped.ts";
import type { AddressRecord, ZoneFile, ZoneOnDisk } from "./zone/zone-file.ts";

/** One container on one network. `address` is absent where Docker shows none. */
export interface Attachment {
  readonly network: string;
  /** The network's id, which Docker keeps unique as it does not keep names; empty where it does not say. */
  readonly networkId: string;
  readonly address: Ipv4 | undefined;
  /** Docker's GwPriority (engine 28 and later); 0 where it does not say. */
  readonly priority: number;
}

/** A running container as Docker's list shows it. All strings are untrusted. */
export interface Container {
  readonly id: string;
  readonly name: string;
  readonly image: string;
  /** Seconds since the epoch. */
  readonly created: number;
  readonly state: string;
  readonly health: "none" | "starting" | "healthy" | "unhealthy";
  /** When it was started, as far as Docker's list shows. */
  readonly started?: StartBounds | undefined;
  readonly labels: ReadonlyMap<string, string>;
  /** `bridge`, a network's name, `host`, `none` or `container:<id>`. */
  readonly networkMode: string;
  readonly attachments: readonly Attachment[];
  readonly ports: readonly Port[];
  /** True where a part of its description that may restrict it is too large to be read, as its labels: it is never served. */
  readonly partial?: true;
}

export interface Network {
  /** Empty where Docker does not say. */
  readonly id: string;
  readonly name: string;
  /** Name of its bridge device; empty for other drivers. */
  readonly bridge: string;
  readonly driver: string;
  readonly internal: boolean;
  /** True where its addresses are none of the LAN's: ipvlan in the modes l3 and l3s. */
  readonly routed?: boolean;
  /** Seconds since the epoch; 0 where Docker does not say. */
  readonly created: number;
  readonly subnets: readonly Range[];
  /** True where part of its description is too large to be read: it may have any subnet. */
  readonly partial?: true;
}

/** An address on a network device of the host. */
export interface DeviceAddress {
  readonly device: string;
  readonly address: Ipv4;
  readonly prefix: number;
  readonly label: string;
}

/**
 * The lease of an address. `releasedAt` (seconds since the epoch) is null while the container runs; after that the address
 * is on hold. `key` is the empty string for an address of which only the hold is known.
 */
export interface Lease {
  readonly key: string;
  readonly address: Ipv4;
  /** The names granted with the lease, relative to the zone, its own first, dotted ones too; kept as long as the lease. */
  readonly names: readonly string[];
  /** Id of the container last seen under this key. */
  readonly container: string;
  readonly releasedAt: number | null;
}

/**
 * The names of a service that has no lease, since it has no alias: on the host's network, on the LAN's own, or in another
 * container's. Kept like those of a lease.
 */
export interface NameHold {
  readonly key: string;
  readonly names: readonly string[];
  /** Id of the container last seen under this key. */
  readonly container: string;
  /** Seconds since the epoch; null while it is served. */
  readonly releasedAt: number | null;
  /** Since when it has had names, in seconds since the epoch; absent in a file of an earlier version. */
  readonly since?: number;
}

/**
 * The name of the container that has a key of compose's: Docker keeps it unique, labels are copied by anyone. `key` begins with
 * `said:` where it is claimed by labels alone.
 */
export interface KeyHolder {
  readonly key: string;
  readonly name: string;
  /** Since when, in seconds since the epoch. */
  readonly since: number;
  /** Seconds since the epoch; null while such a container exists. */
  readonly releasedAt: number | null;
}

/** An address that another machine on the network answered for. */
export interface Conflict {
  readonly address: Ipv4;
  /** Seconds since the epoch. */
  readonly seenAt: number;
}

/** A port of one of Docker's bridges. */
export interface BridgePort {
  readonly name: string;
  readonly bridge: string;
  readonly hairpin: boolean;
  /** True where it is no end of a veth pair: a network card, or a virtual machine's. */
  readonly foreign?: boolean;
  /** Id of the container at its other end; null while it is not known. */
  readonly container: string | null;
}

/** What is stored on disk. */
export interface LeaseTable {
  readonly leases: readonly Lease[];
  readonly conflicts: readonly Conflict[];
  /** Bridge ports whose hairpin mode OCDD has set, to be undone by teardown. */
  readonly hairpins: readonly string[];
  readonly nameHolds: readonly NameHold[];
  readonly holders: readonly KeyHolder[];
}

/** A container behind a service. */
export interface Instance {
  readonly id: string;
  readonly name: string;
  readonly image: string;
  /** Null where the container has none of its own. */
  readonly address: Ipv4 | null;
  readonly network: string | null;
}

export interface Service {
  readonly key: string;
  readonly name: Name;
  /** All its names, relative to the zone, its own first. */
  readonly names: readonly string[];
  readonly fqdn: string;
  readonly address: Ipv4;
  /** The kind of its address: an alias of OCDD's, the host's, that of the container whose network it shares, its own on the LAN. */
  readonly kind: "alias" | "host" | "shared" | "direct";
  readonly state: string;
  readonly health: Container["health"];
  /** The containers behind it, exactly one so far: packets to the address go to the first. */
  readonly instances: readonly Instance[];
  readonly project: string | null;
  readonly service: string | null;
  readonly ports: readonly Port[];
  /** Ports with their service names (RFC 6335 §5.1), for SRV records. */
  readonly srv: readonly NamedPort[];
  readonly forward: Forward | null;
  /** Null where it is served only while its container runs. */
  readonly sleep: Sleep | null;
  /** Why its last start has failed, one line. */
  readonly failure?: string;
  /** The last results of its methods. */
  readonly checks?: Checks;
  /** TCP ports of its container on which `watch` tries connections; absent where it tries none. */
  readonly check?: readonly number[];
  /** True where its container runs and none of them accepts a connection. */
  readonly unanswered?: true;
  /** True where its container runs and the guard lets nothing through to it: its bridge port is not found. */
  readonly portless?: true;
  /** What a run warns of about its labels, its network and its names, one line each; absent where that is nothing. */
  readonly notes?: readonly string[];
  /** Seconds since the epoch. */
  readonly created: number;
  readonly started: StartBounds | undefined;
  /** How it looks on the page. */
  readonly card: Card;
  /** Why it did not get the name it asked for. */
  readonly renamed: string | null;
  /** Names shared with other containers, which leave out one that is not healthy. */
  readonly sharedNames: readonly string[];
}

/** Documents for `serve`; empty when there is no file. */
export interface PageFiles {
  readonly html: string;
  readonly services: string;
}

/** OCDD's part of the host's state; the same type for the actual and the desired state. */
export interface State {
  readonly table: LeaseTable;
  readonly dataPath: DataPath;
  /** Aliases on the device. */
  readonly aliases: readonly DeviceAddress[];
  readonly zone: ZoneFile;
  /** The index page and its content for programs. */
  readonly page: PageFiles;
  /** What each container is told of itself; empty when there is no file. */
  readonly self: string;
  /** What is stored of each service for the page, also after it has stopped. */
  readonly history: ServiceHistory;
  /** Bridge ports in hairpin mode, through which a container reaches its own alias. */
  readonly hairpins: readonly string[];
}

/** What was found of the host's firewall beside OCDD's own rules. */
export interface FirewallSeen {
  readonly backend: "iptables" | "nft";
  /** Null when the guard is or can be in force; else why not, in one line. */
  readonly unguarded: string | null;
  /** Rules before OCDD's accept that keep aliases from working, one line each. */
  readonly obstacles: readonly string[];
  /** The constant rules are in iptables: its programs are needed. */
  readonly iptables: boolean;
}

/** What one reading of the host gives. */
export interface Observation {
  readonly actual: State;
  readonly containers: readonly Container[];
  /** Containers that exist and do not run; absent where that has not been asked. */
  readonly stopped?: readonly Container[];
  readonly networks: readonly Network[];
  /** Every IPv4 address of every device, OCDD's too. */
  readonly addresses: readonly DeviceAddress[];
  readonly devices: readonly string[];
  /** Those of the devices that are bridges: Docker's are among them, whatever their names. */
  readonly bridges: readonly string[];
  readonly bridgePorts: readonly BridgePort[];
  /** False when no leases file could be read although the host has aliases or rules of OCDD's. */
  readonly leasesIntact: boolean;
  /** The bash script's rules in force, where OCDD has had no leases yet: it takes over from them. */
  readonly legacy?: readonly LegacyForward[];
  /** The bash script's rules in force, in any case; absent where there are none. */
  readonly leftRules?: readonly LegacyForward[];
  /** The page's template; absent where it is not needed. */
  readonly template?: PageTemplate;
  /** True when the leases in use are not those of the file: it is written in any case. */
  readonly leasesStale: boolean;
  /** Messages about the observation itself. */
  readonly notices: readonly string[];
  /** The zone file as it was read. */
  readonly zone: ZoneOnDisk;
  /** The file with the time of the last run, beside the page; absent where there is none. */
  readonly lastRun?: string;
  /** Ids of containers whose end Docker has announced: their absence needs no second observation. */
  readonly ended?: ReadonlySet<string>;
  readonly firewall: FirewallSeen;
  /** Aliases in force that another machine has claimed since the last observation (RFC 5227 §2.4); absent where none listens. */
  readonly claimed?: ReadonlySet<Ipv4>;
  /** What the lifecycle tells; absent where nothing is known of one. */
  readonly gates?: Gates;
  /** Addresses that the host depends on. */
  readonly neighbours?: Neighbours;
  /** The last results of methods. */
  readonly results?: Results;
  /** Ids of containers none of whose ports accepts a connection, as `watch` has found; absent where that is not known. */
  readonly unanswered?: ReadonlySet<string>;
  /** Ids of containers whose bridge port is not found, as `watch` has found; absent where that is not known. */
  readonly portless?: ReadonlySet<string>;
}

/** Addresses of the range, by what they are used for. */
export interface AddressUse {
  readonly size: number;
  readonly used: number;
  /** Released less than ADDRESS_HOLD ago. */
  readonly held: number;
  /** Another machine on the network uses them, also where one is an alias in force. */
  readonly conflict: number;
  /** Not handed out: the host's own, network and broadcast, those of Docker's networks, next hops and name servers. */
  readonly reserved: number;
  readonly free: number;
}

/** The result of deciding on an observation. */
export interface Decision {
  readonly desired: State;
  readonly services: readonly Service[];
  readonly skipped: readonly Skipped[];
  readonly warnings: readonly string[];
  /** Addresses of the range, by what they are used for. */
  readonly range: AddressUse;
  /** Containers not served because the range is full. */
  readonly unserved: number;
  /** Addresses leased for the first time in this decision: to be probed before use. */
  readonly fresh: readonly Ipv4[];
  /** The next free addresses: in place of a fresh one in conflict, and for the next new container. */
  readonly spare: readonly Ipv4[];
  /** Active leases that a changed range would end. */
  readonly evicted: readonly Lease[];
  readonly hostIp: Ipv4;
  /** Address records written by hand in the zone file. */
  readonly handwritten: readonly AddressRecord[];
}
