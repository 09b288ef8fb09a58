/** How all clients share a limited number of connections and octets: at a limit the client that holds most loses a connection. */
import { addressOctets } from "./address-octets.ts";

/** Limits for the connections to all addresses together (RFC 7766 §6.2 for DNS). */
export interface ConnectionLimits {
  /** Connections at once. */
  readonly connections: number;
  /** Seconds without activity before a connection is closed; without it the server closes idle ones itself. */
  readonly idleSeconds?: number;
  /** Octets of memory that all may hold: answers not taken, queries not answered. */
  readonly held?: number;
}

/** A connection as its limits see it. */
export interface SharedConnection {
  /** Closes it at once. */
  destroy(): void;
  /** Its client, as `clientOf` says. */
  readonly client: string;
  /** When it was last active, in milliseconds of the monotonic clock. */
  active: number;
  /** Octets of memory it holds; set by `setHeld`. */
  held: number;
}

/** All open connections. */
export interface ConnectionShare {
  /** A new connection. At the limit, the longest idle one of the client that has most is closed. */
  add(connection: SharedConnection): void;
  remove(connection: SharedConnection): void;
  /** How many a client has. */
  of(client: string): number;
  /** It holds so many octets now. Above the limit the largest connection of the client that holds most is closed. */
  setHeld(connection: SharedConnection, octets: number): void;
  close(): void;
}

/** One client: an IPv4 address, or the /56 that one client of IPv6 has. */
export function clientOf(address: string): string {
  const octets = addressOctets(address);
  return (octets.length === 4 ? octets : octets.subarray(0, 7)).join(".");
}

interface Client {
  readonly connections: Set<SharedConnection>;
  held: number;
}

/** Of the clients that have most by `measure`, the connection that ranks highest. */
function worst(
  clients: Iterable<Client>,
  measure: (client: Client) => number,
  rank: (connection: SharedConnection) => number,
): SharedConnection | undefined {
  const all = [...clients];
  const most = all.reduce((so, client) => Math.max(so, measure(client)), 0);
  let found: SharedConnection | undefined;
  for (const client of all) {
    if (measure(client) < most) continue;
    for (const each of client.connections) if (found === undefined || rank(each) > rank(found)) found = each;
  }
  return found;
}

/** Applies these limits. `evicted` is called for each connection that is closed to make room. */
export function connectionShare(limits: ConnectionLimits, evicted: () => void = () => {}): ConnectionShare {
  const clients = new Map<string, Client>();
  let count = 0;
  let held = 0;
  const remove = (connection: SharedConnection): void => {
    const client = clients.get(connection.client);
    if (client === undefined || !client.connections.delete(connection)) return;
    count--;
    held -= connection.held;
    client.held -= connection.held;
    if (client.connections.size === 0) clients.delete(connection.client);
  };
  const drop = (connection: SharedConnection | undefined): void => {
    if (connection === undefined) return;
    remove(connection);
    connection.destroy();
  };
  const evict = (connection: SharedConnection | undefined): void => {
    evicted();
    drop(connection);
  };
  const closeIdle = (): void => {
    const oldest = performance.now() - (limits.idleSeconds ?? Number.POSITIVE_INFINITY) * 1000;
    for (const { connections } of [...clients.values()])
      for (const each of connections) if (each.active < oldest) drop(each);
  };
  const timer = limits.idleSeconds === undefined ? undefined : setInterval(closeIdle, 1000);
  timer?.unref();

  return {
    add(connection) {
      if (count >= limits.connections)
        evict(
          worst(
            clients.values(),
            ({ connections }) => connections.size,
            ({ active }) => -active,
          ),
        );
      const client = clients.get(connection.client) ?? { connections: new Set(), held: 0 };
      clients.set(connection.client, client);
      client.connections.add(connection);
      count++;
    },
    remove,
    of: (client) => clients.get(client)?.connections.size ?? 0,
    setHeld(connection, octets) {
      const client = clients.get(connection.client);
      if (client === undefined || !client.connections.has(connection)) return;
      held += octets - connection.held;
      client.held += octets - connection.held;
      connection.held = octets;
      while (held > (limits.held ?? Number.POSITIVE_INFINITY))
        evict(
          worst(
            clients.values(),
            (each) => each.held,
            (each) => each.held,
          ),
        );
    },
    close: () => clearInterval(timer),
  };
}
