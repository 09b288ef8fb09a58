/** Forwards, range and networks → the data path that is to be in force. */
import { compareIpv4, type Range } from "../addresses/ipv4.ts";
import { type Gates, NO_GATES } from "../lifecycle/gates.ts";
import type { Network } from "../model.ts";
import { type DataPath, type Forward, NO_DATA_PATH } from "./forward.ts";

/** The data path of the services that are served, with the networks of their containers; no rule while none is. */
export function dataPathOf(
  pool: readonly Range[],
  networks: readonly Network[],
  forwards: readonly Forward[],
  gates: Gates = NO_GATES,
): DataPath {
  if (forwards.length === 0) return NO_DATA_PATH;
  const waits = forwards.some((forward) => forward.waits === true);
  const subnets = networks
    .flatMap((network) => network.subnets)
    .sort((a, b) => compareIpv4(a.first, b.first));
  const { queue, page } = gates;
  const frame = {
    pool,
    subnets,
    ...(waits && queue !== undefined ? { queue } : {}),
    // also while it is shown for no alias: a connection made before its service was ready may send its request later
    ...(page === undefined ? {} : { page }),
  };
  return { frame, forwards: [...forwards].sort((a, b) => compareIpv4(a.alias, b.alias)), damaged: [] };
}
