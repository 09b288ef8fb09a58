/** Every container that may be shown → what it asks for, how it can be reached, and the key of its lease. */

import { clip } from "../clip.ts";
import type { Config } from "../config/config.ts";
import { dependencyNotes } from "../lifecycle/depends-on.ts";
import { lifecycleOfContainer, mayWake, present } from "../lifecycle/sleep.ts";
import { perObject } from "../memo.ts";
import { cadenceOfContainer } from "../methods/cadence.ts";
import type { Container, Observation } from "../model.ts";
import { withoutLaterNetworks } from "./allowed.ts";
import { asleepReach, networkIndex, type Reach, reachOf, type Surroundings, wishOf } from "./candidate.ts";
import { groupOf, type Identity, identityOf, lastSeenOf, loserKey } from "./identity.ts";
import { isShown, readLabels, type Wishes } from "./labels.ts";
import { nameNotes, wishedName } from "./name.ts";
import type { Claim } from "./names.ts";

export interface Candidate {
  readonly container: Container;
  /** With all that is to be reported for this container in its notes. */
  readonly wishes: Wishes;
  readonly identity: Identity;
  readonly reach: Reach;
  readonly key: string;
}

/** Every container that may be shown, newest first, each with a key of its own. */
export function candidatesOf(config: Config, seen: Observation): Candidate[] {
  const lastSeen = lastSeenOf(seen.actual.table);
  const around = {
    networkOf: networkIndex(seen.networks),
    hostAddresses: new Set(seen.addresses.map(({ address }) => address)),
  };
  const members = present(seen, config)
    .filter((container) => isShown(container.labels, config.expose))
    .map((container) => ({ container, identity: identityOf(container, lastSeen) }));
  const running = new Set(seen.containers);
  const holders = keyHolders(members, seen, lastSeen, running);
  const groups = new Set([...lastSeen.keys()].map(groupOf));
  return members
    .sort((a, b) => b.container.created - a.container.created)
    .flatMap(({ container, identity }): Candidate[] => {
      const holder = holders.get(identity.key);
      const own = holder === container;
      const read = labelsOf(container, "", () => readLabels(container.labels));
      const labels = withoutLaterNetworks(read, container, seen.networks);
      const runs = running.has(container);
      const reach = reachNow(container, runs, labels, around, config);
      // of several with one key only those that run have an address of their own
      if (reach === undefined || !(own || runs)) return [];
      const sleep = lifecycleOfContainer(container, config);
      const notes = [
        ...labels.notes,
        ...(own || holder === undefined ? [] : [`"${clip(holder.name)}" has the place that it claims`]),
        ...nameNotes(
          identity.oneOff ? null : labels.name,
          identity.membership?.service ?? container.name,
          wishOf(container, labels, identity),
        ),
        ...identityNotes(identity, groups, lastSeen),
        ...(labels.map.length > 0 && hasNoAlias(reach)
          ? ["label ocdd.map has no effect: it has no alias of its own"]
          : []),
        ...(labels.address !== null && hasNoAlias(reach)
          ? ["label ocdd.address has no effect: it has no alias of its own"]
          : []),
        ...sleep.notes,
        ...dependencyNotes(container),
        ...cadenceOfContainer(container).notes,
        ...(sleep.refused === null ? [] : [`it is not woken by a visit: ${sleep.refused}`]),
        ...(sleep.wake && hasNoAlias(reach)
          ? ["label ocdd.wake has no effect: it has no alias of its own"]
          : []),
      ];
      return [
        {
          container,
          wishes: { ...labels, notes },
          identity,
          reach,
          key: own ? identity.key : loserKey(container),
        },
      ];
    });
}

/** One that may sleep keeps its alias also in the moments in which Docker shows no address of it. */
function reachNow(
  container: Container,
  runs: boolean,
  labels: Wishes,
  around: Surroundings,
  config: Config,
): Reach | undefined {
  if (!runs) return asleepReach(container, labels, around);
  const reach = reachOf(container, labels, around);
  const between = reach.kind === "none" && reach.code === "no-address" && mayWake(container, config);
  return between ? (asleepReach(container, labels, around) ?? reach) : reach;
}

/** Whether what reaches a container needs no address of the range. */
export const hasNoAlias = ({ kind }: Reach): boolean =>
  kind === "host" || kind === "shared" || kind === "direct";

const labelsOf = perObject<Container, ReturnType<typeof readLabels>>();

interface Member {
  readonly container: Container;
  readonly identity: Identity;
}

/**
 * Of several that claim one key the one last seen with it keeps it, else the oldest; one that runs before one that sleeps.
 * Docker keeps each name unique, but compose's key has two names (with "-" and with "_"): the container last seen with it
 * keeps it as long as it exists with its name, also while it is stopped, and one that has lost it does not get it later. Of
 * swarm's tasks the next may run before the one that it replaces has ended (`order: start-first`), so the newest is next.
 */
function keyHolders(
  members: readonly Member[],
  seen: Observation,
  lastSeen: ReadonlyMap<string, string>,
  running: ReadonlySet<Container>,
): ReadonlyMap<string, Container> {
  const holders = new Map<string, Container>();
  for (const container of [...seen.containers, ...(seen.stopped ?? [])]) {
    const { key, namedByCompose } = identityOf(container, lastSeen);
    if (namedByCompose && lastSeen.get(key) === container.id) holders.set(key, container);
  }
  const kept = new Set(holders.keys());
  for (const { container, identity } of members) {
    const { key } = identity;
    const last = lastSeen.get(key);
    const isSwarms = identity.membership?.kind === "swarm";
    const hasLost = !isSwarms && container.id !== last && lastSeen.get(loserKey(container)) === container.id;
    if (kept.has(key) || hasLost) continue;
    const rival = holders.get(key);
    const [runs, rivalRuns] = [running.has(container), rival !== undefined && running.has(rival)];
    const wins =
      rival === undefined ||
      (runs && !rivalRuns) ||
      (runs === rivalRuns &&
        rival.id !== last &&
        (container.id === last ||
          (isSwarms ? container.created > rival.created : container.created < rival.created) ||
          (container.created === rival.created && container.id < rival.id)));
    if (wins) holders.set(key, container);
  }
  return holders;
}

/** Problems of an identity, given the existing leases. */
function identityNotes(
  { key, membership, rejectedKey }: Identity,
  groups: ReadonlySet<string>,
  lastSeen: ReadonlyMap<string, string>,
): string[] {
  if (membership === null) return [];
  const said = `"${clip(membership.service)}"${membership.project === null ? "" : ` of "${clip(membership.project)}"`}`;
  if (rejectedKey !== null && groups.has(groupOf(rejectedKey)))
    return [
      `its labels say ${said}, but its name is not one that ${membership.kind} gives: it is no part of it`,
    ];
  if (rejectedKey === null && groups.has(groupOf(key)) && !lastSeen.has(key) && key !== groupOf(key))
    return [`it is a new container of ${said} and answers to that name as well`];
  return [];
}

/** The names that a candidate claims. */
export const claimOf = (candidate: Candidate): Claim =>
  claimed(candidate.identity, candidate.key, () => makeClaim(candidate));

/** An identity is that of one container, and labels do not change. */
const claimed = perObject<Identity, Claim>();

function makeClaim(candidate: Candidate): Claim {
  const { container, wishes, identity, key } = candidate;
  const { membership, oneOff } = identity;
  return {
    key,
    group: groupOf(key),
    wish: wishOf(container, wishes, identity),
    aliases: oneOff ? [] : wishes.aliases,
    project: wishedName(membership?.project ?? "") ?? null,
    service: wishedName(membership?.service ?? "") ?? null,
    number: membership?.number ?? 0,
    created: container.created,
  };
}
