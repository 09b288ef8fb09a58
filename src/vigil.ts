/** Waiting that leaves nobody's rule to a stranger: Docker gives an address away while a run waits for a disk. */
import { setTimeout as sleep } from "node:timers/promises";
import type { Deaths } from "./host/docker.ts";

export interface Vigil {
  /** As `await` does; who dies meanwhile is taken down. Throws what that threw, once the waiting is over. */
  keep<T>(waiting: Promise<T>): Promise<T>;
  /** How often somebody was: what had been seen of the host before is out of date then. */
  readonly count: number;
}

/** Of a run that changes nothing. */
export const NO_VIGIL: Vigil = { keep: (waiting) => waiting, count: 0 };

/** Milliseconds that a death leaves to what is waited for: the next run takes down in better order, names first. */
const GRACE = 10;

/**
 * `takeDown` is called for each death, one at a time; what it adds to `later` is waited for with the rest. A run that
 * hears of none (null) only waits.
 */
export function makeVigil(deaths: Deaths | null, takeDown: (later: Promise<void>[]) => Promise<void>): Vigil {
  let count = 0;
  return {
    async keep(waiting) {
      if (deaths === null) return await waiting;
      let over = false;
      const ended = waiting.then(nothing, nothing).then(() => {
        over = true;
      });
      const later: Promise<void>[] = [];
      const failures: unknown[] = [];
      const act = async (): Promise<void> => {
        if (over || !deaths.bereaved()) return;
        await Promise.race([ended, sleep(GRACE, undefined, { ref: false })]);
        // one look tells of all who have died by then
        if (over || !deaths.bereaved()) return;
        count += 1;
        await takeDown(later).catch((error) => void failures.push(error));
      };
      let acting: Promise<void> = act();
      const leave = deaths.listen(() => {
        acting = acting.then(act);
      });
      await ended;
      leave();
      await acting;
      const written = await Promise.allSettled(later);
      const result = await waiting;
      for (const outcome of written) if (outcome.status === "rejected") failures.push(outcome.reason);
      if (failures.length > 0) throw failures[0];
      return result;
    },
    get count() {
      return count;
    },
  };
}

const nothing = (): void => undefined;
