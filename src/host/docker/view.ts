/** Docker's containers and networks as one observation shows them, and updated container by container. */
import { isDeepStrictEqual } from "node:util";
import type { Ipv4 } from "../../core/addresses/ipv4.ts";
import type { Container, Network } from "../../core/model.ts";
import { sameStart } from "../../core/page/uptime.ts";
import type { Docker } from "./client.ts";
import { type DockerEvent, type Json, networkId, readContainer, readEndpoints, readNetwork } from "./json.ts";

export interface DockerView {
  /** Running containers, newest first. */
  readonly containers: readonly Container[];
  /** Those that exist and do not run. */
  readonly stopped?: readonly Container[];
  readonly networks: readonly Network[];
  /** One line for each container and network that could not be read as a whole. */
  readonly notices: readonly string[];
  /**
   * Ids of containers whose list entry is out of date: it shows them running after their end was announced, not yet running
   * when a network has their address, without a network that has it, or with an endpoint whose loss was announced.
   */
  readonly unsettled?: readonly string[];
}

/** One observation from Docker's two lists. Throws HostError. */
export async function lookOnce(docker: Docker): Promise<DockerView> {
  const [{ items, notices }, networks] = await Promise.all([
    docker.containers({ all: true }),
    docker.networks(),
  ]);
  const all = items.flatMap((item) => readContainer(item, seconds()) ?? []);
  return {
    containers: all.filter(({ state }) => RUNNING.has(state)),
    stopped: all.filter(({ state }) => !RUNNING.has(state)),
    networks: networks.items.map(readNetwork),
    notices: [...notices, ...networks.notices],
  };
}

/** A view that is kept and updated. */
export interface FollowedView {
  /** Reads everything. */
  whole(): Promise<DockerView>;
  /** Reads the containers of these events again; everything where an event does not name its container. */
  refresh(events: readonly DockerEvent[]): Promise<DockerView>;
}

/**
 * A view for a process that follows Docker's events. It shows a container that is being started some 180 ms earlier than
 * Docker's list does, since a network has its address by then; and leaves out those in `ended`.
 */
export function followedView(docker: Docker, ended: () => ReadonlySet<string>): FollowedView {
  let listed = new Map<string, Container>();
  let networks: readonly Network[] = [];
  let bridges: ReadonlySet<string> = new Set();
  let notices: readonly string[] = [];
  let networkNotices: readonly string[] = [];
  /** Network id → container id → address, for containers that Docker's list does not show running. */
  const endpoints = new Map<string, ReadonlyMap<string, Ipv4>>();
  /** Containers whose loss of an endpoint is accepted although the list still shows it. */
  const unasked = new Set<string>();
  /** The value from before where nothing has changed: all that was computed from it is kept with it. */
  const read = (item: Json): Container | [] => {
    const one = readContainer(item, seconds());
    if (one === undefined) return [];
    const before = listed.get(one.id);
    return before !== undefined && isSame(before, one) ? before : one;
  };
  const lookAtEndpoints = async (id: string): Promise<void> => {
    endpoints.set(id, readEndpoints((await docker.network(id)) ?? {}));
  };
  /**
   * With the networks that have an address for a container that runs and are not in its list entry yet: Docker announces
   * `connect` before it has stored the container's own description, which a busy disk makes seconds.
   */
  const withJoined = (one: Container): Container => {
    const missing = RUNNING.has(one.state)
      ? networks.filter(({ id }) => endpoints.get(id)?.has(one.id) === true && !isOn(one, id))
      : [];
    if (missing.length === 0) return one;
    const joined = missing.map(({ id, name }) => ({
      network: name,
      networkId: id,
      address: undefined,
      priority: 0,
    }));
    // as Docker's list has them
    const attachments = [...one.attachments, ...joined].sort((a, b) => (a.network < b.network ? -1 : 1));
    return { ...one, attachments };
  };
  const view = (): DockerView => {
    const gone = ended();
    const containers: Container[] = [];
    const stopped: Container[] = [];
    for (const one of listed.values()) {
      const running = gone.has(one.id) ? undefined : present(withJoined(one), endpoints);
      if (running === undefined)
        stopped.push(gone.has(one.id) && RUNNING.has(one.state) ? { ...one, state: EXITED } : one);
      else containers.push(running);
    }
    const late = [...gone].filter((id) => RUNNING.has(listed.get(id)?.state ?? ""));
    const starting = containers.flatMap(({ id, state }) => (state === STARTING ? id : []));
    const disconnected = containers.flatMap(({ id }) => (unasked.has(id) ? id : []));
    const joining = containers.flatMap(({ id, attachments }) =>
      attachments.length === listed.get(id)?.attachments.length ? [] : id,
    );
    const unsettled = [...late, ...starting, ...disconnected, ...joining];
    return { containers, stopped, networks, notices: [...notices, ...networkNotices], unsettled };
  };
  /** Takes an end or the loss of an endpoint from the event alone: Docker answers requests slowly just then. */
  const applyEvent = ({ action, container, network }: DockerEvent): void => {
    const one = listed.get(container);
    if (action === "die" && one !== undefined) listed.set(container, { ...one, state: EXITED });
    if (action === "disconnect") unasked.add(container);
    for (const [id, addresses] of endpoints)
      if (addresses.has(container) && (action === "die" || id === network))
        endpoints.set(id, new Map([...addresses].filter(([other]) => other !== container)));
  };
  const whole = async (): Promise<DockerView> => {
    const [list, nets] = await Promise.all([docker.containers({ all: true }), docker.networks()]);
    endpoints.clear();
    unasked.clear();
    bridges = new Set(nets.items.flatMap((item) => bridgeId(item) ?? []));
    await Promise.all([...bridges].map(lookAtEndpoints));
    listed = new Map(list.items.flatMap(read).map((one) => [one.id, one]));
    networks = nets.items.map(readNetwork);
    notices = list.notices;
    networkNotices = nets.notices;
    return view();
  };
  return {
    whole,
    async refresh(events) {
      const known = new Set(networks.map(({ id }) => id));
      const vague = ({ container, network }: DockerEvent): boolean =>
        container === "" || (network !== "" && !known.has(network));
      if (events.some(vague)) return whole();
      const gone = ended();
      const back = new Set(
        events.flatMap(({ action, container }) =>
          action === "connect" || action === "start" ? container : [],
        ),
      );
      const isComplete = ({ action, container, network }: DockerEvent): boolean =>
        !back.has(container) &&
        ((action === "die" && gone.has(container)) || (action === "disconnect" && endpoints.has(network)));
      for (const event of events) if (isComplete(event)) applyEvent(event);
      const open = events.filter((event) => !isComplete(event));
      const ids = [...new Set(open.map(({ container }) => container))];
      const changed = new Set(open.map(({ network }) => network).filter((id) => bridges.has(id)));
      const [lists] = await Promise.all([
        Promise.all(ids.map((id) => docker.containers({ all: true, id }))),
        ...[...changed].map(lookAtEndpoints),
      ]);
      for (const id of ids) unasked.delete(id);
      const found = lists.flatMap(({ items }) => items.flatMap(read));
      listed = updated(listed, ids, found.map(withState(open)));
      const about = (line: string): boolean =>
        ids.some((id) => line.startsWith(`container ${id.slice(0, 12)} `));
      notices = [...notices.filter((line) => !about(line)), ...lists.flatMap((list) => list.notices)];
      return view();
    },
  };
}

/** Whether Docker describes the same run of a container in the same state; the words for its uptime change with time. */
const isSame = (before: Container, now: Container): boolean =>
  sameStart(before.started, now.started) && isDeepStrictEqual(before, { ...now, started: before.started });

const seconds = (): number => Math.floor(Date.now() / 1000);

/** Docker announces a pause a moment before its list shows it. */
function withState(events: readonly DockerEvent[]): (one: Container) => Container {
  const announced = new Map(
    events.flatMap(({ action, container }) => {
      const state = action === "pause" ? "paused" : action === "unpause" ? "running" : undefined;
      return state === undefined ? [] : [[container, state] as const];
    }),
  );
  return (one) => {
    const state = announced.get(one.id);
    // one that has ended meanwhile is neither
    return state !== undefined && RUNNING.has(one.state) && state !== one.state ? { ...one, state } : one;
  };
}

/** Id of a network that may go into an API path and has a bridge; undefined for any other. */
function bridgeId(item: Json): string | undefined {
  return readNetwork(item).driver === "bridge" ? networkId(item) : undefined;
}

/** New containers come first, as in Docker's list; one that was there keeps its place. */
function updated(
  before: ReadonlyMap<string, Container>,
  asked: readonly string[],
  found: readonly Container[],
): Map<string, Container> {
  const now = new Map(found.map((one) => [one.id, one]));
  const gone = new Set(asked.filter((id) => !now.has(id)));
  const fresh = found.filter((one) => !before.has(one.id));
  const kept = [...before.values()].filter((one) => !gone.has(one.id)).map((one) => now.get(one.id) ?? one);
  return new Map([...fresh, ...kept].map((one) => [one.id, one]));
}

const isOn = ({ attachments }: Container, network: string): boolean =>
  attachments.some(({ networkId }) => networkId === network);

const STARTING = "starting";
const EXITED = "exited";
const RUNNING: ReadonlySet<string> = new Set(["running", "paused", "restarting"]);

/**
 * The container with the addresses that its networks show, which are ahead of the list: a starting container has one
 * before the list says that it runs, a disconnected one has none. Undefined when it neither runs nor starts.
 */
function present(
  container: Container,
  endpoints: ReadonlyMap<string, ReadonlyMap<string, Ipv4>>,
): Container | undefined {
  const runs = RUNNING.has(container.state);
  const seenAt = container.attachments.map(({ networkId, address }) => {
    const known = endpoints.get(networkId);
    return known === undefined ? address : known.get(container.id);
  });
  const same = seenAt.every((address, i) => address === container.attachments[i]?.address);
  const starts =
    !runs && container.attachments.some(({ networkId }, i) => seenAt[i] && endpoints.has(networkId));
  if (!runs && !starts) return undefined;
  if (runs && same) return container;
  const attachments = container.attachments.map((one, i) => ({ ...one, address: seenAt[i] }));
  return { ...container, attachments, state: runs ? container.state : STARTING };
}
