/** Waiting that leaves nobody's rule to a stranger: Docker gives an address away while a run waits for a disk. */
import { setTimeout as sleep } from "node:timers/promises";
import type { Deaths } from "../host/docker/exits.ts";

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
/** Milliseconds after which what could not be taken down is tried again. */
const AGAIN = 1_000;

/** `later` is for what taking down leaves to be waited for: with the rest, and as watchfully. */
export type TakeDown = (later: (waiting: Promise<void>) => void) => Promise<void>;

/** `takeDown` is called for each death, one at a time. A run that hears of none (null) only waits. */
export function makeVigil(deaths: Deaths | null, takeDown: TakeDown): Vigil {
  let count = 0;
  return {
    async keep(waiting) {
      if (deaths === null) return await waiting;
      const failures: unknown[] = [];
      const later: Promise<void>[] = [];
      /** How much of it is still waited for. */
      let open = 1;
      let over = false;
      const close = (): void => {
        open -= 1;
      };
      const ended = waiting.then(nothing, nothing).then(() => {
        over = true;
        close();
      });
      /** Tells whether there is still something that is waited for. */
      const pause = async (milliseconds: number): Promise<boolean> => {
        const time = sleep(milliseconds, undefined, { ref: false });
        await (over ? time : Promise.race([ended, time]));
        return open > 0;
      };
      const postpone = (written: Promise<void>): void => {
        open += 1;
        later.push(written.catch((error) => void failures.push(error)).then(close));
      };
      const act = async (): Promise<void> => {
        // one look tells of all who have died by then
        if (open === 0 || !deaths.bereaved() || !(await pause(GRACE)) || !deaths.bereaved()) return;
        count += 1;
        for (;;) {
          try {
            return await takeDown(postpone);
          } catch (error) {
            if (await pause(AGAIN)) continue;
            failures.push(error);
            return;
          }
        }
      };
      let acting: Promise<void> = act();
      const leave = deaths.listen(() => {
        acting = acting.then(act);
      });
      await ended;
      for (let last: Promise<void> | undefined; open > 0 || last !== acting; ) {
        last = acting;
        await Promise.all([last, ...later]);
      }
      leave();
      const result = await waiting;
      if (failures.length > 0) throw failures[0];
      return result;
    },
    get count() {
      return count;
    },
  };
}

const nothing = (): void => undefined;
