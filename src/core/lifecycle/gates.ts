/** What director and lifecycle tell each other. */
import type { Forward } from "../forwards/forward.ts";
import type { LifecycleSettings } from "./settings.ts";

/** What the lifecycle tells the director. Container ids. */
export interface Gates {
  /** Number of the queue in which first packets wait; absent where nothing reads one. */
  readonly queue?: number;
  /** Port of this host on which the page of services that wait is served, also while it is shown for none; absent where it is not. */
  readonly page?: number;
  /** Aliases of which the page is shown. */
  readonly paged?: ReadonlySet<string>;
  /** These are ready: packets need not wait for them any more. */
  readonly open: ReadonlySet<string>;
  /** These are about to be stopped: first packets wait, open connections stay. */
  readonly shut: ReadonlySet<string>;
  /** Why the last start of a container has failed, one line. */
  readonly failed: ReadonlyMap<string, string>;
}

/** Nothing reads a queue, and nothing is woken. */
export const NO_GATES: Gates = { open: new Set(), shut: new Set(), failed: new Map() };

/** A service that may sleep. */
export interface Sleep {
  readonly settings: LifecycleSettings;
  /** Where its alias leads while it is awake; without the container's address while that does not run. */
  readonly open: Forward;
  /** Id of the network in which its container is reached. */
  readonly networkId: string;
}
