/** Streams of server-sent events to open pages (HTML Standard §9.2). */
import type { IncomingMessage, ServerResponse } from "node:http";
import { clientOf, connectionShare } from "../../daemon/connection-share.ts";
import { refuse, STREAM_HEADERS } from "./reply.ts";

/** State of the page: the first event of every stream. */
export interface PageState {
  /** Version of the page's content, as the page itself carries it. */
  readonly version: string;
  /** When the director last ran, in seconds since the epoch; null when that is unknown. */
  readonly lastRun: number | null;
  /** Seconds after which the last run is stale. */
  readonly staleAfter: number;
}

/** Names of the services that were added, removed or changed. */
export interface Change extends PageState {
  readonly added: readonly string[];
  readonly removed: readonly string[];
  readonly changed: readonly string[];
}

export type PageEvent =
  | { readonly kind: "run"; readonly data: PageState }
  | { readonly kind: "change"; readonly data: Change };

export interface Events {
  /** Makes a request a stream that begins with the present state. */
  open(request: IncomingMessage, response: ServerResponse, state: PageState): void;
  /** Sends an event to every open page. */
  broadcast(event: PageEvent): void;
  close(): void;
}

/** Streams of one client. */
const MAX_STREAMS_PER_CLIENT = 256;
/** Milliseconds between comments that keep a stream open: shorter than the idle limit of proxies and of this server. */
const HEARTBEAT_MS = 15_000;
/** Octets that may wait for a client before its stream is closed; the page reconnects by itself. */
const MAX_UNSENT_OCTETS = 65_536;

interface Counts {
  streams: number;
  sent: number;
}

const message = (kind: string, data: PageState, id: string): Buffer =>
  Buffer.from(`id: ${id}\nevent: ${kind}\ndata: ${JSON.stringify(data)}\n\n`);

/** Event streams, `most` at once: with all taken, a new one closes the oldest of the client that has most. */
export function openEvents(counts: Counts, most: number): Events {
  const streams = new Set<ServerResponse>();
  const perClient = new Map<string, number>();
  const share = connectionShare({ connections: most });

  const write = (stream: ServerResponse, octets: Buffer): void => {
    if (stream.writableLength > MAX_UNSENT_OCTETS) stream.destroy();
    else stream.write(octets);
  };
  const heartbeat = setInterval(() => {
    const comment = Buffer.from(":\n\n");
    for (const stream of streams) write(stream, comment);
  }, HEARTBEAT_MS);
  heartbeat.unref();

  return {
    open(request, response, state) {
      const client = clientOf(request.socket.remoteAddress ?? "");
      const open = perClient.get(client) ?? 0;
      if (open >= MAX_STREAMS_PER_CLIENT)
        return refuse(request, response, { status: 503, text: "too many event streams from your address" });
      response.writeHead(200, STREAM_HEADERS);
      if (request.method === "HEAD") return void response.end();
      const stream = { client, active: performance.now(), held: 0, destroy: () => void response.destroy() };
      share.add(stream);
      streams.add(response);
      perClient.set(client, open + 1);
      counts.streams = streams.size;
      response.once("close", () => {
        share.remove(stream);
        streams.delete(response);
        counts.streams = streams.size;
        const left = (perClient.get(client) ?? 1) - 1;
        if (left === 0) perClient.delete(client);
        else perClient.set(client, left);
      });
      response.write("retry: 2000\n");
      response.write(message("hello", state, state.version));
    },
    broadcast({ kind, data }) {
      const octets = message(kind, data, data.version);
      counts.sent += streams.size;
      for (const stream of streams) write(stream, octets);
    },
    close() {
      clearInterval(heartbeat);
      for (const stream of streams) stream.destroy();
    },
  };
}
