/** The server of the waiting page: what is answered on an alias while its container starts. */
import type { IncomingMessage, ServerResponse } from "node:http";
import { type Ipv4, parseIpv4 } from "../core/addresses/ipv4.ts";
import type { Flow } from "../core/lifecycle/flow.ts";
import { PHASE_HEADER, type WaitingFor } from "../core/page/waiting.ts";
import { clientOf, connectionShare } from "../daemon/connection-share.ts";
import { openHttp } from "../daemon/http.ts";
import { sendAgain, sendNothing, sendPage, sendUnavailable } from "./waiting-answers.ts";

export interface WaitingPageOptions {
  /** What is waited for at an alias; "ready" when the container can be reached there, undefined where none of ours waits. */
  waiting(alias: Ipv4): WaitingFor | "ready" | undefined;
  /** Called with the connection of each request. */
  asked?(flow: Flow): void;
  /** Resolves at the next change of that; resolves or rejects when `signal` is aborted. */
  changed(alias: Ipv4, signal: AbortSignal): Promise<void>;
  /** Connections at once; default 2048. */
  readonly connections?: number;
  /** Requests kept at once; default 1024. Beyond, the oldest of the client that has most gets 503. */
  readonly kept?: number;
}

/** The server. */
export interface WaitingPage {
  /** Its TCP port on every address, chosen by the kernel. */
  readonly port: number;
  close(): Promise<void>;
}

/**
 * Every answer ends its connection: the next one follows the rules of then, and those lead to the container. One client may
 * have as many connections as may be kept: beyond, its oldest is answered with 503, and none is closed unread.
 */
const ONE_REQUEST = { requests: 1, requestMs: 0 };

/**
 * Serves until closed. A port of an alias is led here with its address as it was, so that the address tells which alias is meant.
 * A browser gets the page; any other request is kept until the container can be reached, and sent to the same URL again.
 */
export function serveWaitingPage(options: WaitingPageOptions): Promise<WaitingPage> {
  const kept = connectionShare({ connections: options.kept ?? 1_024 });

  /** Waits until there is something to answer, the client is gone, or the request has to make room for another. */
  const keep = async (request: IncomingMessage, alias: Ipv4, gone: AbortSignal): Promise<void> => {
    const room = new AbortController();
    const end = AbortSignal.any([gone, room.signal]);
    const client = clientOf(request.socket.remoteAddress ?? "");
    const entry = { client, active: performance.now(), held: 0, destroy: () => room.abort() };
    kept.add(entry);
    // no octet flows while it waits
    request.socket.setTimeout(0);
    try {
      while (!end.aborted && isToKeep(options.waiting(alias), request)) await options.changed(alias, end);
    } catch (error) {
      if (!end.aborted) throw error;
    } finally {
      kept.remove(entry);
    }
  };

  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const gone = new AbortController();
    response.once("close", () => gone.abort());
    // a client that closes while it is written to is not a fault
    response.on("error", () => undefined);
    const alias = parseIpv4(request.socket.localAddress ?? "");
    if (alias === undefined) return sendNothing(request, response);
    const { remoteAddress, remotePort } = request.socket;
    const source = parseIpv4(remoteAddress ?? "");
    if (source !== undefined && remotePort !== undefined)
      options.asked?.({ protocol: "tcp", source, sourcePort: remotePort, destination: alias, port: 80 });
    if (isToKeep(options.waiting(alias), request)) await keep(request, alias, gone.signal);
    const state = options.waiting(alias);
    if (state === undefined) sendNothing(request, response);
    else if (state === "ready") sendAgain(request, response);
    else if (isNavigation(request)) sendPage(response, state);
    else sendUnavailable(request, response, state);
  };

  const connections = options.connections ?? 2_048;
  const share = connectionShare({ connections });
  const everywhere = { address: "0.0.0.0", port: 0, inherited: undefined };
  return openHttp(everywhere, share, answer, { connections: 0, refused: 0 }, { ...ONE_REQUEST, connections });
}

/** A person's browser asks for a page. Fetch metadata, which would say so, is not sent without TLS. */
function isNavigation({ headers, method }: IncomingMessage): boolean {
  return method === "GET" && /\btext\/html\b/i.test(headers.accept ?? "");
}

/** Nothing is known yet that the client could use. The page's script names the phase that it shows. */
function isToKeep(state: WaitingFor | "ready" | undefined, request: IncomingMessage): boolean {
  if (state === undefined || state === "ready" || state.phase === "failed" || isNavigation(request))
    return false;
  return (request.headers[PHASE_HEADER] ?? state.phase) === state.phase;
}
