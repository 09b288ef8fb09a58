/** Which containers keep name and address while they do not run, and when packets to them wait. */
import type { Ipv4 } from "../addresses/ipv4.ts";
import type { Config } from "../config/config.ts";
import { type Forward, waiting } from "../forwards/forward.ts";
import { perObject } from "../memo.ts";
import type { Container, Observation, Service } from "../model.ts";
import { type Gates, NO_GATES } from "./gates.ts";
import { type LifecycleSettings, lifecycleOf } from "./settings.ts";

const settingsOf = perObject<Container, LifecycleSettings>();

/** What a container's labels ask for. */
export const lifecycleOfContainer = (container: Container, config: Config): LifecycleSettings =>
  settingsOf(container, "", () => lifecycleOf(container.labels, config));

/** Docker's states from which a container is started, or unpaused, by the first visit. */
const ASLEEP: ReadonlySet<string> = new Set(["created", "exited", "paused"]);

export const mayWake = (container: Container, config: Config): boolean => {
  const { wake, refused } = lifecycleOfContainer(container, config);
  return wake && refused === null;
};

/** True for a container that does not run, or is paused, and is started by the first visit. */
export const sleeps = (container: Container, config: Config): boolean =>
  ASLEEP.has(container.state) && mayWake(container, config);

/** Packets wait in iptables' queue: on a host with nftables alone a service is served only while it runs. */
export const canWait = ({ backend, iptables }: Observation["firewall"]): boolean =>
  backend === "iptables" || iptables;

/** Containers that may be services: those that run, and those that sleep. Not one whose restrictions may not be known. */
export function present(seen: Observation, config: Config): Container[] {
  const asleep = canWait(seen.firewall)
    ? (seen.stopped ?? []).filter((container) => sleeps(container, config))
    : [];
  return [...seen.containers, ...asleep].filter(({ partial }) => partial !== true);
}

/** What the labels of a container ask for; null where it is served only while it runs. */
export const settingsFor = (
  container: Container,
  { firewall }: Observation,
  config: Config,
): LifecycleSettings | null =>
  canWait(firewall) && mayWake(container, config) ? lifecycleOfContainer(container, config) : null;

/** A service that may sleep, asleep or awake: the same value as long as nothing of it changes. */
export function gated(service: Service, container: Container, seen: Observation): Service {
  if (service.sleep === null) return service;
  const gate = {
    ...asleepOrAwake(service.sleep.open, container, seen),
    ...portsOf(service, seen),
    ...failureOf(container, seen.gates),
  };
  if (gate.forward === service.forward && gate.state === service.state && Object.keys(gate).length === 2)
    return service;
  return gatedOf(service, JSON.stringify(gate), () => ({ ...service, ...gate }));
}

const failureOf = ({ id }: Container, gates: Gates | undefined): Pick<Service, "failure"> => {
  const failure = gates?.failed.get(id);
  return failure === undefined ? {} : { failure };
};

/** Docker lists no ports of a container that does not run: those that it had before. */
function portsOf(
  { name, ports, instances }: Service,
  { actual }: Observation,
): Partial<Pick<Service, "ports">> {
  const before = actual.history.get(name);
  const same = before !== undefined && instances[0]?.id.startsWith(before.containerId) === true;
  return ports.length === 0 && same && before.ports !== undefined ? { ports: before.ports } : {};
}

const gatedOf = perObject<Service, Service>();

/** The forward and the state of a service that may sleep; `open` is where its alias leads while it is awake. */
function asleepOrAwake(
  open: Forward,
  container: Container,
  seen: Pick<Observation, "actual" | "gates">,
): Pick<Service, "forward" | "state"> {
  const gates = seen.gates ?? NO_GATES;
  const { id, state } = container;
  const shown = gates.page !== undefined && gates.paged?.has(open.alias) === true;
  const waits = waiting(shown ? { ...open, page: gates.page } : open);
  if (ASLEEP.has(state)) {
    // Docker's list is from before the start: to lead the alias back would cut the connections that it has by now
    const led = gates.open.has(id) ? ledNow(open.alias, seen.actual.dataPath.forwards) : undefined;
    if (led !== undefined)
      return { forward: { ...open, target: led.target, bridgePort: led.bridgePort }, state: "running" };
    return { forward: waits, state: gates.failed.has(id) ? "failed" : "asleep" };
  }
  // it is about to end, or to get its address
  if (open.target === null) return { forward: waits, state: "starting" };
  if (gates.shut.has(id)) return { forward: waits, state: gates.failed.has(id) ? "failed" : state };
  const leads = ledNow(open.alias, seen.actual.dataPath.forwards)?.target === open.target;
  // without a reader of the queue nothing would open it again
  if (leads || gates.open.has(id) || gates.queue === undefined) return { forward: open, state };
  return { forward: waits, state: gates.failed.has(id) ? "failed" : "starting" };
}

/** What leads the alias to its container in the kernel. */
const ledNow = (alias: Ipv4, forwards: readonly Forward[]): Forward | undefined =>
  forwards.find((one) => one.alias === alias && one.waits !== true && one.target !== null);
