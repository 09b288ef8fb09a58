import type { Socket } from "node:net";
import { addressOctets } from "./networks.ts";

/** Limits of RFC 7766 §6.2 for the connections to all addresses together. */
export interface TcpLimits {
  /** Seconds without a whole message before a connection is closed. */
  readonly idleSeconds: number;
  /** Connections at once. */
  readonly connections: number;
  /** Octets that all may hold of our memory: answers not taken, queries not answered. */
  readonly held: number;
}

/** A connection as its limits see it. */
export interface Sharer {
  readonly socket: Socket;
  /** Whose it is, as `clientOf` says. */
  readonly client: string;
  /** When the last whole message came or went, in milliseconds. */
  active: number;
  /** Octets it holds of our memory; `weigh` keeps it. */
  held: number;
}

/** What all connections have together, and who goes when it is too much. */
export interface TcpShare {
  /** A newcomer; somebody makes room when all places are taken. */
  enter(sharer: Sharer): void;
  leave(sharer: Sharer): void;
  /** It holds so many octets now; somebody is closed when all together hold too many. */
  weigh(sharer: Sharer, held: number): void;
  close(): void;
}

/** One client: an IPv4 address, or the /56 that one client of IPv6 has. */
export function clientOf(address: string): string {
  const octets = addressOctets(address);
  return (octets.length === 4 ? octets : octets.subarray(0, 7)).join(".");
}

/** The connections of those clients that have most of all by this measure. */
function greediest(all: ReadonlySet<Sharer>, measure: (sharer: Sharer) => number): Sharer[] {
  const sums = new Map<string, number>();
  for (const each of all) sums.set(each.client, (sums.get(each.client) ?? 0) + measure(each));
  const most = Math.max(...sums.values());
  return [...all].filter((each) => sums.get(each.client) === most);
}

/** A share of these limits, for all addresses that are listened on. */
export function tcpShare(limits: TcpLimits): TcpShare {
  const all = new Set<Sharer>();
  let held = 0;
  const leave = (sharer: Sharer): void => {
    if (all.delete(sharer)) held -= sharer.held;
  };
  const drop = (sharer: Sharer): void => {
    leave(sharer);
    sharer.socket.destroy();
  };
  // Idle is measured in whole messages, so that octets dribbled for ever do not hold a connection for ever.
  const sweep = setInterval(() => {
    const oldest = Date.now() - limits.idleSeconds * 1000;
    for (const each of all) if (each.active < oldest) drop(each);
  }, 1000);
  sweep.unref();

  return {
    enter(sharer) {
      // RFC 7766 §6.2.2: the quietest makes room; of the client that has most places, lest one takes those of all others.
      if (all.size >= limits.connections)
        drop(greediest(all, () => 1).reduce((quiet, each) => (each.active < quiet.active ? each : quiet)));
      all.add(sharer);
    },
    leave,
    weigh(sharer, octets) {
      if (!all.has(sharer)) return;
      held += octets - sharer.held;
      sharer.held = octets;
      while (held > limits.held)
        drop(
          greediest(all, (each) => each.held).reduce((most, each) => (each.held > most.held ? each : most)),
        );
    },
    close: () => clearInterval(sweep),
  };
}
