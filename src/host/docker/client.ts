/** Docker's Engine API, read only, with a deadline on every call and a bound on every answer. */
import type { Readable } from "node:stream";
import Dockerode from "dockerode";
import { HostError } from "../../core/errors.ts";
import { readDocument, readList } from "./answer.ts";
import { dockerError } from "./error.ts";
import { eventsOf, WAKING } from "./events.ts";
import { type DockerEvent, type Json, networkId, records } from "./json.ts";

/** Milliseconds until an answer of Docker's must be complete. */
export const DOCKER_DEADLINE_MS = 10_000;

export interface DockerOptions {
  readonly socket: string;
  /** Prefix of the path, as `v1.41`; null lets each engine speak its own version. */
  readonly version: string | null;
  /** JSON of filters for the list of containers; null for none. */
  readonly filters: string | null;
  /** Milliseconds; DOCKER_DEADLINE_MS when not given. */
  readonly deadline?: number;
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

/** A client for Docker's socket. The API's version stays unset, so that engines old and new are understood. */
export function connectDocker(options: DockerOptions): Docker {
  const { socket, version, deadline = DOCKER_DEADLINE_MS } = options;
  const client = new Dockerode({ socketPath: socket, ...(version === null ? {} : { version }) });
  const ask = async <T>(path: string, read: (stream: Readable) => Promise<T>, query?: Query): Promise<T> => {
    // a hung socket never times out by itself
    const abortSignal = AbortSignal.timeout(deadline);
    const late = new Promise<never>((_, reject) => {
      abortSignal.addEventListener("abort", () => reject(abortSignal.reason));
    });
    try {
      return await Promise.race([dial(client, path, abortSignal, query).then(read), late]);
    } catch (error) {
      throw dockerError(socket, error, abortSignal.aborted ? deadline : null, path);
    }
  };
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
      const found = await object(`/networks/${id}`).catch(orNone);
      if (found !== undefined && networkId(found) !== id)
        throw dockerError(socket, new Error("it describes another network"), null, `/networks/${id}`);
      return found;
    },
    async pid(containerId) {
      const { State } = (await object(`/containers/${containerId}/json`).catch(orNone)) ?? {};
      const { Running, Pid } = (State ?? {}) as { Running?: unknown; Pid?: unknown };
      return Running === true && typeof Pid === "number" && Number.isInteger(Pid) && Pid > 0
        ? Pid
        : undefined;
    },
    stats: (containerId) => object(`/containers/${containerId}/stats`, { stream: false }).catch(orNone),
    async follow(signal, opened, onEvent) {
      // a stream is idle for hours: no deadline on it, only on its opening
      const opening = new AbortController();
      const late = setTimeout(() => opening.abort(), deadline);
      let isOpen = false;
      try {
        const abortSignal = AbortSignal.any([signal, opening.signal]);
        const stream = await client.getEvents({ abortSignal, filters: JSON.stringify(WAKING) });
        clearTimeout(late);
        isOpen = true;
        opened();
        for await (const event of eventsOf(stream)) onEvent(event);
      } catch (error) {
        // an open stream may end in any way: closed by Docker, broken off, or Docker itself has ended
        if (!signal.aborted && !isOpen)
          throw dockerError(socket, error, opening.signal.aborted ? deadline : null, "/events");
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

type Query = Readonly<Record<string, unknown>>;

/** The answer's body as a stream; a status other than 200 rejects, with Docker's own message. */
function dial(
  client: Dockerode,
  path: string,
  abortSignal: AbortSignal,
  query: Query = {},
): Promise<Readable> {
  return new Promise((resolve, reject) => {
    // the library adds the options as a query only where the path ends in a question mark, and removes that otherwise
    const request = { path: `${path}?`, method: "GET", options: { ...query }, abortSignal, isStream: true };
    client.modem.dial({ ...request, statusCodes: { 200: true } }, (error: unknown, stream: unknown) =>
      error ? reject(error) : resolve(stream as Readable),
    );
  });
}

/** The configured filters, and the one container asked for. */
function filtersOf(configured: string | null, id: string | undefined): string | null {
  if (id === undefined) return configured;
  return JSON.stringify({ ...(configured === null ? {} : JSON.parse(configured)), id: [id] });
}

function orNone(error: unknown): undefined {
  if (error instanceof HostError && (error.cause as { statusCode?: number })?.statusCode === 404)
    return undefined;
  throw error;
}
