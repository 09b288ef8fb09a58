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
import { groupOf, type Identity, identityOf, loserKey, nameKey } from "./identity.ts";
import type { Holders } from "./key-holder.ts";
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
export function candidatesOf(
  config: Config,
  seen: Observation,
  holders: Pick<Holders, "lastSeen" | "of" | "reserved">,
): Candidate[] {
  const { lastSeen } = holders;
  const around = {
    networkOf: networkIndex(seen.networks),
    hostAddresses: new Set(seen.addresses.map(({ address }) => address)),
  };
  const members = present(seen, config)
    .filter((container) => isShown(container.labels, config.expose))
    .map((container) => ({ container, identity: identityOf(container, lastSeen) }));
  const running = new Set(seen.containers);
  const groups = new Set([...lastSeen.keys()].map(groupOf));
  return members
    .sort((a, b) => b.container.created - a.container.created)
    .flatMap(({ container, identity }): Candidate[] => {
      const holder = holders.of.get(identity.key)?.container;
      const own = holder === container;
      const reservedFor = own ? holders.reserved.get(identity.key) : undefined;
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
        ...(reservedFor === undefined
          ? []
          : [`the place that it claims was that of "${clip(reservedFor)}": it gets it after ADDRESS_HOLD`]),
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
          key: !own ? loserKey(container) : reservedFor === undefined ? identity.key : nameKey(container),
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
