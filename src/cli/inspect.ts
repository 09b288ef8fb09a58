/** The command that says where a container is on this host. */
import { clip } from "../core/clip.ts";
import type { Config } from "../core/config/config.ts";
import { HostError } from "../core/errors.ts";
import { type Inspected, inspectDocument, inspectText } from "../core/report/inspect.ts";
import { connectMethods } from "../host/docker/methods.ts";
import { openBridgePorts } from "../host/kernel/bridge-ports.ts";
import type { Answer } from "./commands.ts";
import { lookAtServices, selected } from "./select.ts";

/** Its process, namespace, bridge port and addresses, and commands that look at it. Throws HostError where it does not run. */
export async function runInspect(config: Config, name: string, json: boolean): Promise<Answer> {
  const look = await lookAtServices(config);
  const docker = connectMethods({ socket: config.dockerSocket, ...config.api });
  const targets = selected({ names: [name], all: false, project: undefined }, config, look);
  const found = await Promise.all(
    targets.map(async ({ container, service, name: shown }): Promise<Inspected[]> => {
      const now = await docker.container(container.id);
      if (now === undefined || now.pid === null) return [];
      const instance = service?.instances.find(({ id }) => id === container.id);
      const network = look.seen.networks.find((one) => one.name === instance?.network);
      const veth = await portOf(container.id, now.pid, network?.bridge ?? "");
      return [
        {
          name: shown,
          container: container.name,
          id: container.id,
          pid: now.pid,
          veth,
          alias: service?.kind === "alias" ? service.address : null,
          address: instance?.address ?? [...now.addresses.values()][0] ?? null,
          device: config.device,
        },
      ];
    }),
  );
  const all = found.flat();
  if (all.length === 0)
    throw new HostError("refused", `${clip(name)} does not run: it has no process`, {
      remedy: `ocdd wake ${clip(name)}`,
    });
  const document =
    all.length === 1 && all[0] !== undefined
      ? inspectDocument(all[0])
      : { schemaVersion: 1, containers: all.map(inspectDocument) };
  return {
    out: json ? `${JSON.stringify(document, null, 2)}\n` : all.map(inspectText).join("\n"),
    warnings: [],
    status: 0,
  };
}

async function portOf(id: string, pid: number, bridge: string): Promise<string | null> {
  if (bridge === "") return null;
  const ports = openBridgePorts();
  try {
    return (await ports.find([{ id, pid, bridge }])).get(id) ?? null;
  } finally {
    ports.close();
  }
}
