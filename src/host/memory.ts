/**
 * What was last seen of the kernel, for the one look that cannot wait: a container has died, and its rule leads to
 * whoever gets its address. What is taken down by it is looked at again at once.
 */
import { afterwards, type Kernel } from "../core/afterwards.ts";
import type { Plan } from "../core/plan.ts";

/** How often in a row it may stand for a look: where containers die all the time, the host is looked at as well. */
const AT_MOST = 3;

export interface Memory {
  seen(kernel: Kernel): void;
  /** What the kernel holds as far as is known; undefined when it must be looked at. */
  recall(): Kernel | undefined;
  /** A plan is being carried out: what is there cannot be told until the function it returns is called with it. */
  changing(): (plan: Plan) => void;
}

export function makeMemory(): Memory {
  let kernel: Kernel | undefined;
  let recalled = 0;
  return {
    seen(now) {
      kernel = now;
      recalled = 0;
    },
    recall() {
      recalled += 1;
      return recalled > AT_MOST ? undefined : kernel;
    },
    changing() {
      const before = kernel;
      kernel = undefined;
      return (plan) => {
        kernel = before === undefined ? undefined : afterwards(before, plan);
      };
    },
  };
}
