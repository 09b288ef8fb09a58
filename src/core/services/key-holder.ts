/** Which container has a key that several claim: one judge for names and addresses, and for what containers need. */

import { isHeld } from "../addresses/lease.ts";
import type { Config } from "../config/config.ts";
import { present } from "../lifecycle/sleep.ts";
import type { Container, KeyHolder, LeaseTable, Observation } from "../model.ts";
import { withinBound } from "./bound.ts";
import { identityOf, lastSeenOf, loserKey } from "./identity.ts";

/** A container that has a key. */
export interface Contender {
  readonly container: Container;
  readonly runs: boolean;
}

/** The holders of keys as a decision takes them. */
export interface Holders {
  /** Key → id of the container last seen with it. */
  readonly lastSeen: ReadonlyMap<string, string>;
  readonly of: ReadonlyMap<string, Contender>;
  /** Key → name of the container that it is on hold for: the one that has it now does not get the lease. */
  readonly reserved: ReadonlyMap<string, string>;
  /** To be stored. */
  readonly kept: readonly KeyHolder[];
}

/** Before the key of a compose service that labels alone claim, as those of a container with `container_name`. */
const SAID = "said:";

/** The key that labels claim, where that is what `key` is; else null. */
export const claimedIn = (key: string): string | null =>
  key.startsWith(SAID) ? key.slice(SAID.length) : null;

/**
 * Key → the container that has it, of all that exist. Labels prove nothing, and compose's key has two names (with "-" and with
 * "_"), but Docker keeps each name unique. So a key of compose's stays with the name that has it first: as long as a container
 * with that name exists, also a new one or one that is stopped, none with another name gets the key, nor does one that has lost
 * it once. Else one that runs comes before one that does not, then the one last seen with the key, then the oldest. Of swarm's
 * tasks the next may run before the one that it replaces has ended (`order: start-first`), so there the newest is next.
 */
export function keyHolders(
  { containers, stopped = [] }: Pick<Observation, "containers" | "stopped">,
  lastSeen: ReadonlyMap<string, string>,
  holders: LeaseTable["holders"] = [],
): ReadonlyMap<string, Contender> {
  const names = new Map(holders.map(({ key, name }) => [key, name]));
  const found = new Map<string, Contender>();
  for (const [list, runs] of [
    [containers, true],
    [stopped, false],
  ] as const)
    for (const container of list) {
      const { key, membership, namedByCompose, rejectedKey } = identityOf(container, lastSeen);
      const isComposes = membership?.kind === "compose";
      const isSwarms = membership?.kind === "swarm";
      /** Whether history says that it has the key. */
      const hasHad = (one: Contender, of: string): boolean =>
        names.get(of) === one.container.name ||
        (lastSeen.get(of) === one.container.id &&
          (one.runs || identityOf(one.container, lastSeen).namedByCompose));
      const contend = (of: string): void => {
        const one = { container, runs };
        const rival = found.get(of);
        const has = isComposes && hasHad(one, of);
        if (!has && !isSwarms && lastSeen.get(of) !== container.id && hasLost(container, lastSeen)) return;
        if (rival === undefined) found.set(of, one);
        else {
          const rivalHas = isComposes && hasHad(rival, of);
          if (has !== rivalHas ? has : isBefore(one, rival, lastSeen.get(of), isSwarms)) found.set(of, one);
        }
      };
      contend(key);
      if (isComposes && !namedByCompose && rejectedKey !== null) contend(`${SAID}${rejectedKey}`);
    }
  return found;
}

const hasLost = (container: Container, lastSeen: ReadonlyMap<string, string>): boolean =>
  lastSeen.get(loserKey(container)) === container.id;

/** Of two that history does not tell apart. */
function isBefore(one: Contender, rival: Contender, last: string | undefined, newest: boolean): boolean {
  if (one.runs !== rival.runs) return one.runs;
  const [a, b] = [one.container, rival.container];
  if (a.id === last || b.id === last) return a.id === last;
  if (a.created !== b.created) return newest ? a.created > b.created : a.created < b.created;
  return a.id < b.id;
}

/**
 * The holders of keys, and what is stored of compose's: the name that has a key keeps it for ADDRESS_HOLD after its
 * container has been removed. `now` in seconds since the epoch.
 */
export function holdersOf(seen: Observation, config: Config, now: number): Holders {
  const hold = config.addressHold;
  const before = seen.actual.table.holders;
  const lastSeen = lastSeenOf(seen.actual.table);
  const held = before.filter((one) => isHeld(one, now, hold));
  const of = keyHolders(seen, lastSeen, held);
  const there = new Set(present(seen, config));
  const reserved = new Map<string, string>();
  const known = new Set<string>();
  let changed = false;
  const kept = before.flatMap((one): KeyHolder[] => {
    const holder = of.get(one.key)?.container;
    // one that was renamed has the key by its id; the name stays that of the container that replaces it
    const isThere = holder !== undefined && (holder.name === one.name || lastSeen.get(one.key) === holder.id);
    // a release in the future is a clock set back: the hold starts again
    const after = { ...one, releasedAt: isThere ? null : Math.min(one.releasedAt ?? now, now) };
    // that a hold is over is no change: it is left out of the next table that is written
    if (!isHeld(after, now, hold)) return [];
    known.add(one.key);
    if (!isThere && holder !== undefined) reserved.set(one.key, one.name);
    if (after.releasedAt === one.releasedAt) return [one];
    changed = true;
    return [after];
  });
  for (const [key, { container }] of of) {
    const claimed = claimedIn(key);
    // one that is neither served nor has been has no place: anybody creates one beforehand
    if (!there.has(container) && lastSeen.get(key) !== container.id) continue;
    // what labels alone say counts only where no name proves more
    if (
      known.has(key) ||
      (claimed === null ? !key.startsWith("compose:") : of.has(claimed) || known.has(claimed))
    )
      continue;
    kept.push({ key, name: container.name, since: now, releasedAt: null });
    changed = true;
  }
  if (!changed) return { lastSeen, of, reserved, kept: before };
  return { lastSeen, of, reserved, kept: withinBound(kept.sort((a, b) => (a.key < b.key ? -1 : 1))) };
}
