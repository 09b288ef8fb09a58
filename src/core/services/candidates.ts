/** Every container that may be seen → what it asks for, how it can be reached, and the key of its lease. */

import type { Config } from "../config/config.ts";
import type { Container, Observation } from "../model.ts";
import { type Compose, composeOf, groupOf, keyOf, type Reach, reachOf, wishOf } from "./candidate.ts";
import { isShown, readLabels, type Wishes } from "./labels.ts";
import { toName } from "./name.ts";
import type { Claim } from "./names.ts";

export interface Candidate {
  readonly container: Container;
  readonly wishes: Wishes;
  readonly compose: Compose | null;
  readonly reach: Reach;
  readonly key: string;
}

/** Every container that may be seen, newest first, each with a key of its own. */
export function candidatesOf(config: Config, seen: Observation): Candidate[] {
  const networks = new Map(seen.networks.map((network) => [network.name, network]));
  const shown = seen.containers.filter((container) => isShown(container.labels, config.expose));
  const lastSeen = new Map(seen.actual.table.leases.map((lease) => [lease.key, lease.container]));
  // labels are anybody's to write: of two that claim one key the one last seen with it keeps it, else the oldest
  const keyHolder = new Map<string, Container>();
  for (const container of shown) {
    const key = keyOf(container, composeOf(container));
    const rival = keyHolder.get(key);
    const last = lastSeen.get(key);
    const wins =
      rival === undefined ||
      (rival.id !== last &&
        (container.id === last ||
          container.created < rival.created ||
          (container.created === rival.created && container.id < rival.id)));
    if (wins) keyHolder.set(key, container);
  }
  return [...shown]
    .sort((a, b) => b.created - a.created)
    .map((container) => {
      const compose = composeOf(container);
      const key = keyOf(container, compose);
      const wishes = readLabels(container.labels);
      return {
        container,
        wishes,
        compose,
        reach: reachOf(container, wishes, networks),
        key:
          keyHolder.get(key) === container ? key : `${keyOf(container, null)}#${container.id.slice(0, 12)}`,
      };
    });
}

/** What a candidate claims of the names. */
export function claimOf(candidate: Candidate): Claim {
  const { container, wishes, compose, key } = candidate;
  return {
    key,
    group: groupOf(key),
    wish: wishOf(container, wishes, compose),
    aliases: wishes.aliases,
    project: toName(compose?.project ?? "") ?? null,
    service: toName(compose?.service ?? "") ?? null,
    number: compose?.number ?? 0,
    created: container.created,
  };
}
