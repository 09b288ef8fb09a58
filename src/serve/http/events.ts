/** Open pages that listen (server-sent events, HTML Standard §9.2), and what they are told. */
import type { IncomingMessage, ServerResponse } from "node:http";
import { refuse, STREAM_HEADERS } from "./reply.ts";

/** How the page stands: sent to every page that begins to listen. */
export interface News {
  /** Version of the page's content, as the page itself carries it. */
  readonly version: string;
  /** When the director last ran, in seconds since the epoch; null when nobody knows. */
  readonly lastRun: number | null;
  /** Seconds after which the last run is long ago. */
  readonly staleAfter: number;
}

/** News with the names of the services that came, went, or are not what they were. */
export interface Change extends News {
  readonly added: readonly string[];
  readonly removed: readonly string[];
  readonly changed: readonly string[];
}

export type Told =
  | { readonly kind: "run"; readonly data: News }
  | { readonly kind: "change"; readonly data: Change };

export interface Events {
  /** Makes a request a stream, beginning with how things stand. */
  open(request: IncomingMessage, response: ServerResponse, news: News): void;
  /** Tells every open page. */
  tell(told: Told): void;
  close(): void;
}

/** Streams in all, and of one client. */
const STREAMS = 1_024;
const STREAMS_OF_ONE = 256;
/** Milliseconds between signs of life, shorter than any proxy's patience and than our own. */
const BEAT = 15_000;
/** Octets a client may leave untaken before it is given up; it comes back by itself. */
const UNTAKEN = 65_536;

interface Counts {
  streams: number;
  told: number;
}

const message = (kind: string, data: News, id: string): Buffer =>
  Buffer.from(`id: ${id}\nevent: ${kind}\ndata: ${JSON.stringify(data)}\n\n`);

export function openEvents(counts: Counts): Events {
  const streams = new Set<ServerResponse>();
  const perClient = new Map<string, number>();

  const write = (stream: ServerResponse, octets: Buffer): void => {
    if (stream.writableLength > UNTAKEN) stream.destroy();
    else stream.write(octets);
  };
  const beat = setInterval(() => {
    const sign = Buffer.from(":\n\n");
    for (const stream of streams) write(stream, sign);
  }, BEAT);
  beat.unref();

  return {
    open(request, response, news) {
      const client = request.socket.remoteAddress ?? "";
      const open = perClient.get(client) ?? 0;
      if (streams.size >= STREAMS || open >= STREAMS_OF_ONE)
        return refuse(request, response, { status: 503, text: "too many pages listen already" });
      response.writeHead(200, STREAM_HEADERS);
      if (request.method === "HEAD") return void response.end();
      streams.add(response);
      perClient.set(client, open + 1);
      counts.streams = streams.size;
      response.once("close", () => {
        streams.delete(response);
        counts.streams = streams.size;
        const left = (perClient.get(client) ?? 1) - 1;
        if (left === 0) perClient.delete(client);
        else perClient.set(client, left);
      });
      response.write("retry: 2000\n");
      response.write(message("hello", news, news.version));
    },
    tell({ kind, data }) {
      const octets = message(kind, data, data.version);
      counts.told += streams.size;
      for (const stream of streams) write(stream, octets);
    },
    close() {
      clearInterval(beat);
      for (const stream of streams) stream.destroy();
    },
  };
}
