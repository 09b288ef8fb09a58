/** Which container is at the other end of which bridge port: what the guard is made of. */
import type { BridgePort, Container, Network } from "../core/model.ts";
import type { DataPathSeen, LeasesRead } from "../core/observation.ts";
import type { Docker } from "./docker/client.ts";
import type { DockerView } from "./docker/view.ts";
import type { Links } from "./kernel/addresses.ts";
import { bridgePortOf } from "./kernel/bridge-ports.ts";

/** Containers asked about at once. */
const IN_PARALLEL = 16;

export interface PortSources {
  readonly docker: Docker;
  readonly view: DockerView;
  readonly known: { readonly links: Links; readonly path: DataPathSeen; readonly leases: LeasesRead };
  /** Containers whose ports may be others than before; undefined after a look at everything. */
  readonly changed: ReadonlySet<string> | undefined;
}

/**
 * The links with the container at the other end of each bridge port. A port that the guard holds for a container is that
 * container's as long as the port exists: its name is not used again. Throws HostError.
 */
export async function ownersOfPorts({ docker, view, known, changed }: PortSources): Promise<Links> {
  const { links } = known;
  const ports = new Map(
    links.bridgePorts.map((port) => [
      port.name,
      port.container !== null && changed?.has(port.container) ? { ...port, container: null } : port,
    ]),
  );
  if (changed === undefined) for (const [port, container] of guarded(known)) assign(ports, port, container);
  const owned = new Set([...ports.values()].map(({ bridge, container }) => `${bridge} ${container}`));
  const rest = view.containers.flatMap((container) => {
    const bridges = bridgesOf(container, view.networks).filter(
      (bridge) => !owned.has(`${bridge} ${container.id}`),
    );
    return bridges.length > 0 && ASKABLE.has(container.state) ? [{ id: container.id, bridges }] : [];
  });
  await Promise.all(
    Array.from({ length: IN_PARALLEL }, async () => {
      for (let next = rest.pop(); next !== undefined; next = rest.pop()) {
        const { id, bridges } = next;
        const pid = await docker.pid(id);
        if (pid === undefined) continue;
        for (const bridge of bridges) {
          const name = await bridgePortOf(id, pid, bridge);
          if (name === undefined) continue;
          // a port that has come since the links were read
          if (!ports.has(name)) ports.set(name, { name, bridge, hairpin: false, container: null });
          assign(ports, name, id);
        }
      }
    }),
  );
  return { ...links, bridgePorts: [...ports.values()] };
}

/** Docker answers nothing about a container while it is being started. */
const ASKABLE: ReadonlySet<string> = new Set(["running", "paused"]);

function assign(ports: Map<string, BridgePort>, name: string, container: string): void {
  const port = ports.get(name);
  if (port !== undefined) ports.set(name, { ...port, container });
}

/** Bridge port and container of each forward in force, by the guard and the leases. */
function guarded({ path, leases }: PortSources["known"]): [string, string][] {
  const portOf = new Map(path.dataPath.forwards.map(({ alias, bridgePort }) => [alias, bridgePort]));
  return ("table" in leases ? leases.table.leases : []).flatMap(
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
