/** The commands that start and stop containers: `wake`, `start`, `stop`, `restart`. */
import { clip } from "../core/clip.ts";
import type { Config } from "../core/config/config.ts";
import { lifecycleOfContainer } from "../core/lifecycle/sleep.ts";
import type { Container } from "../core/model.ts";
import { pathsOf } from "../core/paths.ts";
import { SCHEMA_VERSION } from "../core/report/report.ts";
import { counted } from "../core/text.ts";
import { type EventLog, eventLog } from "../host/disk/event-log.ts";
import { connectActions, type DockerActions } from "../host/docker/actions.ts";
import { reasonOf } from "../host/docker/error.ts";
import { connectMethods } from "../host/docker/methods.ts";
import { commandEvent } from "../lifecycle/event-texts.ts";
import { readyCheck } from "../lifecycle/methods/ready.ts";
import type { Known } from "../lifecycle/needs.ts";
import { startWithNeeds, untilFit } from "../lifecycle/start.ts";
import { after } from "../platform/timer.ts";
import type { Answer } from "./commands.ts";
import { containersOf, lookAtServices } from "./select.ts";

export type LifecycleCommand = "wake" | "start" | "stop" | "restart";

const DONE: Readonly<Record<LifecycleCommand, string>> = {
  wake: "is ready",
  start: "is started",
  stop: "is stopped",
  restart: "is started again",
};
const FAILED = 1;

interface Result {
  readonly name: string;
  readonly container: string;
  readonly ok: boolean;
  readonly ms: number;
  readonly error: string | null;
}

/**
 * Carries out a command for all containers of these names, side by side. `say` is called with a line for each that is done.
 * Status 1 when one has failed. Throws HostError when Docker does not answer, or when a name is not known: nothing is done then.
 */
export async function runLifecycle(
  config: Config,
  command: LifecycleCommand,
  names: readonly string[],
  { json }: { readonly json: boolean },
  say: (line: string) => void,
): Promise<Answer> {
  const look = await lookAtServices(config);
  const { seen } = look;
  const wanted = names.map((name) => ({ name, containers: containersOf(name, config, look) }));
  const docker = connectActions({ socket: config.dockerSocket, ...config.api });
  const events = eventLog(pathsOf(config).events);
  const results = await Promise.all(
    wanted.flatMap(({ name, containers }) =>
      containers.map(async (container): Promise<Result> => {
        const began = performance.now();
        const { done, error } = await carryOut(command, container, { config, seen, docker });
        const ms = Math.round(performance.now() - began);
        logCommand(events, command, container, { done, error });
        const what = containers.length > 1 ? `${name} (${clip(container.name)})` : name;
        if (!json && error === null) say(`${what} ${DONE[command]} (${(ms / 1000).toFixed(1)} s)`);
        return { name, container: container.name, ok: error === null, ms, error };
      }),
    ),
  );
  await events.written();
  const failed = results.filter(({ ok }) => !ok);
  const document = { schemaVersion: SCHEMA_VERSION, command, containers: results };
  return {
    out: json ? `${JSON.stringify(document, null, 2)}\n` : "",
    warnings: failed.map(({ name, error }) => `could not ${command} ${name}: ${error}`),
    status: failed.length > 0 ? FAILED : 0,
  };
}

/** Without the right to write there the command has its effect all the same. */
function logCommand(
  events: EventLog,
  command: LifecycleCommand,
  container: Container,
  { done, error }: CarriedOut,
): void {
  const reason = `ocdd ${command}${error === null ? "" : `: ${error}`}`;
  for (const event of error === null ? done : (["failed"] as const))
    events.add(commandEvent(container, event, reason, Date.now()));
}

interface CarriedOut {
  /** What has changed: nothing for a container that was as wanted already. */
  readonly done: readonly ("start" | "stop")[];
  /** Why it could not be done; null when it could. */
  readonly error: string | null;
}

interface Means {
  readonly config: Config;
  readonly seen: Known;
  readonly docker: Pick<DockerActions, "inspect" | "start" | "stop" | "unpause" | "exec">;
}

/** Carries a command out for one container. Never rejects for what Docker refuses. */
export async function carryOut(
  command: LifecycleCommand,
  container: Container,
  means: Means,
): Promise<CarriedOut> {
  const { config, docker, seen } = means;
  const { id } = container;
  const done: ("start" | "stop")[] = [];
  try {
    if (command === "stop" || command === "restart") {
      await docker.stop(id);
      if (seen.containers.some((one) => one.id === id)) done.push("stop");
    }
    const isStarted =
      command === "wake"
        ? await wake(container, config, docker, seen)
        : command !== "stop" && (await startWithNeeds(container, docker, seen, NEVER));
    if (isStarted) done.push("start");
    return { done, error: null };
  } catch (error) {
    return { done, error: reasonOf(error) };
  }
}

const NEVER = new AbortController().signal;

/** Resolves with whether it was started. */
async function wake(
  container: Container,
  config: Config,
  docker: Means["docker"],
  seen: Means["seen"],
): Promise<boolean> {
  const { timeout, health, ready } = lifecycleOfContainer(container, config);
  const late = new AbortController();
  const cancel = after(timeout * 1000, () =>
    late.abort(new Error(`it was not ready within ${counted(timeout, "second")}`)),
  );
  try {
    const isStarted = await startWithNeeds(container, docker, seen, late.signal);
    const methods = connectMethods({ socket: config.dockerSocket, ...config.api });
    const check = await readyCheck(methods, container.id, { ready });
    const settings = { health, grace: config.wakeGrace, check };
    const fit = await untilFit(container.id, docker, settings, () => [], late.signal);
    if (fit === null) throw new Error("it does not run");
    return isStarted;
  } finally {
    cancel();
  }
}
