/** Other machines that the host cannot do without. */
import type { Ipv4 } from "./ipv4.ts";

/** Addresses that the host depends on. */
export interface Neighbours {
  /** Next hops of its routes. */
  readonly nextHops: readonly Ipv4[];
  /** Name servers that it asks. */
  readonly resolvers: readonly Ipv4[];
}

export const NO_NEIGHBOURS: Neighbours = { nextHops: [], resolvers: [] };
