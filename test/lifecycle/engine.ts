/** Docker as a start sees it, in memory: containers that are started, checked and end as the test says. */
import { HostError } from "../../src/core/errors.ts";
import type { Container } from "../../src/core/model.ts";
import type { ContainerDetails } from "../../src/host/docker/details.ts";
import type { Starting } from "../../src/lifecycle/patient.ts";
import { container, id, ip } from "../core/make.ts";

export interface Fake extends Starting {
  /** Names of containers in the order in which they were started. */
  readonly started: string[];
  readonly containers: readonly Container[];
  /** What Docker says of a container from now on. */
  set(name: string, over: Partial<ContainerDetails>): void;
}

export interface FakeContainer {
  readonly name: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly details?: Partial<ContainerDetails>;
  /** What its start makes of it: it runs, unless told otherwise. */
  readonly becomes?: Partial<ContainerDetails>;
}

/** A container that runs is ready at once: it has a HEALTHCHECK, which passes unless `exec` is replaced. */
export function fakeDocker(list: readonly FakeContainer[], over: Partial<Starting> = {}): Fake {
  const started: string[] = [];
  const details = new Map(list.map((one) => [id(one.name), detailsOf(one)]));
  const change = (key: string, over: Partial<ContainerDetails>): void => {
    const before = details.get(key);
    if (before !== undefined) details.set(key, { ...before, ...over });
  };
  return {
    started,
    containers: list.map(({ name, labels = {} }) =>
      container({ name, labels: new Map(Object.entries(labels)), state: "exited" }),
    ),
    set: (name, over) => change(id(name), over),
    inspect: async (key) => details.get(key),
    async start(key) {
      const one = list.find(({ name }) => id(name) === key);
      if (one === undefined) throw new HostError("docker", "no such container");
      started.push(one.name);
      change(key, { running: true, state: "running", startedAt: started.length, ...one.becomes });
    },
    async unpause(key) {
      change(key, { paused: false, state: "running" });
    },
    exec: async () => 0,
    ...over,
  };
}

function detailsOf({ name, details }: FakeContainer): ContainerDetails {
  return {
    id: id(name),
    name,
    state: "exited",
    running: false,
    paused: false,
    exitCode: 0,
    error: "",
    startedAt: null,
    addresses: new Map([["n", ip("127.0.0.1")]]),
    ports: [],
    healthcheck: ["/healthy"],
    healthStatus: "none",
    restartPolicy: "no",
    dependsOn: [],
    ...details,
  };
}
