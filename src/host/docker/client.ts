/** Docker's Engine API, read only, with a deadline on every call. */
import Dockerode from "dockerode";
import type { Ipv4 } from "../../core/addresses/ipv4.ts";
import { HostError } from "../../core/errors.ts";
import type { Container, Network } from "../../core/model.ts";
import { dockerError } from "./error.ts";
import { eventsOf, WAKING } from "./events.ts";
import { type Deaths, makeRegister } from "./exits.ts";
import { type Json, networkId, readContainer, readEndpoints, readNetwork, records } from "./json.ts";

/** Milliseconds that Docker has for one answer. */
export const DOCKER_DEADLINE = 10_000;

export interface DockerOptions {
  readonly socket: string;
  readonly version: string | null;
  readonly filters: string | null;
  /** Milliseconds; DOCKER_DEADLINE when not given. */
  readonly deadline?: number;
}

export interface Docker {
  /** Running containers and all networks, as Docker's lists show them. */
  look(): Promise<DockerView>;
  /**
   * The same some 180 ms earlier at a start and 100 ms earlier at an end: addresses are taken from the networks' own
   * view, which leads the list, and a container whose death was announced is not believed to run. With `dying` it is
   * who was seen last, less the dead: Docker is not asked for that.
   */
  lookCloser(dying?: boolean): Promise<DockerView>;
  /**
   * Calls `wake` for each event that may change a container's address, until the signal is aborted or the stream
   * ends; a death is urgent. `opened` is called when the stream stands: what happened before it must be looked for.
   */
  follow(signal: AbortSignal, opened: () => void, wake: (urgent?: boolean) => void): Promise<void>;
  readonly deaths: Deaths;
  /** `/info` and `/version` joined, as Docker gives them. */
  about(): Promise<ReadonlyMap<string, unknown>>;
}

export interface DockerView {
  readonly containers: readonly Container[];
  readonly networks: readonly Network[];
  /** Ids of containers whose death was announced a moment ago, also where they are on their way back. */
  readonly dead?: ReadonlySet<string>;
  /** Docker was not asked: it is what was seen before, less the dead. */
  readonly hurried?: boolean;
}

/** Seconds before its opening of which the stream tells as well: Docker's lists may not show yet who died then. */
const REPLAYED = 1;

/** Milliseconds for which looks in a row may do without Docker: where containers die all the time, the living count as well. */
const HURRIED = 1_000;

/** A client for Docker's socket. The API's version stays unset, so that engines old and new are understood. */
export function connectDocker(options: DockerOptions): Docker {
  const client = new Dockerode({
    socketPath: options.socket,
    ...(options.version === null ? {} : { version: options.version }),
  });
  const register = makeRegister();
  let lastView: DockerView | undefined;
  /** How often the stream of events has been opened, and when the last whole look began: nobody heard what was between. */
  let openings = 0;
  let lookedAfter = 0;
  /** When the looks began, since the last whole one, that did not ask Docker. */
  let hurriedSince: number | null = null;
  let wakeAgain = (): void => undefined;
  const deadline = options.deadline ?? DOCKER_DEADLINE;
  const within = async <T>(call: (options: { abortSignal: AbortSignal }) => Promise<T>): Promise<T> => {
    // a hung socket never times out by itself
    const abortSignal = AbortSignal.timeout(deadline);
    const late = new Promise<never>((_, reject) => {
      abortSignal.addEventListener("abort", () => reject(abortSignal.reason));
    });
    try {
      // not every call of the library listens to the signal
      return await Promise.race([call({ abortSignal }), late]);
    } catch (error) {
      throw dockerError(options.socket, error, abortSignal.aborted ? deadline : null);
    }
  };
  /** The library hands over as it is what it cannot read: taken for an empty list it would take everybody's name. */
  const listed = (what: string, answer: unknown): Json[] => {
    if (Array.isArray(answer)) return records(answer);
    throw dockerError(options.socket, new Error(`its list of ${what} is no list`), null);
  };
  const filters = options.filters === null ? {} : { filters: options.filters };
  const listContainers = async (all: boolean): Promise<Json[]> =>
    listed(
      "containers",
      await within((until) => client.listContainers({ ...until, ...filters, ...(all ? { all } : {}) })),
    );
  const listNetworks = async (): Promise<Json[]> =>
    listed("networks", await within((until) => client.listNetworks(until)));
  return {
    async look() {
      const [containers, networks] = await Promise.all([listContainers(false), listNetworks()]);
      return {
        containers: containers.flatMap((item) => readContainer(item) ?? []),
        networks: networks.map(readNetwork),
      };
    },
    async lookCloser(dyingOnly = false) {
      const began = hurriedSince ?? performance.now();
      const heardAll = lookedAfter === openings;
      const hurry = dyingOnly || (register.bereaved() && heardAll && performance.now() - began < HURRIED);
      if (hurry && lastView !== undefined) {
        // Docker answers nobody for some 60 ms after a death, and may have given the address away by then: what was
        // seen last, without the dead, is enough to take them down. The whole look follows.
        register.known();
        if (!dyingOnly) hurriedSince = began;
        wakeAgain();
        const dead = register.dead();
        const containers = lastView.containers.filter(({ id }) => !dead.has(id));
        lastView = { ...lastView, containers, dead, hurried: true };
        return lastView;
      }
      hurriedSince = null;
      const opening = openings;
      const looked = register.look();
      const [list, networks] = await Promise.all([listContainers(true), listNetworks()]);
      const endpoints = new Map<string, ReadonlyMap<string, Ipv4>>();
      await Promise.all(
        networks.map(async (item) => {
          const id = networkId(item);
          if (id === undefined || readNetwork(item).driver !== "bridge") return;
          // a network removed since the list was made has no endpoints
          const inspected = await within(() => client.getNetwork(id).inspect()).catch(orNone);
          if (inspected !== undefined && networkId(inspected as unknown as Json) !== id)
            throw dockerError(options.socket, new Error("it has shown something else for a network"), null);
          endpoints.set(readNetwork(item).name, readEndpoints(inspected));
        }),
      );
      const dead = looked();
      const containers = list.flatMap((item) => {
        const container = readContainer(item);
        return container === undefined ? [] : (confirmed(container, endpoints, dead.has(container.id)) ?? []);
      });
      lastView = { containers, networks: networks.map(readNetwork), dead };
      lookedAfter = opening;
      return lastView;
    },
    deaths: register,
    async follow(signal, opened, wake) {
      // a stream is idle for hours: no deadline on it, only on its opening
      const opening = new AbortController();
      const late = setTimeout(() => opening.abort(), deadline);
      let stands = false;
      try {
        const abortSignal = AbortSignal.any([signal, opening.signal]);
        const filters = JSON.stringify(WAKING);
        const since = Math.floor(Date.now() / 1000) - REPLAYED;
        const stream = await client.getEvents({ abortSignal, filters, since });
        clearTimeout(late);
        stands = true;
        openings += 1;
        // a clock that is set later on makes nothing old
        const [stood, clock] = [performance.now(), Date.now()];
        const isOld = (at: number): boolean => at < clock && performance.now() - stood < REPLAYED * 1000;
        wakeAgain = () => wake();
        opened();
        for await (const event of eventsOf(stream)) {
          wake(register.heard(event, isOld(event.at)));
        }
      } catch (error) {
        // one that stood has ended, however: Docker ends it orderly, breaks it off or dies
        if (!signal.aborted && !stands)
          throw dockerError(options.socket, error, opening.signal.aborted ? deadline : null);
      } finally {
        clearTimeout(late);
      }
    },
    async about() {
      // the library's types know these two without their options
      const asked = client as unknown as Record<"info" | "version", (options: object) => Promise<object>>;
      const [info, version] = await Promise.all([
        within((until) => asked.info(until)),
        within((until) => asked.version(until)),
      ]);
      return new Map<string, unknown>([...Object.entries(info), ...Object.entries(version)]);
    },
  };
}

function orNone(error: unknown): undefined {
  if (error instanceof HostError && (error.cause as { statusCode?: number })?.statusCode === 404)
    return undefined;
  throw error;
}

/**
 * A container with the addresses that its networks confirm: one that is being started has them before the list says
 * so, one that has ended loses them before. Undefined when it neither runs nor starts.
 */
function confirmed(
  container: Container,
  endpoints: ReadonlyMap<string, ReadonlyMap<string, Ipv4>>,
  dying: boolean,
): Container | undefined {
  const runs = RUNNING.has(container.state) && !dying;
  const attachments = container.attachments.map((attachment) => {
    const known = endpoints.get(attachment.network);
    return known === undefined ? attachment : { ...attachment, address: known.get(container.id) };
  });
  // the endpoint of one that has died stays for a while, and is no start
  const starts =
    !dying &&
    !RUNNING.has(container.state) &&
    attachments.some(({ network, address }) => address !== undefined && endpoints.has(network));
  return runs || starts
    ? { ...container, attachments, state: runs ? container.state : "starting" }
    : undefined;
}

const RUNNING: ReadonlySet<string> = new Set(["running", "paused", "restarting"]);
