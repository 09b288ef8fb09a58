/**
 * The web server: the index page, what it is made of as JSON, the zone as text, and a stream that tells open pages what
 * changed. It reads three files and a stamp, and knows nothing else of the director.
 */
import type { IncomingMessage, ServerResponse } from "node:http";
import { type Binding, keepBound } from "../bind.ts";
import { type Handed, NONE_HANDED } from "../socket-activation.ts";
import { openEvents } from "./events.ts";
import { openHttp } from "./listen.ts";
import { openPages } from "./pages.ts";
import { admit, hostsOf, refuse, send } from "./reply.ts";

export interface HttpOptions {
  /** The zone's name: the host every page is asked for. */
  readonly zone: string;
  /** Further names and addresses that may stand in a request's Host. */
  readonly hostNames: readonly string[];
  /** One listener each; one that cannot be bound is tried again and holds up no other. */
  readonly listen: readonly string[];
  readonly port: number;
  readonly indexFile: string;
  readonly servicesFile: string;
  readonly lastRunFile: string;
  readonly zoneFile: string;
  /** Sockets that are bound already. */
  readonly handed?: Handed;
  readonly log: (level: "info" | "warn" | "error", message: string) => void;
}

/** Counts since the start. */
export interface HttpCounters {
  /** Replies by status. */
  readonly statuses: Record<number, number>;
  /** Connections accepted, and those turned away by a limit. */
  connections: number;
  refused: number;
  /** Streams open now, and changes told to them. */
  streams: number;
  told: number;
}

export interface WebServer {
  readonly counters: HttpCounters;
  /** Whether each address is bound now. */
  readonly bindings: readonly Pick<Binding, "address" | "bound">[];
  close(): Promise<void>;
}

/** Serves until closed. Resolves when every address has been tried once and every file has been looked at. */
export async function serveHttp(options: HttpOptions): Promise<WebServer> {
  const { indexFile, servicesFile, lastRunFile, zoneFile, log, handed = NONE_HANDED } = options;
  const counters: HttpCounters = { statuses: {}, connections: 0, refused: 0, streams: 0, told: 0 };
  const hosts = hostsOf([options.zone, ...options.hostNames, ...options.listen]);
  const events = openEvents(counters);
  const files = { index: indexFile, services: servicesFile, zone: zoneFile, lastRun: lastRunFile };
  const pages = await openPages(files, events.tell, log);

  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    // a client that goes away while it is written to is no news
    response.on("error", () => undefined);
    response.once("close", () => {
      counters.statuses[response.statusCode] = (counters.statuses[response.statusCode] ?? 0) + 1;
    });
    const refusal = admit(request, hosts);
    if (refusal !== undefined) return refuse(request, response, refusal);
    const path = request.url?.split("?", 1)[0] ?? "/";
    if (path === "/events") return events.open(request, response, pages.news());
    const page = await pages.find(path);
    if (page === undefined)
      return refuse(request, response, { status: 404, text: "there is no such page here" });
    send(request, response, page);
  };

  const bindings = await Promise.all(
    options.listen.map((address) =>
      keepBound(
        "tcp",
        address,
        options.port,
        () => openHttp(address, options.port, answer, counters, handed.of("tcp", address, options.port)),
        log,
        "",
      ),
    ),
  );
  return {
    counters,
    bindings,
    async close() {
      pages.close();
      events.close();
      await Promise.all(bindings.map((binding) => binding.close()));
    },
  };
}
