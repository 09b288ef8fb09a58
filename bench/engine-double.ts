/**
 * A simulated Docker engine in which containers end and start, with its event stream: the order and the times of its
 * answers are those observed of engines 20.10 and 28.
 */

import { createServer, type ServerResponse } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import { clock } from "./clock.ts";
import type { Crowd } from "./crowd-host.ts";
import { type ApiItem, idOf, type Sketch } from "./docker-double.ts";
import {
  bridgeOf,
  connectAnew,
  type Filters,
  inspected,
  listed,
  makeOne,
  NETWORKS,
  networkOf,
  type One,
  readFilters,
  seated,
} from "./engine-answers.ts";

/** The order of Docker's events of an end, and their time after the end of the process (milliseconds). */
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

export class EngineDouble {
  readonly #all = new Map<string, One>();
  readonly #listeners = new Set<Listener>();
  readonly #events: Event[] = [];
  readonly #crowd: Crowd;
  readonly #times: EngineTimes;
  readonly #server = createServer((request, response) => {
    const url = new URL(request.url ?? "/", "http://docker");
    void this.#answer(url.pathname.replace(/^\/v[\d.]+(?=\/)/, ""), url.searchParams, response);
  });

  constructor(crowd: Crowd, times: EngineTimes) {
    this.#crowd = crowd;
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

  /** Containers that run already, a thousand to a network. Throws where there are more than the networks take. */
  async add(sketches: readonly Sketch[]): Promise<void> {
    const all = sketches.map((sketch, n) => makeOne(seated(sketch, n)));
    const pids = await this.#crowd.start(all.map((one) => ({ id: one.id, bridge: bridgeOf(one) })));
    for (const [n, one] of all.entries()) {
      one.pid = pids[n] ?? 0;
      this.#all.set(one.id, one);
    }
  }

  /** PID of a container's process; 0 of one that has ended. */
  pid = (id: string): number => this.#one(id).pid;

  /** It has ended, or runs again, without an event: for programs that read the lists only. */
  async set(id: string, running: boolean): Promise<void> {
    const one = this.#one(id);
    if (running) {
      connectAnew(one);
      one.pid = await this.#start(one);
    } else {
      await this.#crowd.end(id);
      one.pid = 0;
      one.connected = false;
    }
    one.state = running ? "running" : "exited";
  }

  /** Ends its process and sends the events; the time of each, on `clock`. */
  async end(id: string): Promise<{ exited: number; died: number }> {
    const one = this.#one(id);
    await this.#crowd.end(id);
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

  /** Starts it again; the time of each step, on `clock`. */
  async start(id: string): Promise<{ connected: number; started: number }> {
    const one = this.#one(id);
    one.state = "starting";
    connectAnew(one);
    const connected = clock();
    this.#tellNetwork(one, "connect");
    await sleep(this.#times.connectToStart);
    one.pid = await this.#start(one);
    one.state = "running";
    const started = clock();
    this.#tellContainer(one, "start");
    for (const answer of one.waiting.splice(0)) answer();
    return { connected, started };
  }

  async #start(one: One): Promise<number> {
    const [pid = 0] = await this.#crowd.start([{ id: one.id, bridge: bridgeOf(one) }]);
    return pid;
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
    const { network: name = "bridge" } = one.sketch;
    const Actor = { ID: idOf(name), Attributes: { container: one.id, name, type: "bridge" } };
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
    const network = NETWORKS.find(({ Id, Name }) => Id === id || Name === id);
    if (path === "/_ping") send(200, "OK");
    else if (path === "/events") this.#follow(filters, query.get("since"), response);
    else if (path === "/containers/json") send(200, listed(this.#all.values(), filters, query));
    else if (path === "/networks") send(200, JSON.stringify(NETWORKS));
    else if (path === "/info")
      send(200, JSON.stringify({ ServerVersion: this.#times.version, Driver: "overlay2" }));
    else if (path === "/version")
      send(200, JSON.stringify({ Version: this.#times.version, ApiVersion: "1.41", MinAPIVersion: "1.12" }));
    else if (what === "networks" && network !== undefined) send(200, networkOf(network, this.#all.values()));
    else if (what === "containers" && rest === "json" && this.#all.has(id)) {
      const one = this.#one(id);
      if (one.state === "starting") await new Promise<void>((resolve) => one.waiting.push(resolve));
      send(200, inspected(one));
    } else send(404, JSON.stringify({ message: "page not found" }));
  }

  #follow(filters: Filters, since: string | null, response: ServerResponse): void {
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
