/** One listener with limits: what a stranger can hold open is bounded in number, size and time. */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { Socket } from "node:net";
import type { Opened } from "../bind.ts";
import { parting } from "../drain.ts";

/** Connections of one listener, and of one client of it. An office behind one address still has room. */
const CONNECTIONS = 2048;
const CONNECTIONS_OF_ONE = 512;
/** Octets of a request's line and headers together. */
const HEADER_OCTETS = 8192;
/** Milliseconds without an octet on a connection that is not a stream. */
const IDLE = 30_000;

type Answer = (request: IncomingMessage, response: ServerResponse) => Promise<void>;

/** What it counts. */
interface Counts {
  connections: number;
  refused: number;
}

/**
 * Opens one listener; `answer` must not throw, and a throw of it costs that one connection. `handed` is a socket that is
 * bound there already, and becomes Node's.
 */
export function openHttp(
  address: string,
  port: number,
  answer: Answer,
  counts: Counts,
  handed?: number,
): Promise<Opened> {
  const server = createServer({
    maxHeaderSize: HEADER_OCTETS,
    headersTimeout: 5_000,
    requestTimeout: 10_000,
    keepAliveTimeout: 10_000,
    connectionsCheckingInterval: 1_000,
    noDelay: true,
    requireHostHeader: false, // answered by us, with a reason
  });
  server.maxHeadersCount = 64;
  server.maxRequestsPerSocket = 1_000;
  server.maxConnections = CONNECTIONS;
  server.setTimeout(IDLE);
  server.on("timeout", (socket) => socket.destroy());
  server.on("drop", () => {
    counts.refused += 1;
  });
  const perClient = new Map<string, number>();
  const sockets = new Set<Socket>();
  server.on("connection", (socket: Socket) => {
    const client = socket.remoteAddress ?? "";
    const open = perClient.get(client) ?? 0;
    if (open >= CONNECTIONS_OF_ONE) {
      counts.refused += 1;
      socket.destroy();
      return;
    }
    counts.connections += 1;
    perClient.set(client, open + 1);
    sockets.add(socket);
    socket.once("close", () => {
      sockets.delete(socket);
      const left = (perClient.get(client) ?? 1) - 1;
      if (left === 0) perClient.delete(client);
      else perClient.set(client, left);
    });
  });
  server.on("request", (request, response) => {
    answer(request, response).catch(() => request.socket.destroy());
  });
  server.on("clientError", (error: NodeJS.ErrnoException, socket) => {
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
  });
  return new Promise((resolve, reject) => {
    let fail: (error: Error) => void = () => {};
    const failed = new Promise<Error>((settle) => {
      fail = settle;
    });
    server.once("error", reject);
    const own = { host: address, port, exclusive: true };
    server.listen({ ...(handed === undefined ? own : { fd: handed }), backlog: 512 }, () => {
      server.off("error", reject);
      server.on("error", (error) => {
        // a connection that could not be accepted is that client's loss: the socket goes on listening
        if (!server.listening) fail(error);
      });
      resolve({
        failed,
        async close() {
          // closes idle connections by itself
          const closed = new Promise<void>((done) => server.close(() => done()));
          await Promise.race([closed, parting()]);
          for (const socket of sockets) socket.destroy();
          await closed;
        },
      });
    });
  });
}
