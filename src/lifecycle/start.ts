/** Starts a container with what it needs, and waits until it is ready. */
import type { Ipv4 } from "../core/addresses/ipv4.ts";
import { clip } from "../core/clip.ts";
import type { Container } from "../core/model.ts";
import type { ContainerDetails } from "../host/docker/details.ts";
import { reasonOf } from "../host/docker/error.ts";
import { healthOf, type Known, type Need, needsOf } from "./needs.ts";
import type { Starting } from "./patient.ts";
import { interval, type ReadinessSettings, untilReady } from "./readiness.ts";

/**
 * Starts what a container needs, then the container; a paused one goes on. Needs that form a circle are started once each.
 * Resolves with whether it was started or unpaused: false where it has run already. Rejects with HostError, or with an Error that says why;
 * with the signal's reason when that is aborted.
 */
export function startWithNeeds(
  container: Container,
  docker: Starting,
  seen: Known,
  signal: AbortSignal,
): Promise<boolean> {
  /** Ids of the containers whose start has begun, and of those that are started. */
  const [begun, done] = [new Set<string>(), new Set<string>()];
  const start = async (one: Container): Promise<boolean> => {
    const { id } = one;
    begun.add(id);
    const details = await docker.inspect(id, signal);
    if (details === undefined) throw new Error("its container has been removed");
    for (const need of needsOf(one, details.dependsOn, seen)) {
      const other = need.container;
      // one whose start waits for this one
      if (begun.has(other.id) && !done.has(other.id)) continue;
      await fulfil(need).catch((error: unknown) => {
        signal.throwIfAborted();
        const why = reasonOf(error);
        throw new Error(`${clip(other.name)}, which it needs: ${why}`);
      });
    }
    signal.throwIfAborted();
    if (details.paused) await docker.unpause(id);
    else if (!details.running) await docker.start(id);
    done.add(id);
    return details.paused || !details.running;
  };
  const fulfil = async ({ container: other, condition }: Need): Promise<void> => {
    const completes = condition === "service_completed_successfully";
    if (completes && (await hasSucceeded(other.id, docker, signal))) return;
    if (!done.has(other.id)) await start(other);
    if (completes) return untilEnded(other.id, docker, signal);
    if (condition !== "service_healthy") return;
    const settings = { health: healthOf(other.labels), grace: 0 };
    if ((await untilFit(other.id, docker, settings, () => [], signal)) === null)
      throw new Error("it does not run");
  };
  return start(container);
}

/** Milliseconds between two questions for the state of a container, and for the address of one that runs. */
const STATE_MS = 250;
const ADDRESS_MS = 50;

/**
 * Where a container is reached: in this network, else where it has one address only. Docker's default bridge has another id
 * after each of Docker's own starts.
 */
export function addressIn({ addresses }: ContainerDetails, networkId: string): Ipv4 | undefined {
  const [first, second] = addresses.values();
  return addresses.get(networkId) ?? (networkId === "" || second === undefined ? first : undefined);
}

/**
 * Resolves when the container is ready, however often Docker starts it again meanwhile; with null when it does not run.
 * `networkId`: where it is reached; without one a container that has no address of its own is not checked, and is ready.
 */
export async function untilFit(
  id: string,
  docker: Starting,
  settings: ReadinessSettings,
  asked: () => readonly number[],
  signal: AbortSignal,
  networkId = "",
): Promise<ContainerDetails | null> {
  for (;;) {
    const details = await docker.inspect(id, signal);
    if (details === undefined || !details.running || details.paused) return null;
    const address = addressIn(details, networkId);
    if (details.state === RESTARTING) await interval(STATE_MS, signal);
    else if (address !== undefined) {
      if (await isReady(details, address, docker, settings, asked, signal)) return details;
    } else if (networkId === "") return details;
    // Docker takes the address away before it announces the end
    else await interval(ADDRESS_MS, signal);
  }
}

/** False when Docker has started it again meanwhile. */
async function isReady(
  details: ContainerDetails,
  address: Ipv4,
  docker: Starting,
  settings: ReadinessSettings,
  asked: () => readonly number[],
  signal: AbortSignal,
): Promise<boolean> {
  const { id: container, healthcheck, ports: exposed } = details;
  const state: Starting["inspect"] = async (id, until) => {
    const now = await docker.inspect(id, until);
    if (now?.running === true && isAnotherRun(details, now)) throw AGAIN;
    return now;
  };
  const target = { address, container, healthcheck, exposed };
  try {
    await untilReady(target, settings, asked, { exec: docker.exec, state }, signal);
    return true;
  } catch (error) {
    if (error === AGAIN) return false;
    throw error;
  }
}

const RESTARTING = "restarting";

/** Docker has started it again, or is about to, by its restart policy. */
const AGAIN = new Error("it was started again");

const isAnotherRun = (before: ContainerDetails, now: ContainerDetails): boolean =>
  now.state === RESTARTING || now.startedAt !== before.startedAt;

async function hasSucceeded(id: string, docker: Starting, signal: AbortSignal): Promise<boolean> {
  const details = await docker.inspect(id, signal);
  return details?.running === false && details.startedAt !== null && details.exitCode === 0;
}

async function untilEnded(id: string, docker: Starting, signal: AbortSignal): Promise<void> {
  for (;;) {
    const details = await docker.inspect(id, signal);
    if (details === undefined) throw new Error("it was removed");
    if (!details.running) {
      if (details.exitCode === 0) return;
      throw new Error(`it ended with status ${details.exitCode}`);
    }
    await interval(STATE_MS, signal);
  }
}
