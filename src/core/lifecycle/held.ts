/** Packets that wait in the kernel for one alias, and which of them are kept. */
import { type Flow, flowKey } from "./flow.ts";

export interface Held {
  /** Keeps a packet; returns the ids of those to drop in its place. */
  keep(id: number, flow: Flow): number[];
  /** TCP ports that packets have asked for since `take` last took all. */
  ports(): number[];
  /** Removes packets, oldest flow first, and returns their ids: all, or those of the flows that `which` accepts. */
  take(which?: (flow: Flow) => boolean): number[];
  flows(): Flow[];
  /** How many flows wait. */
  readonly size: number;
}

/** Flows of one alias that wait at most. */
const MOST_FLOWS = 1_024;
/** Packets of one flow of UDP or SCTP at most. */
const MOST_PACKETS = 16;

/** Room for packets, shared by all aliases. */
export interface Room {
  free: number;
}

/**
 * An alias keeps no more packets than are still free for others: a flood of some aliases leaves room for every other one,
 * and a single one may use half of all.
 */
export function makeHeld(room: Room): Held {
  let packets = 0;
  /** False where there is none: the sender repeats its packet. */
  const takeRoom = (): boolean => {
    if (packets >= room.free) return false;
    packets += 1;
    room.free -= 1;
    return true;
  };
  const giveRoom = (count: number): void => {
    packets -= count;
    room.free += count;
  };
  const flows = new Map<string, { readonly flow: Flow; readonly ids: number[] }>();
  const ports = new Set<number>();
  return {
    keep(id, flow) {
      const key = flowKey(flow);
      const known = flows.get(key);
      if (known === undefined) {
        if (flows.size >= MOST_FLOWS || !takeRoom()) return [id];
        flows.set(key, { flow, ids: [id] });
        if (flow.protocol === "tcp") ports.add(flow.port);
        return [];
      }
      // the newest SYN has the time stamp by which the client measures; of pings only one passes address translation
      const most = flow.protocol === "udp" || flow.protocol === "sctp" ? MOST_PACKETS : 1;
      if (known.ids.length < most && !takeRoom()) return [id];
      known.ids.push(id);
      return known.ids.splice(0, known.ids.length - most);
    },
    ports: () => [...ports],
    take(which) {
      const taken = [...flows].filter(([, { flow }]) => which === undefined || which(flow));
      for (const [key] of taken) flows.delete(key);
      if (which === undefined) ports.clear();
      const ids = taken.flatMap(([, flow]) => flow.ids);
      giveRoom(ids.length);
      return ids;
    },
    flows: () => [...flows.values()].map(({ flow }) => flow),
    get size() {
      return flows.size;
    },
  };
}
