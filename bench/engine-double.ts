/**
 * A double of Docker's engine in which containers end and start, with its event stream: what each call shows at which
 * moment is as engines 20.10 and 28 were seen to do it. Answers are kept as text, a piece a container, so that thousands
 * cost the measured program its time and not the double.
 */

import { createServer, type ServerResponse } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import { type ApiItem, apiContainer, apiNetwork, idOf, type Sketch } from "./docker-double.ts";

/** In which order Docker tells of an end, and how long after the end of the process (milliseconds). */
export interface EngineTimes {
  readonly version: string;
  readonly exitToDie: number;
  readonly exitToRelease: number;
  /** From the endpoint and its `connect` to the process and its `start`. */
  readonly connectToStart: number;
}

export const ENGINE_TIMES: Readonly<Record<"20.10" | "28", EngineTimes>> = {
  "20.10": { version: "20.10.24", exitToDie: 60, exitToRelease: 105, connectToStart: 180 },
  "28": { version: "28.5.2", exitToDie: 262, exitToRelease: 250, connectToStart: 45 },
};

/** The processes of the containers. */
export interface Processes {
  start(id: string): Promise<number>;
  end(id: string): Promise<void>;
}

interface One {
  readonly id: string;
  readonly sketch: Sketch;
  /** What the list says of it, running and not. */
  up: string;
  readonly down: string;
  /** What its network says of it. */
  endpoint: string;
  /** Another at each start, as Docker has it. */
  endpointId: string;
  state: "running" | "starting" | "exited";
  connected: boolean;
  pid: number;
  /** `inspect` waits for the end of a start. */
  readonly waiting: (() => void)[];
}

interface Listener {
  readonly response: ServerResponse;
  readonly wants: (event: Event) => boolean;
}

interface Event {
  readonly type: "container" | "network";
  readonly action: string;
  readonly at: number;
  readonly line: string;
}

const NETWORK = apiNetwork("bridge", "172.17.0.0/16");

/** Milliseconds on the clock that all processes of the machine share. */
export const clock = (): number => Number(process.hrtime.bigint()) / 1e6;

export class EngineDouble {
  readonly #all = new Map<string, One>();
  readonly #listeners = new Set<Listener>();
  readonly #events: Event[] = [];
  readonly #processes: Processes;
  readonly #times: EngineTimes;
  readonly #server = createServer((request, response) => {
    const url = new URL(request.url ?? "/", "http://docker");
    void this.#answer(url.pathname.replace(/^\/v[\d.]+(?=\/)/, ""), url.searchParams, response);
  });

  constructor(processes: Processes, times: EngineTimes) {
    this.#processes = processes;
    this.#times = times;
  }

  async listen(socket: string): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.#server.once("error", reject);
      this.#server.listen(socket, resolve);
    });
  }

  close(): Promise<void> {
    return new Promise((resolve) => {
      this.#server.close(() => resolve());
      this.#server.closeAllConnections();
    });
  }

  /** A container that runs already. */
  async add(sketch: Sketch): Promise<string> {
    const id = idOf(sketch.name);
    const { address } = sketch;
    const item = apiContainer(sketch);
    const endpointId = idOf(`${sketch.name}@bridge`);
    const one: One = {
      id,
      sketch,
      up: JSON.stringify(item),
      down: JSON.stringify({ ...withoutAddress(item), State: "exited", Status: "Exited (0) 1 second ago" }),
      endpoint: `"${id}":${JSON.stringify({
        Name: sketch.name,
        EndpointID: endpointId,
        MacAddress: macOf(address),
        IPv4Address: `${address}/16`,
        IPv6Address: "",
      })}`,
      endpointId,
      state: "running",
      connected: true,
      pid: await this.#processes.start(id),
      waiting: [],
    };
    this.#all.set(id, one);
    return id;
  }

  /** It has ended, or runs again, and nothing tells of it: for what looks at lists alone. */
  async set(id: string, running: boolean): Promise<void> {
    const one = this.#one(id);
    if (running) {
      this.#connect(one);
      one.pid = await this.#processes.start(id);
    } else {
      await this.#processes.end(id);
      one.pid = 0;
      one.connected = false;
    }
    one.state = running ? "running" : "exited";
  }

  /** Its process ends, and Docker tells of it; when each of it was, on `clock`. */
  async end(id: string): Promise<{ exited: number; died: number }> {
    const one = this.#one(id);
    await this.#processes.end(id);
    const exited = clock();
    one.pid = 0;
    const { exitToDie, exitToRelease } = this.#times;
    let died = 0;
    const die = async (): Promise<void> => {
      await sleep(exitToDie);
      one.state = "exited";
      died = clock();
      this.#tellContainer(one, "die");
    };
    const release = async (): Promise<void> => {
      await sleep(exitToRelease);
      one.connected = false;
      this.#tellNetwork(one, "disconnect");
    };
    await Promise.all([die(), release()]);
    return { exited, died };
  }

  /** It starts again; when each of it was, on `clock`. */
  async start(id: string): Promise<{ connected: number; started: number }> {
    const one = this.#one(id);
    one.state = "starting";
    this.#connect(one);
    const connected = clock();
    this.#tellNetwork(one, "connect");
    await sleep(this.#times.connectToStart);
    one.pid = await this.#processes.start(id);
    one.state = "running";
    const started = clock();
    this.#tellContainer(one, "start");
    for (const answer of one.waiting.splice(0)) answer();
    return { connected, started };
  }

  #connect(one: One): void {
    const endpointId = idOf(`${one.endpointId}+`);
    one.up = one.up.replace(one.endpointId, endpointId);
    one.endpoint = one.endpoint.replace(one.endpointId, endpointId);
    one.endpointId = endpointId;
    one.connected = true;
  }

  #one(id: string): One {
    const one = this.#all.get(id);
    if (one === undefined) throw new Error(`no container ${id}`);
    return one;
  }

  #tellContainer(one: One, action: string): void {
    const { name, image = "nginx:1.25", labels = {} } = one.sketch;
    const Actor = { ID: one.id, Attributes: { ...labels, image, name } };
    this.#tell("container", {
      status: action,
      id: one.id,
      from: image,
      Type: "container",
      Action: action,
      Actor,
    });
  }

  #tellNetwork(one: One, action: string): void {
    const Actor = { ID: NETWORK.Id, Attributes: { container: one.id, name: "bridge", type: "bridge" } };
    this.#tell("network", { Type: "network", Action: action, Actor });
  }

  #tell(type: Event["type"], body: ApiItem): void {
    const at = Date.now();
    const time = Math.floor(at / 1000);
    const text = JSON.stringify({ ...body, scope: "local", time });
    const line = `${text.slice(0, -1)},"timeNano":${at}000000}\n`;
    const event = { type, action: String(body.Action), at, line };
    this.#events.push(event);
    for (const { response, wants } of this.#listeners) if (wants(event)) response.write(line);
  }

  async #answer(path: string, query: URLSearchParams, response: ServerResponse): Promise<void> {
    const send = (status: number, text: string): void => {
      response.writeHead(status, {
        "Api-Version": "1.41",
        "Content-Type": "application/json",
        Server: `Docker/${this.#times.version} (linux)`,
      });
      response.end(text);
    };
    const filters = readFilters(query.get("filters"));
    const [, what = "", id = "", rest] = path.split("/");
    if (path === "/_ping") send(200, "OK");
    else if (path === "/events") this.#follow(filters, query.get("since"), response);
    else if (path === "/containers/json") send(200, this.#list(filters, query));
    else if (path === "/networks") send(200, JSON.stringify([NETWORK]));
    else if (path === "/info")
      send(200, JSON.stringify({ ServerVersion: this.#times.version, Driver: "overlay2" }));
    else if (path === "/version")
      send(200, JSON.stringify({ Version: this.#times.version, ApiVersion: "1.41", MinAPIVersion: "1.12" }));
    else if (what === "networks" && (id === NETWORK.Id || id === "bridge")) send(200, this.#network());
    else if (what === "containers" && rest === "json" && this.#all.has(id)) {
      const one = this.#one(id);
      if (one.state === "starting") await new Promise<void>((resolve) => one.waiting.push(resolve));
      send(200, inspected(one));
    } else send(404, JSON.stringify({ message: "page not found" }));
  }

  #list(filters: ReadonlyMap<string, ReadonlySet<string>>, query: URLSearchParams): string {
    const all = ["1", "true"].includes(query.get("all") ?? "");
    const ids = filters.get("id");
    const found = [...this.#all.values()].filter(
      ({ id, state }) => (all || state === "running") && (ids === undefined || ids.has(id)),
    );
    return `[${found.map(({ state, up, down }) => (state === "running" ? up : down)).join(",")}]`;
  }

  #network(): string {
    const endpoints = [...this.#all.values()].filter(({ connected }) => connected);
    const text = JSON.stringify({ ...NETWORK, Containers: undefined });
    return `${text.slice(0, -1)},"Containers":{${endpoints.map(({ endpoint }) => endpoint).join(",")}}}`;
  }

  #follow(
    filters: ReadonlyMap<string, ReadonlySet<string>>,
    since: string | null,
    response: ServerResponse,
  ): void {
    const [types, actions] = [filters.get("type"), filters.get("event")];
    const wants = ({ type, action }: Event): boolean =>
      (types === undefined || types.has(type)) && (actions === undefined || actions.has(action));
    const listener = { response, wants };
    response.writeHead(200, { "Content-Type": "application/json" });
    response.flushHeaders();
    const from = since === null ? Number.POSITIVE_INFINITY : Number(since) * 1000;
    for (const event of this.#events) if (event.at >= from && wants(event)) response.write(event.line);
    this.#listeners.add(listener);
    response.on("close", () => this.#listeners.delete(listener));
  }
}

/** Docker takes `{"id":["a"]}` and `{"id":{"a":true}}`. */
function readFilters(text: string | null): ReadonlyMap<string, ReadonlySet<string>> {
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
function inspected(one: One): string {
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
