/**
 * The web server: the index page, the same as JSON, the zone as text, and a stream of changes for open pages.
 * To a container it tells what is known of that container. It reads four files and a stamp, and nothing else of the director.
 */
import type { IncomingMessage, ServerResponse } from "node:http";
import { readTarget } from "../../core/page/target.ts";
import { connectionShare } from "../../daemon/connection-share.ts";
import { openHttp } from "../../daemon/http.ts";
import type { Say } from "../../daemon/log.ts";
import { type Binding, bindWithRetry } from "../bind.ts";
import { isAllowed, readPermission } from "../dns/networks.ts";
import { type ActivatedSockets, NO_ACTIVATED_SOCKETS } from "../socket-activation.ts";
import { openEvents } from "./events.ts";
import { ownHosts } from "./hosts.ts";
import { openPages } from "./pages.ts";
import type { KernelFiles } from "./peer.ts";
import { redirectOf } from "./redirect.ts";
import { admit, type Refusal, redirect, refuse, send, sendPrivate } from "./reply.ts";
import { openSelves } from "./self.ts";

const NO_TRANSFER: Refusal = {
  status: 403,
  text: "zone.txt is the whole zone: only networks in DNS_ALLOW_TRANSFER may read it",
};

/** The same for all that are not told anything: it does not say which addresses are known. */
const NO_SELF: Refusal = {
  status: 404,
  text: "only a container that has an alias is told about itself, at its address on a bridge network of this host",
};

export interface HttpOptions {
  /** The zone's name: the host every page is asked for. */
  readonly zone: string;
  /** Further names that a request's Host may have, beside localhost and this host's addresses. */
  readonly hostNames: readonly string[];
  /** One listener each; one that cannot be bound is tried again and delays no other. */
  readonly listen: readonly string[];
  readonly port: number;
  readonly indexFile: string;
  readonly servicesFile: string;
  readonly lastRunFile: string;
  readonly zoneFile: string;
  /** What each container is told of itself. */
  readonly selfFile: string;
  /** Where the kernel shows which bridge port an address is behind; default: of this network namespace. */
  readonly kernel?: KernelFiles;
  /** Items of DNS_ALLOW_TRANSFER: its networks may read the zone here too. A key cannot be shown over HTTP. Default: none. */
  readonly allowTransfer?: readonly string[];
  /** Where `/go/NAME` leads when no service has the name; default: the page. */
  readonly fallbackUrl?: string;
  /** Sockets that are bound already. */
  readonly activated?: ActivatedSockets;
  readonly log: Say;
  /** Connections to all addresses together; default 2048. */
  readonly connections?: number;
  /** Event streams at once; default 1024. */
  readonly streams?: number;
}

/** Counts since the start. */
export interface HttpCounters {
  /** Replies by status. */
  readonly statuses: Record<number, number>;
  /** Connections accepted, and those closed by a limit. */
  connections: number;
  refused: number;
  /** Streams open now, and events sent to them. */
  streams: number;
  sent: number;
}

export interface WebServer {
  readonly counters: HttpCounters;
  /** Whether each address is bound now. */
  readonly bindings: readonly Binding[];
  close(): Promise<void>;
}

/** Serves until closed. Resolves when every address has been tried once and every file has been looked at. */
export async function serveHttp(options: HttpOptions): Promise<WebServer> {
  const { indexFile, servicesFile, lastRunFile, zoneFile, log, activated = NO_ACTIVATED_SOCKETS } = options;
  const counters: HttpCounters = { statuses: {}, connections: 0, refused: 0, streams: 0, sent: 0 };
  const share = connectionShare({ connections: options.connections ?? 2048 }, () => {
    counters.refused += 1;
  });
  const isOwnHost = ownHosts([options.zone, ...options.hostNames, ...options.listen]);
  const { permission } = readPermission(options.allowTransfer ?? []);
  const events = openEvents(counters, options.streams ?? 1024);
  const files = { index: indexFile, services: servicesFile, zone: zoneFile, lastRun: lastRunFile };
  const pages = await openPages(files, events.broadcast, log);

  const selves = openSelves(options.selfFile, log, options.kernel);

  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    // a client that closes while it is written to is not a fault
    response.on("error", () => undefined);
    response.once("close", () => {
      counters.statuses[response.statusCode] = (counters.statuses[response.statusCode] ?? 0) + 1;
    });
    const refusal = admit(request, isOwnHost);
    if (refusal !== undefined) return refuse(request, response, refusal);
    const { path: url } = readTarget(request.url ?? "/");
    const [path = "/"] = url.split("?", 1);
    // the whole zone names services that are hidden on the page
    if (path === "/zone.txt" && !isAllowed(permission, request.socket.remoteAddress ?? ""))
      return refuse(request, response, NO_TRANSFER);
    if (path === "/self") {
      const self = selves.find(request.socket.remoteAddress ?? "");
      return self === undefined ? refuse(request, response, NO_SELF) : sendPrivate(request, response, self);
    }
    if (path === "/events") return events.open(request, response, pages.state());
    const page = await pages.find(path);
    if (page === undefined || path === "/") {
      const asked = { url, cookie: request.headers.cookie };
      const to = redirectOf(asked, pages.urls(), options.fallbackUrl || "/");
      if (to !== undefined) return redirect(response, to);
    }
    if (page === undefined) return refuse(request, response, { status: 404, text: "not found" });
    send(request, response, page);
  };

  const bindings = await Promise.all(
    options.listen.map((address) =>
      bindWithRetry(
        "tcp",
        address,
        options.port,
        () => {
          const inherited = activated.of("tcp", address, options.port);
          return openHttp({ address, port: options.port, inherited }, share, answer, counters);
        },
        log,
      ),
    ),
  );
  return {
    counters,
    bindings,
    async close() {
      pages.close();
      selves.close();
      events.close();
      await Promise.all(bindings.map((binding) => binding.close()));
    },
  };
}
