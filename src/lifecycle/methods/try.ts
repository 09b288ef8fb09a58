/** A container that exists for as long as something is done with it: created, in force, ready, removed. */
import type { Ipv4 } from "../../core/addresses/ipv4.ts";
import type { Config } from "../../core/config/config.ts";
import { HostError } from "../../core/errors.ts";
import type { LifecycleSettings } from "../../core/lifecycle/settings.ts";
import type { TryRequest } from "../../core/methods/try-body.ts";
import type { Decision, Service } from "../../core/model.ts";
import { counted } from "../../core/text.ts";
import type { EventLog } from "../../host/disk/event-log.ts";
import { removeTryRecord, writeTryRecord } from "../../host/disk/try-records.ts";
import type { DockerActions } from "../../host/docker/actions.ts";
import type { DockerCreation } from "../../host/docker/creation.ts";
import type { ContainerDetails } from "../../host/docker/details.ts";
import { isUnanswered, reasonOf, wordsOf } from "../../host/docker/error.ts";
import { thisProcess } from "../../host/kernel/process-owner.ts";
import { after, pausing } from "../../platform/timer.ts";
import { commandEvent, type LoggedEvent } from "../event-texts.ts";
import { interval } from "../readiness.ts";
import { untilFit } from "../start.ts";
import type { ReadyCheck } from "./ready.ts";
import { TRY_LABEL } from "./try-reaper.ts";

export interface TryMeans {
  readonly config: Pick<Config, "wakeGrace">;
  readonly docker: DockerActions;
  readonly creation: DockerCreation;
  /** Of the records. */
  readonly directory: string;
  readonly events: Pick<EventLog, "add">;
  /** One run of the director. */
  readonly converge: () => Promise<Pick<Decision, "services" | "skipped" | "hostIp">>;
  /** Another name for the container, each time it is called. */
  readonly nextName: () => string;
  /** Prints a line about what is done. */
  readonly say: (line: string) => void;
  /** Ends it; what has been made is removed. */
  readonly signal: AbortSignal;
}

export interface Wanted {
  readonly request: (name: string) => TryRequest;
  readonly settings: Pick<LifecycleSettings, "health" | "timeout">;
  /** What comes before the other checks whether it is ready; undefined for nothing. */
  readonly check: (id: string) => Promise<ReadyCheck | undefined>;
  /** What it is like, for the event log. */
  readonly like: string;
}

/** The container while it exists. */
export interface Tried {
  readonly id: string;
  readonly name: string;
  readonly service: Pick<Service, "fqdn" | "address">;
  /** The host's own address. */
  readonly hostIp: Ipv4;
}

/** Names that are tried where one is in use. */
const NAMES = 5;
/** Milliseconds between two looks for a service that Docker's list does not show yet, and looks. */
const LOOK_MS = 250;
const LOOKS = 20;

/**
 * Creates the container, waits until it is ready and in force, and carries out `use`; removes it in any case, and has a run take its
 * name and rule away. Rejects with what has failed, or with the signal's reason.
 */
export async function withTry<T>(
  means: TryMeans,
  wanted: Wanted,
  use: (tried: Tried) => Promise<T>,
): Promise<T> {
  const { directory, say, signal } = means;
  const log = (name: string, event: LoggedEvent["event"], reason: string): void =>
    means.events.add(commandEvent({ name }, event, reason, Date.now()));
  for (let n = 1; ; n++) {
    const name = means.nextName();
    signal.throwIfAborted();
    await writeTryRecord(directory, { name, ...(await thisProcess()) });
    let id: string | undefined;
    /** Docker may still create it. */
    let isOpen = true;
    try {
      const request = wanted.request(name);
      id = await means.creation.create(name, request.body).catch((error: unknown) => {
        isOpen = isUnanswered(error);
        throw error;
      });
      isOpen = false;
      if (id === undefined) {
        if (n < NAMES) continue;
        throw new HostError("docker", `there is a container of the name ${name}`);
      }
      log(name, "create", `ocdd try ${wanted.like}`);
      say(`${name} is created`);
      for (const network of request.networks) await means.creation.connect(id, network);
      return await use(await started(id, name, means, wanted));
    } finally {
      if (await removed(name, id, isOpen, means)) log(name, "remove", `ocdd try ${wanted.like}`);
    }
  }
}

/** Runs, answers to its name and is ready. The last lines of its log are shown where it is not. */
async function started(id: string, name: string, means: TryMeans, wanted: Wanted): Promise<Tried> {
  const { docker, config, signal, say } = means;
  const { timeout, health } = wanted.settings;
  const over = new AbortController();
  const late = `it was not ready within ${counted(timeout, "second")}`;
  const cancel = after(timeout * 1000, () => over.abort(new HostError("refused", late)));
  const until = AbortSignal.any([signal, over.signal]);
  try {
    signal.throwIfAborted();
    await docker.start(id);
    const ready = wanted.check(id).then(async (check) => {
      const settings = { health, grace: config.wakeGrace, check };
      const fit = await untilFit(id, docker, settings, () => [], until);
      if (fit === null) throw new HostError("command", endOf(await docker.inspect(id)));
    });
    const [{ service, hostIp }] = await Promise.all([inForce(id, name, means, until), ready]);
    say(`${name} is ready: ${service.fqdn} ${service.address}`);
    return { id, name, service, hostIp };
  } catch (error) {
    over.abort(error);
    if (signal.aborted) throw error;
    await lastLines(id, means);
    const fault = error instanceof HostError && error.fault !== "docker" ? error.fault : "command";
    const remedy = error instanceof HostError ? error.remedy : undefined;
    throw new HostError(fault, `${name}: ${wordsOf(error)}`, { cause: error, remedy });
  } finally {
    cancel();
  }
}

/** Its service, once a run has put it in force. Throws HostError "refused" with the reason why it is not served. */
async function inForce(
  id: string,
  name: string,
  { converge }: TryMeans,
  until: AbortSignal,
): Promise<Pick<Tried, "service" | "hostIp">> {
  for (let n = 1; ; n++) {
    until.throwIfAborted();
    const { services, skipped, hostIp } = await converge();
    const service = services.find(({ instances }) => instances.some((one) => one.id === id));
    if (service !== undefined) return { service, hostIp };
    const why = skipped.find(({ container }) => container === name);
    const isLater = why === undefined || why.code === "no-address";
    if (!isLater || n === LOOKS)
      throw new HostError("refused", `it is not served: ${why?.reason ?? "Docker does not list it"}`);
    await interval(LOOK_MS, until);
  }
}

/** Shows the end of its log. */
async function lastLines(id: string, { creation, say }: TryMeans): Promise<void> {
  const text = await creation.logs(id);
  for (const line of text === "" ? [] : text.split("\n")) say(`  ${line}`);
}

/** Milliseconds between two questions whether a container that is only to exist still runs. */
const STAYS_MS = 1_000;

/** Resolves when the signal is aborted. Throws HostError "command" when the container ends before; its log is shown. */
export async function untilInterrupted(id: string, means: TryMeans): Promise<void> {
  for (; !means.signal.aborted; await pausing(STAYS_MS, means.signal)) {
    const now = await means.docker.inspect(id).catch((error: unknown) => {
      if (isUnanswered(error)) return null;
      throw error;
    });
    if (now === null || now?.running === true) continue;
    if (now !== undefined) await lastLines(id, means);
    throw new HostError("command", endOf(now));
  }
}

/** Why it does not run. */
function endOf(now: ContainerDetails | undefined): string {
  if (now === undefined) return "its container has been removed";
  return `its container has ended with status ${now.exitCode}${now.error === "" ? "" : `: ${now.error}`}`;
}

/** Resolves with whether it has been removed. Never rejects: what is left is removed by the next run, as after a kill. */
async function removed(
  name: string,
  created: string | undefined,
  isOpen: boolean,
  { creation, directory, converge, say }: TryMeans,
): Promise<boolean> {
  try {
    const id = created ?? (isOpen ? await creation.labelled(name, TRY_LABEL, name) : undefined);
    if (id !== undefined) await creation.remove(id);
    // where Docker may still create it the record stays, and the next run looks again
    if (id !== undefined || !isOpen) await removeTryRecord(directory, name);
    if (id === undefined) return false;
    say(`${name} is removed`);
  } catch (error) {
    say(`warning: ${name} could not be removed, the next run of ocdd removes it: ${reasonOf(error)}`);
    return false;
  }
  await converge().catch((error: unknown) =>
    say(`warning: name and address of ${name} are taken away by the next run of ocdd: ${reasonOf(error)}`),
  );
  return true;
}
