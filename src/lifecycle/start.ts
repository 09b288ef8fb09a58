/** Starts a container with what it needs, and waits until it is ready. */
import { setTimeout as sleep } from "node:timers/promises";
import type { Ipv4 } from "../core/addresses/ipv4.ts";
import type { Container, Observation } from "../core/model.ts";
import type { DockerActions } from "../host/docker/actions.ts";
import type { ContainerDetails } from "../host/docker/details.ts";
import { needsOf } from "./needs.ts";
import { type ReadinessSettings, untilReady } from "./readiness.ts";

type Seen = Pick<Observation, "containers" | "stopped">;

/** Needs within needs are followed so far: compose lets no circle be, labels may. */
const DEPTH = 8;

/**
 * Starts what a container needs, then the container; a paused one goes on. Rejects with HostError, or with an Error that
 * says why; with the signal's reason when that is aborted.
 */
export async function startWithNeeds(
  { id, labels }: Pick<Container, "id" | "labels">,
  docker: DockerActions,
  seen: Seen,
  signal: AbortSignal,
  depth = 0,
): Promise<void> {
  const details = await docker.inspect(id, signal);
  if (details === undefined) throw new Error("its container has been removed");
  const needs = depth < DEPTH ? needsOf({ id, labels }, details.dependsOn, seen) : [];
  for (const { container, condition } of needs) {
    const completes = condition === "service_completed_successfully";
    if (completes && (await hasSucceeded(container.id, docker, signal))) continue;
    await startWithNeeds(container, docker, seen, signal, depth + 1);
    if (condition === "service_healthy")
      await untilFit(container.id, docker, { health: null, grace: 0 }, () => [], signal);
    if (completes) await untilEnded(container.id, docker, signal);
  }
  signal.throwIfAborted();
  if (details.paused) await docker.unpause(id);
  else if (!details.running) await docker.start(id);
}

/** Milliseconds between two questions for the address of a container that runs. */
const ADDRESS_MS = 50;

/** Resolves when the container is ready: null when it does not run, or has no address. `networkId`: where it is reached. */
export async function untilFit(
  id: string,
  docker: DockerActions,
  settings: ReadinessSettings,
  asked: () => readonly number[],
  signal: AbortSignal,
  networkId = "",
): Promise<ContainerDetails | null> {
  let details: ContainerDetails | undefined;
  let address: Ipv4 | undefined;
  for (;;) {
    details = await docker.inspect(id, signal);
    if (details === undefined || !details.running || details.paused) return null;
    address =
      details.addresses.get(networkId) ?? (networkId === "" ? [...details.addresses.values()][0] : undefined);
    if (address !== undefined) break;
    // Docker takes the address away before it announces the end
    await sleep(ADDRESS_MS, undefined, { signal });
  }
  const started = { address, container: id, healthcheck: details.healthcheck, exposed: details.ports };
  await untilReady(started, settings, asked, { exec: docker.exec, state: docker.inspect }, signal);
  return details;
}

async function hasSucceeded(id: string, docker: DockerActions, signal: AbortSignal): Promise<boolean> {
  const details = await docker.inspect(id, signal);
  return details?.running === false && details.startedAt !== null && details.exitCode === 0;
}

/** Milliseconds between two questions whether a container that is to complete has done so. */
const COMPLETION_MS = 250;

async function untilEnded(id: string, docker: DockerActions, signal: AbortSignal): Promise<void> {
  for (;;) {
    const details = await docker.inspect(id, signal);
    if (details?.running !== true) {
      if (details?.exitCode === 0) return;
      throw new Error(
        `${details?.name ?? "what it needs"} ended with status ${details?.exitCode ?? "unknown"}`,
      );
    }
    await sleep(COMPLETION_MS, undefined, { signal });
  }
}
