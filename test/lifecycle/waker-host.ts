/** A host for tests of the waker: it does as it is told, when it is told. */
import { waiting } from "../../src/core/forwards/forward.ts";
import type { Flow } from "../../src/core/lifecycle/flow.ts";
import { lifecycleOf } from "../../src/core/lifecycle/settings.ts";
import type { Service } from "../../src/core/model.ts";
import { makeWaker } from "../../src/lifecycle/waker.ts";
import type { Acts, Started, WakerEvent } from "../../src/lifecycle/waker-types.ts";
import { unlessAborted } from "../../src/platform/abort.ts";
import type { after } from "../../src/platform/timer.ts";
import { config, forward, id, ip, name } from "../core/make.ts";

export const ALIAS = ip("192.168.122.11");
const OPEN = forward(11, 2);
export const STARTED: Started = { address: ip("172.17.0.2") };
const SETTINGS = lifecycleOf(new Map([["ocdd.wake", "true"]]), config());

/** A service in the state that the director has decided. */
export function service(state: "asleep" | "starting" | "running", container = "web"): Service {
  const open = state === "asleep" ? { ...OPEN, target: null } : OPEN;
  return {
    key: `container:${container}`,
    name: name("web"),
    names: ["web"],
    fqdn: "web.toolbox.example.com",
    address: ALIAS,
    kind: "alias",
    state,
    health: "none",
    instances: [{ id: id(container), name: container, image: "web", address: null, network: "bridge" }],
    project: null,
    service: null,
    ports: [],
    srv: [],
    forward: state === "running" ? OPEN : waiting(open),
    sleep: { settings: SETTINGS, open, networkId: id("bridge") },
    created: 0,
    started: undefined,
    card: {} as Service["card"],
    renamed: null,
    sharedNames: [],
  };
}

export const tcp = (sourcePort: number, port = 80): Flow => ({
  protocol: "tcp",
  source: ip("192.168.122.99"),
  sourcePort,
  destination: ALIAS,
  port,
});

/** Acts are recorded, and each waits until it is let on. `timer`: the real one when not given. */
export function host(over: Partial<Acts> = {}, timer?: typeof after) {
  const done: string[] = [];
  const verdicts: string[] = [];
  const notes: WakerEvent[] = [];
  const gates = new Map<string, PromiseWithResolvers<void>>();
  let clock = 0;
  const step = async (what: string): Promise<void> => {
    done.push(what);
    await gates.get(what)?.promise;
  };
  const acts: Acts = {
    isVisit: async () => true,
    start: (_, signal) => unlessAborted(step("start"), signal),
    ready: (_, __, signal) => unlessAborted(step("ready"), signal).then(() => STARTED),
    stop: () => step("stop").then(() => null),
    open: () => step("open"),
    shut: () => step("shut"),
    page: async () => false,
    busy: async () => {
      await step("busy?");
      return false;
    },
    look: () => undefined,
    decide: (packet, verdict) => void verdicts.push(`${packet} ${verdict}`),
    note: (_, event) => void notes.push(event),
    now: () => clock,
    ...over,
  };
  return {
    waker: makeWaker(acts, timer),
    done,
    verdicts,
    notes,
    /** The act waits until the returned function is called. */
    hold(what: string) {
      const gate = Promise.withResolvers<void>();
      gates.set(what, gate);
      return gate;
    },
    free: (what: string) => void gates.delete(what),
    pass(ms: number) {
      clock += ms;
    },
  };
}
