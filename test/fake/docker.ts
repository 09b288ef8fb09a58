/** A simulated engine in memory: containers, the network they are on, events, and lists that follow an event with a delay. */
import { HostError } from "../../src/core/errors.ts";
import type { Container } from "../../src/core/model.ts";
import type { Docker, Listed } from "../../src/host/docker/client.ts";
import type { DockerEvent, Json } from "../../src/host/docker/json.ts";
import { id } from "../core/make.ts";

const BRIDGE_ID = id("bridge");
const LAN_ID = id("lan");

const NETWORKS: readonly Json[] = [
  network("bridge", BRIDGE_ID, "bridge", "172.17.0.0/16", { "com.docker.network.bridge.name": "docker0" }),
  network("lan", LAN_ID, "macvlan", "192.168.122.0/24", {}),
];

function network(Name: string, Id: string, Driver: string, Subnet: string, Options: Json): Json {
  return { Id, Name, Driver, Options, IPAM: { Config: [{ Subnet }] }, Internal: false };
}

export class FakeDocker implements Docker {
  /** As they are; those that do not run as well. */
  containers_: Container[] = [];
  /** As the list shows them. */
  #listed: Container[] = [];
  networks_: readonly Json[] = NETWORKS;
  down = false;

  /** The list is up to date from now on. */
  catchUp(): void {
    this.#listed = this.containers_;
  }

  /** The list shows it as created, and no longer in another state. */
  announce(next: Container): void {
    const created = { ...next, state: "created" };
    this.#listed = [created, ...this.#listed.filter(({ id: own }) => own !== next.id)];
  }

  isLate(): boolean {
    return this.#listed !== this.containers_;
  }

  running(): Container[] {
    return this.containers_.filter(({ state }) => state === "running");
  }

  async containers({ all = false, id: only }: { all?: boolean; id?: string } = {}) {
    this.#answer();
    const items = this.#listed
      .filter(({ state, id: own }) => (all || state === "running") && (only === undefined || own === only))
      .map(asItem);
    return { items, notices: [] };
  }

  async networks(): Promise<Listed> {
    this.#answer();
    return { items: [...this.networks_], notices: [] };
  }

  async network(wanted: string): Promise<Json | undefined> {
    this.#answer();
    const found = this.networks_.find(({ Id }) => Id === wanted);
    if (found === undefined) return undefined;
    const endpoints = this.running().flatMap((one) =>
      one.attachments.flatMap(({ networkId, address }) =>
        networkId === wanted && address !== undefined ? [[one.id, { IPv4Address: `${address}/16` }]] : [],
      ),
    );
    return { ...found, Containers: Object.fromEntries(endpoints) };
  }

  async pid(containerId: string): Promise<number | undefined> {
    this.#answer();
    const at = this.containers_.findIndex(({ id: own, state }) => own === containerId && state === "running");
    return at < 0 ? undefined : 1000 + at;
  }

  async stats(): Promise<undefined> {
    this.#answer();
  }

  follow(): Promise<void> {
    throw new Error("the test hands over the events");
  }

  async about(): Promise<ReadonlyMap<string, unknown>> {
    return new Map();
  }

  #answer(): void {
    if (this.down) throw new HostError("docker", "Docker does not answer");
  }
}

/** An event of a container, or of its place on the bridge. */
export const event = (action: string, { id: container }: Container): DockerEvent => ({
  action,
  container,
  network: action === "connect" || action === "disconnect" ? BRIDGE_ID : "",
});

function asItem(one: Container): Json {
  const runs = one.state === "running";
  return {
    Id: one.id,
    Names: [`/${one.name}`],
    Image: one.image,
    Created: one.created,
    State: one.state,
    Status: runs ? `Up 2 minutes${one.health === "none" ? "" : ` (${one.health})`}` : "Created",
    Labels: Object.fromEntries(one.labels),
    HostConfig: { NetworkMode: one.networkMode },
    NetworkSettings: {
      Networks: Object.fromEntries(
        one.attachments.map(({ network: name, networkId, address }) => [
          name,
          { NetworkID: networkId, IPAddress: runs ? address : "" },
        ]),
      ),
    },
    Ports: one.ports.map(({ port, protocol }) => ({ PrivatePort: port, Type: protocol })),
  };
}
