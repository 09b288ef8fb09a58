/** One HTTP listener with limits on number, size and time of what a client can hold open. */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { type ConnectionShare, clientOf, type SharedConnection } from "./connection-share.ts";
import { type Listening, startListening } from "./listener.ts";

/** Octets of a request's line and headers together. */
const MAX_HEADER_OCTETS = 8192;
/** Milliseconds without an octet on a connection that is not a stream. */
const IDLE_MS = 30_000;

type Answer = (request: IncomingMessage, response: ServerResponse) => Promise<void>;

/** What it counts. */
interface Counts {
  connections: number;
  refused: number;
}

/** Where it listens. */
interface Place {
  readonly address: string;
  readonly port: number;
  /** Descriptor of a socket that is bound there already; it becomes Node's. */
  readonly inherited: number | undefined;
  /** Whether a peer's address may connect to an own one: all others' connections are closed unread. Without it all may. */
  readonly admits?: (peer: string, own: string) => boolean;
}

/** What one client may do. */
interface Patience {
  /** Connections at once: more are closed unread. An office behind one address needs room. */
  readonly connections: number;
  /** Requests on one connection. */
  readonly requests: number;
  /** Milliseconds until a request has arrived with its body; 0: no limit, for servers that leave bodies unread. */
  readonly requestMs: number;
}

const USUAL: Patience = { connections: 512, requests: 1_000, requestMs: 10_000 };

/** Opens one listener; its connections count in `share`. `answer` must not throw: an exception ends that one connection. */
export function openHttp(
  place: Place,
  share: ConnectionShare,
  answer: Answer,
  counts: Counts,
  patience: Patience = USUAL,
): Promise<Listening> {
  const server = createServer({
    maxHeaderSize: MAX_HEADER_OCTETS,
    headersTimeout: 5_000,
    requestTimeout: patience.requestMs,
    keepAliveTimeout: 10_000,
    connectionsCheckingInterval: 1_000,
    noDelay: true,
    requireHostHeader: false, // refused by `answer`, with a reason
  });
  server.maxHeadersCount = 64;
  server.maxRequestsPerSocket = patience.requests;
  server.setTimeout(IDLE_MS);
  server.on("timeout", (socket) => socket.destroy());
  const perClient = new Map<string, number>();
  const connections = new Map<Socket, SharedConnection>();
  server.on("connection", (socket: Socket) => {
    if (place.admits?.(socket.remoteAddress ?? "", socket.localAddress ?? "") === false) {
      counts.refused += 1;
      socket.destroy();
      return;
    }
    const client = clientOf(socket.remoteAddress ?? "");
    const open = perClient.get(client) ?? 0;
    if (open >= patience.connections) {
      counts.refused += 1;
      socket.destroy();
      return;
    }
    counts.connections += 1;
    perClient.set(client, open + 1);
    const connection = { client, active: performance.now(), held: 0, destroy: () => socket.destroy() };
    connections.set(socket, connection);
    share.add(connection);
    socket.once("close", () => {
      connections.delete(socket);
      share.remove(connection);
      const left = (perClient.get(client) ?? 1) - 1;
      if (left === 0) perClient.delete(client);
      else perClient.set(client, left);
    });
  });
  const asked = (request: IncomingMessage, response: ServerResponse): void => {
    const connection = connections.get(request.socket);
    if (connection !== undefined) connection.active = performance.now();
    answer(request, response).catch(() => request.socket.destroy());
  };
  server.on("request", asked);
  // no body is wanted: the answer comes in the place of 100 Continue (RFC 9110 §10.1.1)
  server.on("checkContinue", asked);
  server.on("clientError", refuseBroken);
  return startListening(
    server,
    { ...place, backlog: 512 },
    {
      // idle connections are closed by server.close() itself
      end: () => undefined,
      drop() {
        for (const socket of connections.keys()) socket.destroy();
      },
    },
  );
}

/** Answers a client that does not send HTTP, while it is still connected. */
function refuseBroken(error: NodeJS.ErrnoException, socket: Duplex): void {
  if (error.code === "ECONNRESET" || !socket.writable) {
    socket.destroy();
    return;
  }
  const status =
    error.code === "HPE_HEADER_OVERFLOW"
      ? "431 Request Header Fields Too Large"
      : error.code === "ERR_HTTP_REQUEST_TIMEOUT"
        ? "408 Request Timeout"
        : "400 Bad Request";
  socket.end(`HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
}
