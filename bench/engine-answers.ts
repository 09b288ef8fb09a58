/**
 * Answers of the simulated engine. Kept as text, a piece for each container, so that with thousands the measured program
 * takes the time and not the simulation.
 */

import { type ApiItem, apiContainer, apiNetwork, idOf, type Sketch } from "./docker-double.ts";

/** Filters of a query: what is wanted, by what it is about. */
export type Filters = ReadonlyMap<string, ReadonlySet<string>>;

/** A simulated container. */
export interface One {
  readonly id: string;
  readonly sketch: Sketch;
  /** Its text in the list, running and not. */
  up: string;
  readonly down: string;
  /** Its text in its network. */
  endpoint: string;
  /** A new one at each start, as in Docker. */
  endpointId: string;
  state: "running" | "starting" | "exited";
  connected: boolean;
  pid: number;
  /** `inspect` waits for the end of a start. */
  readonly waiting: (() => void)[];
}

/** Containers of one network: a bridge takes 1 023 ports. */
const SEATS = 1_000;

/** The bridges of the networks, by their number. */
export const BRIDGES: readonly string[] = ["docker0", "ocddbr1", "ocddbr2", "ocddbr3"];

const nameOf = (k: number): string => (k === 0 ? "bridge" : `net${k}`);

export const NETWORKS = BRIDGES.map((bridge, k) => apiNetwork(nameOf(k), `172.${17 + k}.0.0/16`, bridge));

/** The nth container moves to the network that has room for it. */
export function seated(sketch: Sketch, n: number): Sketch {
  const k = Math.floor(n / SEATS);
  const at = (n % SEATS) + 2;
  if (k >= BRIDGES.length) throw new Error(`no network for container ${n}`);
  return { ...sketch, network: nameOf(k), address: `172.${17 + k}.${at >> 8}.${at & 255}` };
}

export const bridgeOf = ({ sketch }: One): string =>
  BRIDGES[NETWORKS.findIndex(({ Name }) => Name === sketch.network)] ?? "";

/** A running container, without its process. */
export function makeOne(sketch: Sketch): One {
  const { name, address } = sketch;
  const id = idOf(name);
  const item = apiContainer(sketch);
  const endpointId = idOf(`${name}@${sketch.network ?? "bridge"}`);
  const endpoint = {
    Name: name,
    EndpointID: endpointId,
    MacAddress: macOf(address),
    IPv4Address: `${address}/16`,
    IPv6Address: "",
  };
  return {
    id,
    sketch,
    up: JSON.stringify(item),
    down: JSON.stringify({ ...withoutAddress(item), State: "exited", Status: "Exited (0) 1 second ago" }),
    endpoint: `"${id}":${JSON.stringify(endpoint)}`,
    endpointId,
    state: "running",
    connected: true,
    pid: 0,
    waiting: [],
  };
}

/** It has an endpoint again, of a new id. */
export function connectAnew(one: One): void {
  const endpointId = idOf(`${one.endpointId}+`);
  one.up = one.up.replace(one.endpointId, endpointId);
  one.endpoint = one.endpoint.replace(one.endpointId, endpointId);
  one.endpointId = endpointId;
  one.connected = true;
}

/** `GET /containers/json`. */
export function listed(all: Iterable<One>, filters: Filters, query: URLSearchParams): string {
  const everyone = ["1", "true"].includes(query.get("all") ?? "");
  const ids = filters.get("id");
  const found = [...all].filter(
    ({ id, state }) => (everyone || state === "running") && (ids === undefined || ids.has(id)),
  );
  return `[${found.map(({ state, up, down }) => (state === "running" ? up : down)).join(",")}]`;
}

/** `GET /networks/{id}`. */
export function networkOf(network: ApiItem, all: Iterable<One>): string {
  const here = ({ connected, sketch }: One): boolean => connected && sketch.network === network.Name;
  const endpoints = [...all].filter(here).map(({ endpoint }) => endpoint);
  const text = JSON.stringify({ ...network, Containers: undefined });
  return `${text.slice(0, -1)},"Containers":{${endpoints.join(",")}}}`;
}

/** Docker takes `{"id":["a"]}` and `{"id":{"a":true}}`. */
export function readFilters(text: string | null): Filters {
  const read = JSON.parse(text ?? "{}") as Record<string, string[] | Record<string, boolean>>;
  return new Map(
    Object.entries(read).map(([key, value]) => [
      key,
      new Set(Array.isArray(value) ? value : Object.keys(value)),
    ]),
  );
}

const macOf = (address: string): string =>
  `02:42:${address
    .split(".")
    .map((octet) => Number(octet).toString(16).padStart(2, "0"))
    .join(":")}`;

function withoutAddress(item: ApiItem): ApiItem {
  const { Networks } = item.NetworkSettings as { Networks: Record<string, ApiItem> };
  const emptied = Object.entries(Networks).map(([name, settings]) => [
    name,
    { ...settings, EndpointID: "", Gateway: "", IPAddress: "", IPPrefixLen: 0, MacAddress: "" },
  ]);
  return { ...item, Ports: [], NetworkSettings: { Networks: Object.fromEntries(emptied) } };
}

/** `GET /containers/{id}/json`, as far as anything reads it. */
export function inspected(one: One): string {
  const { name, image = "nginx:1.25", labels = {}, created } = one.sketch;
  const running = one.state === "running";
  const item = JSON.parse(running ? one.up : one.down) as ApiItem;
  return JSON.stringify({
    Id: one.id,
    Created: new Date(created * 1000).toISOString(),
    Name: `/${name}`,
    Image: item.ImageID,
    RestartCount: 0,
    State: {
      Status: running ? "running" : "exited",
      Running: running,
      Paused: false,
      Restarting: false,
      OOMKilled: false,
      Dead: false,
      Pid: one.pid,
      ExitCode: 0,
      Error: "",
      StartedAt: new Date().toISOString(),
      FinishedAt: "0001-01-01T00:00:00Z",
    },
    Config: { Hostname: one.id.slice(0, 12), Image: image, Labels: labels, Env: [], ExposedPorts: {} },
    HostConfig: item.HostConfig,
    NetworkSettings: {
      ...(item.NetworkSettings as object),
      SandboxID: idOf(`${name} sandbox`),
      SandboxKey: `/var/run/docker/netns/${idOf(name).slice(0, 12)}`,
    },
    Mounts: [],
  });
}
