/**
 * What was last seen of the kernel, for the one look that cannot wait: a container has died, and its rule leads to
 * whoever gets its address. What is taken down by it is looked at again at once.
 */

import type { Ipv4 } from "../../core/addresses/ipv4.ts";
import { afterwards, type Kernel } from "../../core/forwards/afterwards.ts";
import type { Plan } from "../../core/plan.ts";

/** How often in a row it may stand for a look: where containers die all the time, the host is looked at as well. */
const AT_MOST = 3;

export interface Memory {
  /** What a look has shown that began after so many `changes`; one that was overtaken by another is not kept. */
  seen(kernel: Kernel, changes: number): void;
  /** What the kernel holds as far as is known; undefined when it must be looked at. */
  recall(): Kernel | undefined;
  /** A plan is being carried out: what is there cannot be told until the function it returns is called with it. */
  changing(): (plan: Plan) => void;
  /** Aliases whose connections have been forgotten, as the disk does not know yet. */
  readonly forgotten: Set<Ipv4>;
  /** How many plans have been carried out, or begun. */
  readonly changes: number;
}

export function makeMemory(): Memory {
  let kernel: Kernel | undefined;
  let recalled = 0;
  let changes = 0;
  return {
    forgotten: new Set(),
    seen(now, before) {
      if (before !== changes) return;
      kernel = now;
      recalled = 0;
    },
    recall() {
      recalled += 1;
      return recalled > AT_MOST ? undefined : kernel;
    },
    get changes() {
      return changes;
    },
    changing() {
      changes += 1;
      const before = kernel;
      kernel = undefined;
      return (plan) => {
        kernel = before === undefined ? undefined : afterwards(before, plan);
      };
    },
  };
}
