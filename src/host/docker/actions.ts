/** What starts, stops and checks containers through Docker. Each call has a deadline, and a second try where it is harmless. */
import type { Readable } from "node:stream";
import { clip } from "../../core/clip.ts";
import { HostError } from "../../core/errors.ts";
import { endProcesses } from "../kernel/processes.ts";
import { readDocument } from "./answer.ts";
import { type ContainerDetails, readDetails } from "./details.ts";
import { connectEngine, DOCKER_DEADLINE_MS, type EngineOptions, type Patience } from "./engine.ts";
import { dockerError, orNone } from "./error.ts";
import { type EndProcesses, execute } from "./exec.ts";
import { isContainerId, type Json, record } from "./json.ts";

/**
 * Calls for a container by its id of 64 hexadecimal digits. Each throws HostError "docker" or "privilege", with Docker's own
 * message; one that takes a signal throws the signal's reason when it is aborted.
 */
export interface DockerActions {
  /** Undefined when there is no such container. */
  inspect(id: string, signal?: AbortSignal): Promise<ContainerDetails | undefined>;
  /** One that runs already is left as it is. */
  start(id: string): Promise<void>;
  /** Waits until it has ended; Docker kills it after its own stop timeout. One that does not run is left as it is. */
  stop(id: string): Promise<void>;
  /** One that is paused already is left as it is. */
  pause(id: string): Promise<void>;
  /** One that is not paused is left as it is. */
  unpause(id: string): Promise<void>;
  /**
   * Exit status of a command run inside the container; its output is discarded. Undefined when Docker does not know the status.
   * After `timeoutMs`, and when the signal is aborted, its processes are ended; after `timeoutMs` HostError is thrown.
   */
  exec(
    id: string,
    argv: readonly string[],
    timeoutMs: number,
    signal?: AbortSignal,
  ): Promise<number | undefined>;
}

/** Seconds that Docker gives a container that says nothing else before it kills it. */
const STOP_SECONDS = 10;
/** Seconds that a stop timeout may have, also one that is meant never to end. */
const MOST_STOP_SECONDS = 3_600;

/** `deadline` is in milliseconds, for all that does not wait for a container. */
export function connectActions(options: EngineOptions, end: EndProcesses = endProcesses): DockerActions {
  const { deadline = DOCKER_DEADLINE_MS } = options;
  const engine = connectEngine(options);
  const description = async (id: string, signal?: AbortSignal): Promise<Json | undefined> => {
    const path = `/containers/${checked(id)}/json`;
    const item = await engine.ask({ path }, readDocument, { again: true, signal }).catch(orNone(404));
    if (item === undefined) return undefined;
    if (record(item).Id === id) return record(item);
    throw dockerError(options, new Error("it describes another container"), null, { path });
  };
  const inspect: DockerActions["inspect"] = async (id, signal) => {
    const item = await description(id, signal);
    return item === undefined ? undefined : readDetails(id, item);
  };
  const act = (id: string, action: string, patience: Patience = {}): Promise<void> => {
    const path = `/containers/${checked(id)}/${action}`;
    return engine.ask({ method: "POST", path, success: [204, 304] }, discard, { again: true, ...patience });
  };
  /** Docker refuses some actions, with one status or another, also where nothing is left to do. */
  const actUnless = async (
    id: string,
    action: string,
    isDone: (one: ContainerDetails) => boolean,
  ): Promise<void> => {
    try {
      await act(id, action);
    } catch (error) {
      const now = await inspect(id).catch(() => undefined);
      if (now === undefined || !isDone(now)) throw error;
    }
  };
  return {
    inspect,
    start: (id) => act(id, "start"),
    async stop(id) {
      const seconds = stopSeconds((await description(id)) ?? {});
      await act(id, "stop", { deadline: deadline + seconds * 1000 });
    },
    pause: (id) => actUnless(id, "pause", ({ paused }) => paused),
    unpause: (id) => actUnless(id, "unpause", ({ paused }) => !paused),
    async exec(id, argv, timeoutMs, signal) {
      const command = { container: checked(id), argv, timeoutMs, onOutput: () => undefined };
      const result = await execute(options, end, signal === undefined ? command : { ...command, signal });
      if (result.ended === "signal") throw signal?.reason;
      if (result.ended === "timeout")
        throw new HostError("docker", `its command did not end within ${timeoutMs / 1000} s`);
      return result.status ?? undefined;
    },
  };
}

/** Ids go into API paths. */
function checked(id: string): string {
  if (!isContainerId(id)) throw new HostError("docker", `"${clip(id)}" is no container id`);
  return id;
}

/** Seconds between the container's stop signal and its being killed. */
function stopSeconds(item: Json): number {
  const { StopTimeout } = record(item.Config);
  if (typeof StopTimeout !== "number" || !Number.isFinite(StopTimeout)) return STOP_SECONDS;
  return StopTimeout < 0 ? MOST_STOP_SECONDS : Math.min(StopTimeout, MOST_STOP_SECONDS);
}

/** Reads to the end and keeps nothing. */
async function discard(body: Readable): Promise<void> {
  for await (const _ of body) {
    // only its end counts
  }
}
