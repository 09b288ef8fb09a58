/** Docker's Engine API, read only, with a deadline on every call and a bound on every answer. */
import type { Readable } from "node:stream";
import { clip } from "../../core/clip.ts";
import { after } from "../../platform/timer.ts";
import { MAX_FIELD_OCTETS, readDocument, readFields, readList } from "./answer.ts";
import { connectEngine, DOCKER_DEADLINE_MS, type EngineOptions, type EngineRequest } from "./engine.ts";
import { dockerError, orNone } from "./error.ts";
import { eventsOf, WAKING } from "./events.ts";
import type { ReadObject, WantedFields } from "./fields.ts";
import {
  CONTAINER_FIELDS,
  type DockerEvent,
  ENDPOINT_FIELDS,
  isPartial,
  type Json,
  LEFT_OUT,
  NETWORK_FIELDS,
  networkId,
  record,
  string,
} from "./json.ts";

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
  containers(query?: ContainerQuery): Promise<Listed>;
  networks(): Promise<Listed>;
  /** Its endpoints. Undefined when there is no such network. `id` is one that `networkId` has let pass. */
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

export interface Listed {
  readonly items: Json[];
  /** One line for each item of which fields were left out. */
  readonly notices: readonly string[];
}

/** A client for Docker's socket. */
export function connectDocker(options: DockerOptions): Docker {
  const { deadline = DOCKER_DEADLINE_MS } = options;
  const engine = connectEngine(options);
  const ask = <T>(path: string, read: (body: Readable) => Promise<T>, query: Query = {}): Promise<T> =>
    engine.ask({ path, query }, read);
  const object = async (path: string, query?: Query): Promise<Json> =>
    record(await ask(path, readDocument, query));
  // what any user may make large: read for as long as it arrives
  const fields = async (path: string, wanted: WantedFields): Promise<Json> => {
    const { value } = await engine.ask({ path }, (body) => readFields(body, wanted), WHILE_IT_ARRIVES);
    return record(value);
  };
  const list = (path: string, query: Query, wanted: WantedFields): Promise<ReadObject[]> =>
    engine.ask({ path, query }, (body) => readList(body, wanted), WHILE_IT_ARRIVES);
  return {
    async containers({ all = false, id } = {}) {
      const filters = filtersOf(options.filters, id);
      const query = { ...(all ? { all } : {}), ...(filters === null ? {} : { filters }) };
      return listedOf(await list("/containers/json", query, CONTAINER_FIELDS), (id, name, are, left) =>
        isPartial(left)
          ? `container ${id} (${name}) is not served: ${are} in Docker's list of it: create it again with less`
          : `container ${id} (${name}) is served as far as it is known: ${are} in Docker's list of it: publish fewer ports, or connect it to fewer networks`,
      );
    },
    networks: async () =>
      listedOf(
        await list("/networks", {}, NETWORK_FIELDS),
        (id, name, are) =>
          `the Docker network ${id} (${name}) counts as one with any subnet: ${are} in Docker's list of it: remove it (docker network rm ${id})`,
      ),
    async network(id) {
      const found = await fields(`/networks/${id}`, ENDPOINT_FIELDS).catch(orNone(404));
      if (found !== undefined && networkId(found) !== id)
        throw dockerError(options, new Error("it describes another network"), null, {
          path: `/networks/${id}`,
        });
      return found;
    },
    async pid(containerId) {
      const path = `/containers/${containerId}/json`;
      const { State } =
        (await fields(path, { State: { Running: true, Pid: true } }).catch(orNone(404))) ?? {};
      const { Running, Pid } = (State ?? {}) as { Running?: unknown; Pid?: unknown };
      return Running === true && typeof Pid === "number" && Number.isInteger(Pid) && Pid > 0
        ? Pid
        : undefined;
    },
    stats: (containerId) => object(`/containers/${containerId}/stats`, { stream: false }).catch(orNone(404)),
    async follow(signal, opened, onEvent) {
      // a stream is idle for hours: no deadline on it, only on its opening
      const opening = new AbortController();
      const cancel = after(deadline, () => opening.abort());
      let isOpen = false;
      try {
        const abortSignal = AbortSignal.any([signal, opening.signal]);
        const stream = await engine.open(EVENTS, abortSignal);
        cancel();
        isOpen = true;
        opened();
        for await (const event of eventsOf(stream)) onEvent(event);
      } catch (error) {
        // an open stream may end in any way: closed by Docker, broken off, or Docker itself has ended
        if (!signal.aborted && !isOpen)
          throw dockerError(options, error, opening.signal.aborted ? deadline : null, EVENTS);
      } finally {
        cancel();
      }
    },
    async about() {
      const [info, version] = await Promise.all([object("/info"), object("/version")]);
      return new Map<string, unknown>([...Object.entries(info), ...Object.entries(version)]);
    },
  };
}

const WHILE_IT_ARRIVES = { whileItArrives: true } as const;

function listedOf(
  read: readonly ReadObject[],
  notice: (id: string, name: string, are: string, left: readonly string[]) => string,
): Listed {
  const items = read.map(({ value, left }) =>
    left.length === 0 ? record(value) : { ...record(value), [LEFT_OUT]: left },
  );
  const notices = read.flatMap(({ value, left }) => {
    if (left.length === 0) return [];
    const { Id, Name, Names } = record(value);
    const name = string(Name) || string(Array.isArray(Names) ? Names[0] : "").replace(/^\//, "");
    const fields = left.map((field) => clip(field)).join(", ");
    const are = `${fields} ${left.length === 1 ? "is" : "are"} larger than ${MAX_FIELD_OCTETS} octets`;
    return [notice(clip(string(Id), 12).replace(/…$/, ""), clip(name) || "?", are, left)];
  });
  return { items, notices };
}

type Query = NonNullable<EngineRequest["query"]>;

const EVENTS: EngineRequest = { path: "/events", query: { filters: JSON.stringify(WAKING) } };

/** The configured filters, and the one container asked for. */
function filtersOf(configured: string | null, id: string | undefined): string | null {
  if (id === undefined) return configured;
  return JSON.stringify({ ...(configured === null ? {} : JSON.parse(configured)), id: [id] });
}
