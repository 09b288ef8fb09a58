/**
 * A simulated Docker Engine API: HTTP on a UNIX socket, with answers as engine 20.10 gave them, so that the real
 * client can be tested with thousands of containers and with invalid answers.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";

/** One item of an answer, in the Engine API's own field names. */
export type ApiItem = Readonly<Record<string, unknown>>;

/** The answers of the simulated engine. Replace a field between two runs to change its containers. */
export interface DockerAnswers {
  containers: readonly unknown[] | unknown;
  networks: readonly unknown[] | unknown;
  /** Answers itself when it returns true: to hang, refuse, send half an answer, or an invalid one. */
  instead?: (path: string, response: ServerResponse, request: IncomingMessage) => boolean;
}

export interface DockerDouble {
  readonly socket: string;
  readonly answers: DockerAnswers;
  /** Paths asked for so far, with their queries. */
  readonly asked: readonly string[];
  close(): Promise<void>;
}

/** Listens on `socket`. The caller closes it. */
export async function startDockerDouble(socket: string, answers: DockerAnswers): Promise<DockerDouble> {
  const asked: string[] = [];
  const server: Server = createServer((request, response) => {
    const path = request.url ?? "/";
    asked.push(path);
    if (answers.instead?.(path, response, request) === true) return;
    const body = answerTo(path.replace(/^\/v[\d.]+/, "").replace(/\?.*$/, ""), answers);
    response.writeHead(body === undefined ? 404 : 200, {
      "Api-Version": "1.41",
      "Content-Type": "application/json",
      Server: "Docker/20.10.24 (linux)",
    });
    response.end(JSON.stringify(body ?? { message: "page not found" }));
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(socket, resolve);
  });
  return {
    socket,
    answers,
    asked,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function answerTo(path: string, answers: DockerAnswers): unknown {
  if (path === "/containers/json") return answers.containers;
  if (path === "/networks") return answers.networks;
  if (path === "/info") return { ServerVersion: "20.10.24", Driver: "overlay2" };
  if (path === "/version") return { Version: "20.10.24", ApiVersion: "1.41", MinAPIVersion: "1.12" };
  return undefined;
}

/** A simulated container; everything else of its answer follows from this. */
export interface Sketch {
  readonly name: string;
  /** Container address on the network. */
  readonly address: string;
  /** Seconds since the epoch. */
  readonly created: number;
  readonly network?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly image?: string;
}

/** 64 hex digits that belong to a name. */
export function idOf(name: string): string {
  let id = "";
  let h = 0x811c9dc5;
  for (let part = 0; id.length < 64; part++) {
    for (const c of `${name}/${part}`) h = Math.imul(h ^ (c.codePointAt(0) ?? 0), 0x01000193);
    id += (h >>> 0).toString(16).padStart(8, "0");
  }
  return id;
}

/** An item of `GET /containers/json` as engine 20.10.24 answers for a container on a bridge network. */
export function apiContainer(sketch: Sketch): ApiItem {
  const { name, address, created, network = "bridge", labels = {}, image = "nginx:1.25" } = sketch;
  const id = idOf(name);
  return {
    Id: id,
    Names: [`/${name}`],
    Image: image,
    ImageID: `sha256:${idOf(image)}`,
    Command: "/docker-entrypoint.sh nginx -g 'daemon off;'",
    Created: created,
    Ports: [
      { PrivatePort: 8080, Type: "tcp" },
      { PrivatePort: 50000, Type: "tcp" },
    ],
    Labels: labels,
    State: "running",
    Status: "Up 2 minutes",
    HostConfig: { NetworkMode: network === "bridge" ? "default" : network },
    NetworkSettings: {
      Networks: {
        [network]: {
          IPAMConfig: null,
          Links: null,
          Aliases: null,
          NetworkID: idOf(network),
          EndpointID: idOf(`${name}@${network}`),
          Gateway: "172.17.0.1",
          IPAddress: address,
          IPPrefixLen: 16,
          IPv6Gateway: "",
          GlobalIPv6Address: "",
          GlobalIPv6PrefixLen: 0,
          MacAddress: "02:42:ac:11:00:02",
          DriverOpts: null,
        },
      },
    },
    Mounts: [],
  };
}

/** An item of `GET /networks` for a bridge network. */
export function apiNetwork(
  name: string,
  subnet: string,
  bridge = name === "bridge" ? "docker0" : "",
): ApiItem {
  return {
    Name: name,
    Id: idOf(name),
    Created: "2024-03-01T10:00:00.000000000Z",
    Scope: "local",
    Driver: "bridge",
    EnableIPv6: false,
    IPAM: {
      Driver: "default",
      Options: null,
      Config: [{ Subnet: subnet, Gateway: subnet.replace(/0\/\d+$/, "1") }],
    },
    Internal: false,
    Attachable: false,
    Ingress: false,
    ConfigFrom: { Network: "" },
    ConfigOnly: false,
    Containers: {},
    Options: bridge === "" ? {} : { "com.docker.network.bridge.name": bridge },
    Labels: {},
  };
}

/** Containers `first` to `first + count - 1` on the default bridge, ten to a compose project, newest first. */
export const crowd = (count: number, first = 0): ApiItem[] =>
  sketches(count, first).map(apiContainer).reverse();

/** What they are made of, oldest first. */
export function sketches(count: number, first = 0): Sketch[] {
  return Array.from({ length: count }, (_, i) => {
    const n = first + i;
    const at = n + 2;
    const project = `project${Math.floor(n / 10)}`;
    const service = `svc${n % 10}-${Math.floor(n / 10)}`;
    return {
      name: `${project}_${service}_1`,
      address: `172.17.${at >> 8}.${at & 255}`,
      created: 1_700_000_000 + n,
      labels: {
        "com.docker.compose.project": project,
        "com.docker.compose.service": service,
        "com.docker.compose.container-number": "1",
        "com.docker.compose.oneoff": "False",
        "com.docker.compose.version": "1.29.2",
        "com.docker.compose.project.working_dir": `/srv/${project}`,
        "com.docker.compose.project.config_files": "docker-compose.yml",
        "com.docker.compose.config-hash": idOf(service),
      },
    };
  });
}
