/** Makes the director's data types for tests: every field has a default, a test gives only those that matter to it. */

import { type Ipv4, parseCidr, parseIpv4, type Range } from "../../src/core/addresses/ipv4.ts";
import { type Config, readConfig } from "../../src/core/config/config.ts";
import { type Forward, NO_DATA_PATH } from "../../src/core/forwards/forward.ts";
import type {
  Attachment,
  Container,
  DeviceAddress,
  Lease,
  Network,
  Observation,
  State,
} from "../../src/core/model.ts";
import { NO_HISTORY } from "../../src/core/page/history.ts";
import { type Name, toName } from "../../src/core/services/name.ts";
import { readZoneOnDisk, zoneSettings } from "../../src/core/zone/records.ts";
import { addressRecords } from "../../src/core/zone/service-records.ts";
import type { ZoneFile, ZoneOnDisk } from "../../src/core/zone/zone-file.ts";

export const ZONE = "toolbox.example.com";
export const HOST = ip("192.168.122.200");
/** A moment, in seconds since the epoch, that no test depends on. */
export const NOW = 1_800_000_000;

export function ip(text: string): Ipv4 {
  const address = parseIpv4(text);
  if (address === undefined) throw new Error(`${text} is no address`);
  return address;
}

export function name(text: string): Name {
  const label = toName(text);
  if (label !== text) throw new Error(`${text} is no name`);
  return label;
}

/** The contract's configuration with these keys on top; null takes a key away. */
export function config(keys: Readonly<Record<string, string | null>> = {}): Config {
  const all = {
    NETWORK_DEVICE: "ens3",
    IP_SUBNET: "192.168.122",
    IP_RANGE_START: "11",
    IP_RANGE_END: "30",
    TOOLBOX_SUBDOMAIN_NAME: ZONE,
    STORAGE_DIR: "/opt/ocdd",
    ...keys,
  };
  const lines = Object.entries(all).flatMap(([key, value]) => (value === null ? [] : [`${key}='${value}'`]));
  return readConfig({ file: "ocdd.conf", text: lines.join("\n"), environment: new Map(), flags: [] });
}

/** 64 hex digits, the same for the same text. */
export function id(text: string): string {
  return Buffer.from(text).toString("hex").padEnd(64, "0").slice(0, 64);
}

export function container(
  over: Partial<Container> & { readonly name: string; readonly at?: string },
): Container {
  const { at = "172.17.0.2", ...fields } = over;
  return {
    id: id(over.name),
    image: "busybox:1",
    created: NOW - 1000,
    state: "running",
    health: "none",
    labels: new Map(),
    networkMode: "bridge",
    attachments: [attachment("bridge", at)],
    ports: [],
    ...fields,
  };
}

/** A container's place on a network, whose id is that of `network()` under the same name. */
export function attachment(network: string, at: string | undefined, priority = 0): Attachment {
  return { network, networkId: id(network), address: at === undefined ? undefined : ip(at), priority };
}

/** The labels compose gives a container. */
export function composeLabels(project: string, service: string, number = 1): Map<string, string> {
  return new Map([
    ["com.docker.compose.project", project],
    ["com.docker.compose.service", service],
    ["com.docker.compose.container-number", String(number)],
  ]);
}

export function network(over: Partial<Network> & { readonly name: string; readonly cidr: string }): Network {
  const { cidr, ...fields } = over;
  const subnet = parseCidr(cidr);
  if (subnet === undefined) throw new Error(`${cidr} is no network`);
  return {
    id: id(over.name),
    bridge: `br-${over.name}`,
    driver: "bridge",
    internal: false,
    created: 0,
    subnets: [subnet],
    ...fields,
  };
}

export const BRIDGE: Network = network({ name: "bridge", bridge: "docker0", cidr: "172.17.0.0/16" });

export function alias(address: string, device = "ens3"): DeviceAddress {
  return { device, address: ip(address), prefix: 32, label: `${device}:ocdd` };
}

export function lease(address: string, key: string, over: Partial<Lease> = {}): Lease {
  return { key, address: ip(address), names: [], container: "", releasedAt: null, ...over };
}

export const BARE: State = {
  table: { leases: [], conflicts: [], hairpins: [], nameHolds: [], holders: [] },
  dataPath: NO_DATA_PATH,
  aliases: [],
  zone: { serial: 0, records: [], text: "" },
  page: { html: "", services: "" },
  self: "",
  history: NO_HISTORY,
  hairpins: [],
};

/** The result of reading a zone file with this text. */
export function zoneOnDisk(text: string): ZoneOnDisk {
  return readZoneOnDisk(text, zoneSettings(config()), addressRecords([], "dockerhost", HOST));
}

/** A zone file with this text, parsed. */
export function zoneFile(text: string): ZoneFile {
  const { serial, records } = zoneOnDisk(text);
  return { serial, records, text };
}

/** A host with `ens3` and the default bridge, without anything of OCDD's. */
export function observation(over: Partial<Observation> = {}): Observation {
  const actual = over.actual ?? BARE;
  return {
    containers: [],
    networks: [BRIDGE],
    addresses: [
      { device: "lo", address: ip("127.0.0.1"), prefix: 8, label: "lo" },
      { device: "ens3", address: HOST, prefix: 24, label: "ens3" },
      { device: "docker0", address: ip("172.17.0.1"), prefix: 16, label: "docker0" },
      ...actual.aliases,
    ],
    devices: ["lo", "ens3", "docker0"],
    bridges: ["docker0"],
    bridgePorts: [],
    leasesIntact: true,
    leasesStale: false,
    notices: [],
    zone: zoneOnDisk(actual.zone.text),
    firewall: { backend: "iptables", unguarded: "not checked", obstacles: [], iptables: true },
    ...over,
    actual,
  };
}

/** The containers of the example, newest first. */
export const CONTRACT: readonly Container[] = [
  container({
    name: "example_dns_1",
    at: "172.19.0.4",
    created: NOW - 1,
    labels: composeLabels("example", "dns"),
  }),
  container({
    name: "example_jenkins_1",
    at: "172.18.0.3",
    created: NOW - 2,
    labels: composeLabels("example", "jenkins"),
    ports: [{ protocol: "tcp", port: 8080 }],
  }),
];

/** The range of the example's configuration. */
export const POOL: readonly Range[] = [{ first: ip("192.168.122.11"), last: ip("192.168.122.30") }];

/** Everything of an alias, by its last octet, to a container of Docker's default bridge, by its own. */
export function forward(alias: number, target: number): Forward {
  return {
    name: name(`c${alias}`),
    alias: ip(`192.168.122.${alias}`),
    target: ip(`172.17.0.${target}`),
    bridgePort: null,
    map: [],
    ports: null,
    allow: null,
  };
}
