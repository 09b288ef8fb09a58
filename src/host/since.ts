/** What has been taken out of force, or put in, since an observation began: a plan made from it must not undo that. */
import type { Ipv4 } from "../core/addresses/ipv4.ts";
import { type DataPath, type Forward, withForwards } from "../core/forwards/forward.ts";

export interface Since {
  /** An observation begins: what is noted later is newer than what it sees. */
  begin(): void;
  /** The container's forwards are revoked. False when that was noted already. */
  revoke(containerId: string): boolean;
  /** The forward takes the place of its alias's own. */
  gate(forward: Forward): void;
  isRevoked(containerId: string): boolean;
  gated(): ReadonlyMap<Ipv4, Forward>;
}

export function makeSince(): Since {
  const revoked = new Set<string>();
  const gated = new Map<Ipv4, Forward>();
  return {
    begin() {
      revoked.clear();
      gated.clear();
    },
    revoke(containerId) {
      if (revoked.has(containerId)) return false;
      revoked.add(containerId);
      return true;
    },
    gate: (forward) => void gated.set(forward.alias, forward),
    isRevoked: (containerId) => revoked.has(containerId),
    gated: () => gated,
  };
}

/** A planned data path, without the revoked aliases and with the gated forwards. `queue` is where first packets wait. */
export function asOfNow(
  path: DataPath,
  gone: ReadonlySet<Ipv4>,
  gated: ReadonlyMap<Ipv4, Forward>,
  queue: number | undefined,
): DataPath {
  if (gone.size === 0 && gated.size === 0) return path;
  const staying = path.forwards.filter(({ alias }) => !gone.has(alias));
  return withForwards({ ...path, forwards: staying }, gated, queue);
}
