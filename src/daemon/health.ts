/** Metrics and health over HTTP, for the networks that may read them. */
import type { IncomingMessage, ServerResponse } from "node:http";
import { contains, type Ipv4, parseCidr, parseIpv4 } from "../core/addresses/ipv4.ts";
import type { Endpoint } from "../core/config/endpoints.ts";
import { readTarget } from "../core/page/target.ts";
import { connectionShare } from "./connection-share.ts";
import { openHttp } from "./http.ts";
import type { Listening } from "./listener.ts";
import type { Say } from "./log.ts";

/** What a process answers about itself. */
export interface Health {
  /** The process works; if not, it should be restarted. */
  readonly live: () => boolean;
  /** Its first work is done; if not, no load should be sent to it yet. */
  readonly ready: () => boolean;
  /** Prometheus text. */
  readonly metrics: () => Promise<string>;
}

/** The type of Prometheus' text format. */
const TEXT_FORMAT = "text/plain; version=0.0.4; charset=utf-8";
/** Milliseconds between tries at an address that cannot be bound: a device may get it later. */
const RETRY_MS = 3_000;
/** Connections at once, of one client and of all. */
const PATIENCE = { connections: 8, requests: 1_000, requestMs: 5_000 };
const CONNECTIONS = 32;
/** Addresses whose refusal is logged, each once. */
const LOGGED = 16;

/**
 * Whether a peer may read: this host itself, by loopback or by the address that it asks, and the networks (CIDR). Addresses are those
 * of the connection, never of a header.
 */
export function mayRead(peer: string, own: string, networks: readonly string[]): boolean {
  const address = parseIpv4(peer);
  if (address === undefined) return false;
  return peer === own || ["127.0.0.0/8", ...networks].some((network) => includes(network, address));
}

function includes(network: string, address: Ipv4): boolean {
  const range = parseCidr(network);
  return range !== undefined && contains(range, address);
}

/**
 * Answers /metrics, /livez and /readyz to those who may read; connections of all others are closed unread. An address that cannot be
 * bound is logged and tried again; nothing else depends on it.
 */
export function serveHealth(
  at: Endpoint,
  networks: readonly string[],
  health: Health,
  say: Say,
  reads: typeof mayRead = mayRead,
): { readonly close: () => Promise<void> } {
  const refused = new Set<string>();
  const admits = (peer: string, own: string): boolean => {
    const may = reads(peer, own, networks);
    if (!may && !refused.has(peer) && refused.size < LOGGED) {
      refused.add(peer);
      say("warning", `metrics: connections from ${peer} are closed: METRICS_ALLOW does not name it`);
    }
    return may;
  };
  const share = connectionShare({ connections: CONNECTIONS });
  const place = { address: at.address, port: at.port, inherited: undefined, admits };
  let closed = false;
  let opened: Listening | undefined;
  let timer: NodeJS.Timeout | undefined;
  let logged = "";
  const attempt = async (): Promise<void> => {
    try {
      opened = await openHttp(place, share, answerOf(health), { connections: 0, refused: 0 }, PATIENCE);
      if (closed) await opened.close();
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException;
      const reason = code ?? message;
      if (reason !== logged)
        say("error", `cannot listen on ${at.address}:${at.port} for metrics (${reason}); trying again`);
      logged = reason;
      if (!closed) timer = setTimeout(attempt, RETRY_MS);
      timer?.unref();
    }
  };
  void attempt();
  return {
    async close() {
      closed = true;
      clearTimeout(timer);
      share.close();
      await opened?.close();
    },
  };
}

const answerOf =
  (health: Health) =>
  async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    // a client that closes while it is written to is not a fault
    response.on("error", () => undefined);
    const verdict = (good: boolean): void => {
      response.writeHead(good ? 200 : 503, { "content-type": "text/plain; charset=utf-8" });
      response.end(good ? "ok\n" : "not ok\n");
    };
    const [path] = readTarget(request.url ?? "/").path.split("?", 1);
    if (path === "/livez") verdict(health.live());
    else if (path === "/readyz") verdict(health.ready());
    else if (path === "/metrics") {
      const text = await health.metrics().catch(() => undefined);
      if (text === undefined) verdict(false);
      else response.writeHead(200, { "content-type": TEXT_FORMAT }).end(text);
    } else response.writeHead(404).end();
  };
