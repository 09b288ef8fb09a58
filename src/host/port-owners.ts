/** Which container is at the other end of which bridge port: the guard's elements. */
import type { BridgePort, Container, Network } from "../core/model.ts";
import type { DataPathSeen, LeasesRead } from "../core/observation.ts";
import type { Docker } from "./docker/client.ts";
import type { DockerEvent } from "./docker/json.ts";
import type { DockerView } from "./docker/view.ts";
import type { Links } from "./kernel/addresses.ts";
import type { BridgePorts } from "./kernel/bridge-ports.ts";

/** Requests for containers in parallel. */
const IN_PARALLEL = 16;

export interface PortSources {
  readonly bridgePorts: BridgePorts;
  readonly docker: Docker;
  readonly view: DockerView;
  readonly known: { readonly links: Links; readonly path: DataPathSeen; readonly leases: LeasesRead };
  /** Containers whose ports may have changed; undefined after an observation of everything. */
  readonly changed: ReadonlySet<string> | undefined;
}

/**
 * The links with the container at the other end of each bridge port. A port that the guard holds for a container is that
 * container's as long as the port exists: its name is not used again. Throws HostError.
 */
export async function ownersOfPorts({
  bridgePorts,
  docker,
  view,
  known,
  changed,
}: PortSources): Promise<Links> {
  const { links } = known;
  const isUncertain = ({ container }: BridgePort): boolean =>
    container !== null && changed?.has(container) === true;
  // a port that is not found again below has ended with its container
  const ports = new Map(links.bridgePorts.flatMap((port) => (isUncertain(port) ? [] : [[port.name, port]])));
  const before = new Map(links.bridgePorts.map((port) => [port.name, port]));
  if (changed === undefined) for (const [port, container] of guarded(known)) assign(ports, port, container);
  const owned = new Set([...ports.values()].map(({ bridge, container }) => `${bridge} ${container}`));
  const unknown = view.containers.flatMap((container) => {
    const bridges = bridgesOf(container, view.networks).filter(
      (bridge) => !owned.has(`${bridge} ${container.id}`),
    );
    return bridges.length > 0 && ASKABLE.has(container.state) ? [{ id: container.id, bridges }] : [];
  });
  for (const { name, bridge, container } of await found(unknown, docker, bridgePorts))
    ports.set(name, { ...(before.get(name) ?? { name, bridge, hairpin: false }), container });
  return { ...links, bridgePorts: [...ports.values()] };
}

/** Those of the containers that have no port on one of their bridges: it may have been looked for a moment too early. */
export function withoutPort(ids: ReadonlySet<string>, view: DockerView, { bridgePorts }: Links): string[] {
  const owned = new Set(bridgePorts.map(({ bridge, container }) => `${bridge} ${container}`));
  return view.containers.flatMap((container) =>
    ids.has(container.id) &&
    bridgesOf(container, view.networks).some((bridge) => !owned.has(`${bridge} ${container.id}`))
      ? container.id
      : [],
  );
}

/**
 * True when a container has ended whose port was listed while Docker was still starting it, so that its owner was not
 * known: the ports are to be listed again.
 */
export function lostUnowned({ bridgePorts }: Links, events: readonly DockerEvent[]): boolean {
  if (!bridgePorts.some(({ container }) => container === null)) return false;
  const owners = new Set(bridgePorts.map(({ container }) => container));
  return events.some(({ action, container }) => action === "die" && !owners.has(container));
}

/** A new list, with the owners known from the previous one. */
export function withOwners(links: Links, { bridgePorts }: Links): Links {
  const owners = new Map(bridgePorts.map(({ name, container }) => [name, container]));
  const owned = links.bridgePorts.map((port) => ({ ...port, container: owners.get(port.name) ?? null }));
  return { ...links, bridgePorts: owned };
}

/** The list with ports that have appeared since it was read, or whose owner has become known. */
export function withPorts(links: Links, ports: readonly BridgePort[]): Links {
  if (ports.length === 0) return links;
  const names = new Set(ports.map(({ name }) => name));
  return { ...links, bridgePorts: [...links.bridgePorts.filter(({ name }) => !names.has(name)), ...ports] };
}

interface Unknown {
  readonly id: string;
  readonly bridges: readonly string[];
}

type Found = Omit<BridgePort, "hairpin">;

/** Ports of these containers, one for each bridge, as far as they are found. */
async function found(unknown: readonly Unknown[], docker: Docker, search: BridgePorts): Promise<Found[]> {
  const pids = new Map<string, number>();
  const rest = [...unknown];
  await Promise.all(
    Array.from({ length: Math.min(IN_PARALLEL, rest.length) }, async () => {
      for (let next = rest.pop(); next !== undefined; next = rest.pop()) {
        const pid = await docker.pid(next.id);
        if (pid !== undefined) pids.set(next.id, pid);
      }
    }),
  );
  const list: Found[] = [];
  // one search is about one bridge of each container
  const most = Math.max(0, ...unknown.map(({ bridges }) => bridges.length));
  for (let round = 0; round < most; round++) {
    const wanted = unknown.flatMap(({ id, bridges }) => {
      const bridge = bridges[round];
      const pid = pids.get(id);
      return bridge === undefined || pid === undefined ? [] : [{ id, pid, bridge }];
    });
    const names = await search.find(wanted);
    for (const { id, bridge } of wanted) {
      const name = names.get(id);
      if (name !== undefined) list.push({ name, bridge, container: id });
    }
  }
  return list;
}

/** Docker answers nothing about a container while it is being started. */
const ASKABLE: ReadonlySet<string> = new Set(["running", "paused"]);

function assign(ports: Map<string, BridgePort>, name: string, container: string): void {
  const port = ports.get(name);
  if (port !== undefined) ports.set(name, { ...port, container });
}

/** Bridge port and container of each forward in force, by the guard and the leases; older leases name other containers. */
function guarded({ path, leases }: PortSources["known"]): [string, string][] {
  const portOf = new Map(path.dataPath.forwards.map(({ alias, bridgePort }) => [alias, bridgePort]));
  return (leases.status === "read" ? leases.table.leases : []).flatMap(
    ({ address, container }): [string, string][] => {
      const port = portOf.get(address);
      return port == null || container === "" ? [] : [[port, container]];
    },
  );
}

/** Bridges that a container has an address on. */
export function bridgesOf(container: Container, networks: readonly Network[]): string[] {
  return container.attachments.flatMap(({ networkId, address }) => {
    const network = networks.find(({ id }) => id === networkId);
    return address === undefined || network === undefined || network.bridge === "" ? [] : network.bridge;
  });
}
