/** Starts and ends containers through Docker's API at a steady pace, the same in every run of one seed. */

import { dice } from "../test/lab/dice.ts";
import { callDocker } from "../test/lab/docker-api.ts";

export interface Churner {
  /** Events so far: starts and ends. */
  readonly events: () => number;
  /** Resolves after the current event, with the containers that run. */
  stop(): Promise<ReadonlySet<string>>;
}

/**
 * One event each `pace` milliseconds, one after the other: Docker assigns an address again only after the end is complete.
 * With a slow engine events are late; later ones then follow without a pause.
 */
export function churn(socket: string, names: readonly string[], pace: number, seed = 7): Churner {
  const roll = dice(seed);
  const running = new Set(names);
  let events = 0;
  let stopped = false;
  const started = performance.now();
  const loop = async (): Promise<void> => {
    while (!stopped) {
      const name = names[roll(names.length)] as string;
      // some two thirds of them run
      if (running.has(name) && running.size * 2 > names.length) {
        running.delete(name);
        await callDocker(socket, "POST", `/containers/${name}/stop?t=2`);
      } else if (!running.has(name)) {
        await callDocker(socket, "POST", `/containers/${name}/start`);
        running.add(name);
      } else continue;
      events += 1;
      const wait = started + events * pace - performance.now();
      if (wait > 0) await new Promise((resolve) => setTimeout(resolve, wait));
    }
  };
  const looping = loop();
  return {
    events: () => events,
    async stop() {
      stopped = true;
      await looping;
      return running;
    },
  };
}
