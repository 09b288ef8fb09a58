/** A simulated Docker in memory: containers and networks that change as an engine's do, with its events. */
import type { Docker } from "../../../src/host/docker/client.ts";
import type { DockerEvent, Json } from "../../../src/host/docker/json.ts";
import { id } from "../../core/make.ts";

interface Box {
  name: string;
  readonly created: number;
  state: "created" | "starting" | "running" | "paused" | "exited";
  health: string;
  /** Network → address while there is an endpoint. */
  readonly nets: Map<string, string | undefined>;
}

const DRIVERS = new Map([["lan", "macvlan"]]);

export const OPS = [
  "create",
  "endpoint",
  "start",
  "die",
  "destroy",
  "pause",
  "rename",
  "health",
  "connect",
  "disconnect",
  "removeNetwork",
] as const;
export type Op = (typeof OPS)[number];

export class World {
  readonly boxes = new Map<string, Box>();
  readonly nets = new Set<string>(["bridge"]);
  private next = 2;

  /** Does it where it is possible; the events it causes, in order. */
  act(op: Op, name: string, net: string): DockerEvent[] {
    const box = this.boxes.get(name);
    const about = (action: string, network = ""): DockerEvent => ({
      action,
      container: id(name),
      network: network && id(network),
    });
    if (op === "create") {
      if (box !== undefined) return [];
      // the network exists before it is used; its creation sends no event that is followed
      this.nets.add(net);
      const created = 1_000 + (this.next++ >> 1);
      this.boxes.set(name, {
        name,
        created,
        state: "created",
        health: "",
        nets: new Map([[net, undefined]]),
      });
      return [];
    }
    if (op === "removeNetwork") {
      const used = [...this.boxes.values()].some(({ nets }) => nets.has(net));
      if (used || net === "bridge" || !this.nets.delete(net)) return [];
      return [{ action: "destroy", container: "", network: id(net) }];
    }
    if (box === undefined) return [];
    const alive = box.state === "running" || box.state === "paused";
    const endpoint = (): string => `172.17.0.${this.next++ % 250}`;
    switch (op) {
      case "endpoint":
        if (box.state !== "created" && box.state !== "exited") return [];
        box.state = "starting";
        return [...box.nets.keys()].map((one) => {
          box.nets.set(one, endpoint());
          return about("connect", one);
        });
      case "start":
        if (box.state !== "starting") return [];
        box.state = "running";
        return [about("start")];
      case "die": {
        if (!alive && box.state !== "starting") return [];
        box.state = "exited";
        const lost = [...box.nets.keys()].map((one) => {
          box.nets.set(one, undefined);
          return about("disconnect", one);
        });
        return [...lost, about("die")];
      }
      case "destroy":
        if (alive || box.state === "starting") return [];
        this.boxes.delete(name);
        return [about("destroy")];
      case "pause":
        if (!alive) return [];
        box.state = box.state === "running" ? "paused" : "running";
        return [about(box.state === "paused" ? "pause" : "unpause")];
      case "rename":
        box.name = `${box.name}x`;
        return [about("rename")];
      case "health":
        if (!alive) return [];
        box.health = box.health === "healthy" ? "unhealthy" : "healthy";
        return [about(`health_status: ${box.health}`)];
      case "connect":
        if (box.nets.has(net) || box.state === "starting") return [];
        this.nets.add(net);
        box.nets.set(net, alive ? endpoint() : undefined);
        return [about("connect", net)];
      case "disconnect":
        if (!box.nets.delete(net)) return [];
        return [about("disconnect", net)];
    }
  }

  /** The client's calls, answered from memory. */
  docker(): Docker {
    const unused = async (): Promise<never> => {
      throw new Error("not asked for");
    };
    return {
      containers: async ({ all = false, id: one } = {}) => ({
        items: [...this.boxes]
          .filter(([name, { state }]) => (one === undefined || id(name) === one) && (all || runs(state)))
          .sort(([, a], [, b]) => b.created - a.created)
          .map(([name, box]) => this.item(name, box)),
        notices: [],
      }),
      networks: async () => ({
        items: [...this.nets]
          .sort()
          .map((name) => ({ Id: id(name), Name: name, Driver: DRIVERS.get(name) ?? "bridge" })),
        notices: [],
      }),
      network: async (asked) => {
        const name = [...this.nets].find((one) => id(one) === asked);
        if (name === undefined) return undefined;
        const Containers = Object.fromEntries(
          [...this.boxes].flatMap(([box, { nets }]) =>
            nets.get(name) === undefined ? [] : [[id(box), { IPv4Address: `${nets.get(name)}/16` }]],
          ),
        );
        return { Id: asked, Name: name, Driver: DRIVERS.get(name) ?? "bridge", Containers };
      },
      pid: unused,
      stats: unused,
      follow: unused,
      about: unused,
    };
  }

  private item(name: string, box: Box): Json {
    // the list does not show the address of a container that is being started
    const shown = runs(box.state);
    // in the order of their names, as in Docker's JSON
    const Networks = Object.fromEntries(
      [...box.nets]
        .sort(([a], [b]) => (a < b ? -1 : 1))
        .map(([net, address]) => [net, { NetworkID: id(net), IPAddress: shown ? (address ?? "") : "" }]),
    );
    return {
      Id: id(name),
      Names: [`/${box.name}`],
      Created: box.created,
      State: box.state === "starting" ? "created" : box.state,
      Status: box.health === "" ? "Up 1 second" : `Up 1 second (${box.health})`,
      HostConfig: { NetworkMode: [...box.nets.keys()][0] ?? "none" },
      NetworkSettings: { Networks },
    };
  }
}

const runs = (state: Box["state"]): boolean => state === "running" || state === "paused";
