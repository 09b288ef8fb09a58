/** Docker's Engine API, read only, with a deadline on every call. */
import Dockerode from "dockerode";
import { HostError } from "../core/errors.ts";
import { parseCidr, parseIpv4 } from "../core/ipv4.ts";
import type { Attachment, Container, Network, Port, Protocol } from "../core/model.ts";

/** Milliseconds that Docker has for one answer. */
export const DOCKER_DEADLINE = 10_000;

export interface DockerOptions {
  readonly socket: string;
  readonly version: string | null;
  readonly filters: string | null;
}

export interface Docker {
  containers(): Promise<Container[]>;
  networks(): Promise<Network[]>;
  /**
   * Calls `wake` for each event that may change a container's address, until the signal is aborted or the stream
   * ends. `opened` is called when the stream stands: what happened before it must be looked for.
   */
  follow(signal: AbortSignal, opened: () => void, wake: () => void): Promise<void>;
  /** `/info` and `/version` joined, as Docker gives them. */
  about(): Promise<ReadonlyMap<string, unknown>>;
}

/** A client for Docker's socket. The API's version stays unset, so that engines old and new are understood. */
export function connectDocker(options: DockerOptions): Docker {
  const client = new Dockerode({
    socketPath: options.socket,
    ...(options.version === null ? {} : { version: options.version }),
  });
  const within = async <T>(call: (signal: AbortSignal) => Promise<T>): Promise<T> => {
    // a hung socket never times out by itself
    const signal = AbortSignal.timeout(DOCKER_DEADLINE);
    try {
      return await call(signal);
    } catch (error) {
      throw dockerError(options.socket, error, signal.aborted);
    }
  };
  return {
    async containers() {
      const filters = options.filters === null ? {} : { filters: options.filters };
      const list = await within((abortSignal) => client.listContainers({ abortSignal, ...filters }));
      return records(list).flatMap((item) => readContainer(item) ?? []);
    },
    async networks() {
      const list = await within((abortSignal) => client.listNetworks({ abortSignal }));
      return records(list).map(readNetwork);
    },
    async follow(signal, opened, wake) {
      // a stream is idle for hours: no deadline on it, only on its opening
      const opening = new AbortController();
      const late = setTimeout(() => opening.abort(), DOCKER_DEADLINE);
      try {
        const abortSignal = AbortSignal.any([signal, opening.signal]);
        const stream = await client.getEvents({ abortSignal, filters: JSON.stringify(WAKING) });
        clearTimeout(late);
        opened();
        for await (const chunk of stream) if (String(chunk).trim() !== "") wake();
      } catch (error) {
        if (!signal.aborted) throw dockerError(options.socket, error, opening.signal.aborted);
      } finally {
        clearTimeout(late);
      }
    },
    async about() {
      const info = (await within(() => client.info())) as object;
      const version = (await within(() => client.version())) as object;
      return new Map<string, unknown>([...Object.entries(info), ...Object.entries(version)]);
    },
  };
}

/** Events after which a container's address, name or health may be another. They carry nothing in: they say "look again". */
const WAKING = {
  type: ["container", "network"],
  event: [
    "connect",
    "disconnect",
    "start",
    "die",
    "stop",
    "rename",
    "destroy",
    "health_status",
    "pause",
    "unpause",
  ],
};

const REASONS = new Map<string, [fault: "docker" | "privilege", message: string, remedy: string]>([
  ["ENOENT", ["docker", "does not exist", "start Docker, or set DOCKER_SOCKET to where its socket is"]],
  ["ENOTSOCK", ["docker", "is no socket", "set DOCKER_SOCKET to where Docker's socket is"]],
  [
    "ECONNREFUSED",
    ["docker", "refuses connections: nobody listens there", "start Docker: systemctl start docker"],
  ],
  [
    "EACCES",
    ["privilege", "may not be used by this user", "run as root, or as a member of the group docker"],
  ],
  ["EPERM", ["privilege", "may not be used by this user", "run as root, or as a member of the group docker"]],
]);

function dockerError(socket: string, error: unknown, late: boolean): HostError {
  if (late) {
    return new HostError("docker", `Docker at ${socket} did not answer within ${DOCKER_DEADLINE / 1000} s`, {
      remedy: "look at Docker's log: journalctl -u docker; nothing has been changed",
      cause: error,
    });
  }
  const { code, statusCode, reason } = error as { code?: string; statusCode?: number; reason?: string };
  const known = REASONS.get(code ?? "");
  if (known !== undefined) {
    return new HostError(known[0], `Docker's socket ${socket} ${known[1]}`, {
      remedy: known[2],
      cause: error,
    });
  }
  const said = statusCode === undefined ? (error as Error).message : `status ${statusCode} ${reason ?? ""}`;
  return new HostError("docker", `Docker at ${socket} did not answer as Docker does: ${said}`, {
    cause: error,
  });
}

// Docker's JSON is read field by field: whatever a field holds, the worst is that it counts as absent.

type Json = Readonly<Record<string, unknown>>;

const isRecord = (value: unknown): value is Json =>
  typeof value === "object" && value !== null && !Array.isArray(value);
const record = (value: unknown): Json => (isRecord(value) ? value : {});
const records = (value: unknown): Json[] => (Array.isArray(value) ? value.filter(isRecord) : []);
const string = (value: unknown): string => (typeof value === "string" ? value : "");
const number = (value: unknown): number => (typeof value === "number" && Number.isFinite(value) ? value : 0);

/** Undefined for what has no proper id: ids go into API paths. */
function readContainer(item: Json): Container | undefined {
  const id = string(item.Id);
  if (!/^[0-9a-f]{64}$/.test(id)) return undefined;
  const networks = Object.entries(record(record(item.NetworkSettings).Networks));
  const names = Array.isArray(item.Names) ? item.Names.map(string) : [];
  return {
    id,
    // links add names with a second slash; the container's own has one
    name: (names.find((name) => /^\/[^/]+$/.test(name)) ?? names[0] ?? id.slice(0, 12)).replace(/^\//, ""),
    image: string(item.Image),
    created: number(item.Created),
    state: string(item.State) || "running",
    health: healthOf(item),
    labels: new Map(Object.entries(record(item.Labels)).map(([key, value]) => [key, string(value)])),
    networkMode: string(record(item.HostConfig).NetworkMode),
    attachments: networks.map(([network, settings]) => readAttachment(network, record(settings))),
    ports: readPorts(item.Ports),
  };
}

function readAttachment(network: string, settings: Json): Attachment {
  return { network, address: parseIpv4(string(settings.IPAddress)), priority: number(settings.GwPriority) };
}

/** New engines say it in a field, old ones only in the status text: `Up 2 minutes (health: starting)`. */
function healthOf(item: Json): Container["health"] {
  const field = string(record(item.Health).Status);
  const text =
    field || (/\((?:health: )?(starting|healthy|unhealthy)\)$/.exec(string(item.Status))?.[1] ?? "");
  return text === "starting" || text === "healthy" || text === "unhealthy" ? text : "none";
}

const PROTOCOLS = new Set(["tcp", "udp", "sctp"]);

/** Docker lists a published port once an address family: each port is wanted once, in order. */
function readPorts(value: unknown): Port[] {
  const ports = new Map<string, Port>();
  for (const item of records(value)) {
    const protocol = string(item.Type);
    const port = number(item.PrivatePort);
    if (PROTOCOLS.has(protocol) && Number.isInteger(port) && port > 0 && port < 65_536) {
      ports.set(`${port}/${protocol}`, { protocol: protocol as Protocol, port });
    }
  }
  return [...ports.values()].sort((a, b) => a.port - b.port || (a.protocol < b.protocol ? -1 : 1));
}

function readNetwork(item: Json): Network {
  const id = string(item.Id);
  const driver = string(item.Driver);
  const bridge = string(record(item.Options)["com.docker.network.bridge.name"]) || `br-${id.slice(0, 12)}`;
  const subnets = records(record(item.IPAM).Config).flatMap(
    (config) => parseCidr(string(config.Subnet)) ?? [],
  );
  return {
    name: string(item.Name),
    bridge: driver === "bridge" ? bridge : "",
    driver,
    internal: item.Internal === true,
    subnets,
  };
}
