/**
 * Docker's JSON → OCDD's types. Read field by field: at worst a field counts as absent. What is not among the fields wanted
 * here is not even read.
 */
import { type Ipv4, parseCidr, parseIpv4 } from "../../core/addresses/ipv4.ts";
import type { Attachment, Container, Network } from "../../core/model.ts";
import { isMoment, momentIn } from "../../core/moment.ts";
import { startBounds } from "../../core/page/uptime.ts";
import type { Port, Protocol } from "../../core/ports.ts";
import type { WantedFields } from "./fields.ts";

export type Json = Readonly<Record<string, unknown>>;

const isRecord = (value: unknown): value is Json =>
  typeof value === "object" && value !== null && !Array.isArray(value);
export const record = (value: unknown): Json => (isRecord(value) ? value : {});
export const records = (value: unknown): Json[] => (Array.isArray(value) ? value.filter(isRecord) : []);
export const string = (value: unknown): string => (typeof value === "string" ? value : "");
export const number = (value: unknown): number =>
  typeof value === "number" && Number.isFinite(value) ? value : 0;

/** In an item: the names of its fields that are too large, and so are missing in it. Docker has no such field. */
export const LEFT_OUT = "left out";
const leftOut = (item: Json): readonly unknown[] => {
  const left = item[LEFT_OUT];
  return Array.isArray(left) ? left : [];
};

/**
 * The fields of a container that restrict it. Only who creates it sets them, so no other user can make them too large: any may
 * link to it, connect it to networks, and choose the names of both.
 */
const RESTRICTING: ReadonlySet<unknown> = new Set(["Labels", "HostConfig"]);
/** Whether a field of a container is left out that may restrict it. */
export const isPartial = (left: readonly unknown[]): boolean => left.some((field) => RESTRICTING.has(field));

/** A container's own name: links of others add names with a second slash. */
const OWN_NAME = /^\/[^/]+$/;

/** What `readContainer` reads. */
export const CONTAINER_FIELDS: WantedFields = {
  Id: true,
  Names: { "*": OWN_NAME },
  Image: true,
  Created: true,
  State: true,
  Status: true,
  Health: { Status: true },
  Labels: true,
  HostConfig: { NetworkMode: true },
  NetworkSettings: { Networks: { "*": { NetworkID: true, IPAddress: true, GwPriority: true } } },
  Ports: { "*": { Type: true, PrivatePort: true } },
};

/** An item of Docker's list, read at `now` (seconds). Undefined for one without a valid id: ids go into API paths. */
export function readContainer(item: Json, now: number): Container | undefined {
  const id = string(item.Id);
  if (!isContainerId(id)) return undefined;
  const networks = Object.entries(record(record(item.NetworkSettings).Networks));
  const names = Array.isArray(item.Names) ? item.Names.map(string) : [];
  const own = names.find((name) => OWN_NAME.test(name));
  return {
    id,
    name: own?.slice(1) ?? id.slice(0, 12),
    image: string(item.Image),
    created: isMoment(item.Created) ? item.Created : 0,
    state: string(item.State) || "running",
    health: healthOf(item),
    started: startBounds(string(item.Status), now),
    labels: new Map(Object.entries(record(item.Labels)).map(([key, value]) => [key, string(value)])),
    networkMode: string(record(item.HostConfig).NetworkMode),
    attachments: networks.map(([network, settings]) => readAttachment(network, record(settings))),
    ports: readPorts(item.Ports),
    ...(isPartial(leftOut(item)) ? { partial: true } : {}),
  };
}

function readAttachment(network: string, settings: Json): Attachment {
  return {
    network,
    networkId: string(settings.NetworkID),
    address: parseIpv4(string(settings.IPAddress)),
    priority: number(settings.GwPriority),
  };
}

/** New engines say it in a field, old ones only in the status text: `Up 2 minutes (health: starting)`. */
function healthOf(item: Json): Container["health"] {
  const field = string(record(item.Health).Status);
  const text =
    field || (/\((?:health: )?(starting|healthy|unhealthy)\)$/.exec(string(item.Status))?.[1] ?? "");
  return text === "starting" || text === "healthy" || text === "unhealthy" ? text : "none";
}

const PROTOCOLS = new Set(["tcp", "udp", "sctp"]);

/** Docker lists a published port once an address family. */
const readPorts = (value: unknown): Port[] =>
  portsInOrder(records(value).map((item) => [string(item.Type), number(item.PrivatePort)]));

/** Those pairs of protocol and number that are ports, each once, by number. */
export function portsInOrder(pairs: readonly (readonly [string, number])[]): Port[] {
  const ports = new Map<string, Port>();
  for (const [protocol, port] of pairs) {
    if (PROTOCOLS.has(protocol) && Number.isInteger(port) && port > 0 && port < 65_536) {
      ports.set(`${port}/${protocol}`, { protocol: protocol as Protocol, port });
    }
  }
  return [...ports.values()].sort((a, b) => a.port - b.port || (a.protocol < b.protocol ? -1 : 1));
}

/** What `readNetwork` reads. */
export const NETWORK_FIELDS: WantedFields = {
  Id: true,
  Name: true,
  Driver: true,
  Internal: true,
  Created: true,
  Options: { "com.docker.network.bridge.name": true, ipvlan_mode: true },
  IPAM: { Config: { "*": { Subnet: true } } },
};

export function readNetwork(item: Json): Network {
  const id = string(item.Id);
  const driver = string(item.Driver);
  const options = record(item.Options);
  const bridge = string(options["com.docker.network.bridge.name"]) || `br-${id.slice(0, 12)}`;
  const subnets = records(record(item.IPAM).Config).flatMap(
    (config) => parseCidr(string(config.Subnet)) ?? [],
  );
  return {
    id,
    name: string(item.Name),
    bridge: driver === "bridge" ? bridge : "",
    driver,
    internal: item.Internal === true,
    ...(driver === "ipvlan" && /^l3s?$/.test(string(options.ipvlan_mode)) ? { routed: true } : {}),
    created: Math.floor(momentIn(string(item.Created)) ?? 0),
    subnets,
    ...(leftOut(item).length === 0 ? {} : { partial: true }),
  };
}

/** Id of a network that may go into an API path, or undefined. */
export function networkId(item: Json): string | undefined {
  const id = string(item.Id);
  return /^[0-9a-z]{25,64}$/.test(id) ? id : undefined;
}

/** What `readEndpoints` reads. */
export const ENDPOINT_FIELDS: WantedFields = { Id: true, Containers: { "*": { IPv4Address: true } } };

/** Container id → address of its endpoint, as `GET /networks/{id}` shows them. */
export function readEndpoints(item: unknown): Map<string, Ipv4> {
  const endpoints = new Map<string, Ipv4>();
  for (const [id, endpoint] of Object.entries(record(record(item).Containers))) {
    const address = parseIpv4(string(record(endpoint).IPv4Address).split("/")[0] ?? "");
    if (address !== undefined) endpoints.set(id, address);
  }
  return endpoints;
}

/** What a line of the event stream says; strings are empty where it cannot be read. */
export interface DockerEvent {
  readonly action: string;
  /** Id of the container it is about. */
  readonly container: string;
  /** Id of the network, for events of networks. */
  readonly network: string;
  /** Present where the container's labels ask for a visit to start it. */
  readonly wakes?: true;
}

const WAKE_LABELS = ["ocdd.wake", "sablier.enable"];

export function readEvent(line: string): DockerEvent {
  try {
    const event = record(JSON.parse(line));
    const actor = record(event.Actor);
    // of a network's event the actor is the network
    const isNetwork = event.Type === "network";
    const attributes = record(actor.Attributes);
    const container = string(isNetwork ? attributes.container : actor.ID);
    const wakes = WAKE_LABELS.some((label) => Object.hasOwn(attributes, label));
    return {
      action: string(event.Action),
      container: isContainerId(container) ? container : "",
      network: isNetwork ? string(actor.ID) : "",
      ...(wakes && !isNetwork ? { wakes } : {}),
    };
  } catch {
    return { action: "", container: "", network: "" };
  }
}

/** Ids go into API paths. */
export function isContainerId(text: string): boolean {
  return /^[0-9a-f]{64}$/.test(text);
}
