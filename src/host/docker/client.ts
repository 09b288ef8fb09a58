/** Docker's Engine API, read only, with a deadline on every call and a bound on every answer. */
import type { Readable } from "node:stream";
import { readDocument, readList } from "./answer.ts";
import { connectEngine, DOCKER_DEADLINE_MS, type EngineOptions, type EngineRequest } from "./engine.ts";
import { dockerError, orNone } from "./error.ts";
import { eventsOf, WAKING } from "./events.ts";
import { type DockerEvent, type Json, networkId, records } from "./json.ts";

export interface DockerOptions extends EngineOptions {
  /** JSON of filters for the list of containers; null for none. */
  readonly filters: string | null;
}

export interface ContainerQuery {
  /** Also those that do not run. */
  readonly all?: boolean;
  /** Only this container. */
  readonly id?: string;
}

/** Each call throws HostError "docker" or "privilege". */
export interface Docker {
  containers(query?: ContainerQuery): Promise<ListedContainers>;
  networks(): Promise<Json[]>;
  /** Undefined when there is no such network. `id` is one that `networkId` has let pass. */
  network(id: string): Promise<Json | undefined>;
  /** PID of the container's first process; undefined while it does not run. */
  pid(containerId: string): Promise<number | undefined>;
  /**
   * Calls `onEvent` for each event that may change a container's address, until the signal is aborted or the stream
   * ends. `opened` is called when the stream is open: earlier changes must be read from the lists.
   */
  follow(signal: AbortSignal, opened: () => void, onEvent: (event: DockerEvent) => void): Promise<void>;
  /**
   * Two samples of what a container uses, some second apart, as Docker gives them; undefined when there is no such
   * container.
   */
  stats(containerId: string): Promise<Json | undefined>;
  /** `/info` and `/version` joined, as Docker gives them. */
  about(): Promise<ReadonlyMap<string, unknown>>;
}

export interface ListedContainers {
  readonly items: Json[];
  /** One line for each container that was left out. */
  readonly notices: readonly string[];
}

/** A client for Docker's socket. */
export function connectDocker(options: DockerOptions): Docker {
  const { socket, deadline = DOCKER_DEADLINE_MS } = options;
  const engine = connectEngine(options);
  const ask = <T>(path: string, read: (body: Readable) => Promise<T>, query: Query = {}): Promise<T> =>
    engine.ask({ path, query }, read);
  const object = async (path: string, query?: Query): Promise<Json> =>
    records([await ask(path, readDocument, query)])[0] ?? {};
  return {
    async containers({ all = false, id } = {}) {
      const filters = filtersOf(options.filters, id);
      const query = { ...(all ? { all } : {}), ...(filters === null ? {} : { filters }) };
      const { items, tooLarge } = await ask("/containers/json", readList, query);
      const notices = tooLarge.map(
        (start) =>
          `container ${/"Id":"([0-9a-f]{12})/.exec(start)?.[1] ?? "?"} is not served: Docker's description of it is larger than 1 MB`,
      );
      return { items: records(items), notices };
    },
    networks: async () => records((await ask("/networks", readList)).items),
    async network(id) {
      const found = await object(`/networks/${id}`).catch(orNone(404));
      if (found !== undefined && networkId(found) !== id)
        throw dockerError(socket, new Error("it describes another network"), null, {
          path: `/networks/${id}`,
        });
      return found;
    },
    async pid(containerId) {
      const { State } = (await object(`/containers/${containerId}/json`).catch(orNone(404))) ?? {};
      const { Running, Pid } = (State ?? {}) as { Running?: unknown; Pid?: unknown };
      return Running === true && typeof Pid === "number" && Number.isInteger(Pid) && Pid > 0
        ? Pid
        : undefined;
    },
    stats: (containerId) => object(`/containers/${containerId}/stats`, { stream: false }).catch(orNone(404)),
    async follow(signal, opened, onEvent) {
      // a stream is idle for hours: no deadline on it, only on its opening
      const opening = new AbortController();
      const late = setTimeout(() => opening.abort(), deadline);
      let isOpen = false;
      try {
        const abortSignal = AbortSignal.any([signal, opening.signal]);
        const stream = await engine.open(EVENTS, abortSignal);
        clearTimeout(late);
        isOpen = true;
        opened();
        for await (const event of eventsOf(stream)) onEvent(event);
      } catch (error) {
        // an open stream may end in any way: closed by Docker, broken off, or Docker itself has ended
        if (!signal.aborted && !isOpen)
          throw dockerError(socket, error, opening.signal.aborted ? deadline : null, EVENTS);
      } finally {
        clearTimeout(late);
      }
    },
    async about() {
      const [info, version] = await Promise.all([object("/info"), object("/version")]);
      return new Map<string, unknown>([...Object.entries(info), ...Object.entries(version)]);
    },
  };
}

type Query = NonNullable<EngineRequest["query"]>;

const EVENTS: EngineRequest = { path: "/events", query: { filters: JSON.stringify(WAKING) } };

/** The configured filters, and the one container asked for. */
function filtersOf(configured: string | null, id: string | undefined): string | null {
  if (id === undefined) return configured;
  return JSON.stringify({ ...(configured === null ? {} : JSON.parse(configured)), id: [id] });
}
