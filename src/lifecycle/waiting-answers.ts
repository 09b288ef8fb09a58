/** The answers of the waiting page's server. Each ends its connection. */
import type { IncomingMessage, OutgoingHttpHeaders, ServerResponse } from "node:http";
import { sameHostTarget } from "../core/page/target.ts";
import { PHASE_HEADER, REFRESH_S, type WaitingFor, waitingPage } from "../core/page/waiting.ts";
import { field } from "../core/text.ts";
import { policyOf, SECURITY_HEADERS, STRICT_POLICY } from "../daemon/http-headers.ts";

/** Seconds after which a program may try again, where the time is not known. */
const RETRY_S = 5;

/** Milliseconds that a client has to end a body which was not read. */
const LINGER_MS = 2_000;

/** Style and script are the same on every page. */
const POLICY = policyOf(
  waitingPage({ name: "", fqdn: "", phase: "starting", reason: null, since: 0, retry: null }),
);

/** 503 with the page. */
export function sendPage(response: ServerResponse, waiting: WaitingFor): void {
  const page = Buffer.from(waitingPage(waiting));
  response.writeHead(503, {
    ...bodyHeaders("text/html", page, POLICY),
    "Retry-After": waiting.phase === "failed" ? retryAfter(waiting) : REFRESH_S,
  });
  response.end(page);
}

/** 503 in one line of text, for programs. */
export function sendUnavailable(
  request: IncomingMessage,
  response: ServerResponse,
  waiting: WaitingFor,
): void {
  const { phase } = waiting;
  const name = field(waiting.name) ?? "?";
  const why = field(waiting.reason) ?? "the reason is not known";
  const text = phase === "failed" ? `could not be started: ${why}` : "is starting";
  sendText(request, response, 503, `${name} ${text}`, {
    "Retry-After": retryAfter(waiting),
    [PHASE_HEADER]: phase,
  });
}

/** 404: no container of ours is waited for at this address. */
export function sendNothing(request: IncomingMessage, response: ServerResponse): void {
  sendText(request, response, 404, "no service is starting at this address", {});
}

/** 307 to the same URL, method kept (RFC 9110 §15.4.8): the next connection leads to the container. */
export function sendAgain(request: IncomingMessage, response: ServerResponse): void {
  response.writeHead(307, {
    Location: sameHostTarget(request.url ?? "/"),
    "Cache-Control": "no-store",
    Connection: "close",
    "Content-Length": 0,
  });
  endAfterBody(request, response);
}

function sendText(
  request: IncomingMessage,
  response: ServerResponse,
  status: number,
  text: string,
  headers: OutgoingHttpHeaders,
): void {
  const body = Buffer.from(`${text}\n`);
  response.writeHead(status, { ...bodyHeaders("text/plain", body, STRICT_POLICY), ...headers });
  if (request.method !== "HEAD") response.write(body);
  endAfterBody(request, response);
}

function bodyHeaders(type: string, body: Buffer, policy: string): OutgoingHttpHeaders {
  return {
    ...SECURITY_HEADERS,
    "Content-Security-Policy": policy,
    "Content-Type": `${type}; charset=utf-8`,
    "Content-Length": body.length,
    "Cache-Control": "no-store",
    Connection: "close",
  };
}

const retryAfter = ({ retry }: WaitingFor): number => Math.max(1, Math.ceil(retry ?? RETRY_S));

/** To close with octets unread would reset the connection, and the client could lose the answer (RFC 9112 §9.6). */
function endAfterBody(request: IncomingMessage, response: ServerResponse): void {
  const { headers } = request;
  const hasBody = headers["transfer-encoding"] !== undefined || Number(headers["content-length"] ?? 0) > 0;
  if (!hasBody || request.complete) return void response.end();
  response.flushHeaders();
  const timer = setTimeout(() => response.end(), LINGER_MS);
  request.once("end", () => response.end()).resume();
  response.once("close", () => clearTimeout(timer));
}
