/** Which requests are answered, and how a body is sent: headers, conditional requests, refusals. */
import type { IncomingMessage, ServerResponse } from "node:http";
import { readTarget } from "../../core/page/target.ts";
import { SECURITY_HEADERS, STRICT_POLICY } from "../../daemon/http-headers.ts";
import { hostOf, type IsOwnHost } from "./hosts.ts";

/** Something to send. */
export interface Body {
  readonly status: 200 | 204 | 503;
  readonly type: string;
  readonly octets: Buffer;
  /** The same, compressed; absent where that is not worth it. */
  readonly gzip: Buffer | undefined;
  /** Names this content; without quotes. */
  readonly tag: string;
  /** More than the strict default of Content-Security-Policy. */
  readonly policy: string | undefined;
}

export interface Refusal {
  readonly status: 400 | 403 | 404 | 405 | 413 | 421 | 503;
  readonly text: string;
}

/**
 * Why a request is refused, or undefined. A request for another Host is misdirected (RFC 9110 §15.5.20): the check stops pages
 * of other sites that point their own name at this address to read data of this network (DNS rebinding).
 */
export function admit(request: IncomingMessage, isOwnHost: IsOwnHost): Refusal | undefined {
  const { method, url = "", headers } = request;
  const { authority, path } = readTarget(url);
  // RFC 9112 §3.2: more than one Host, or none, is a broken request
  if (request.headersDistinct.host?.length !== 1) return { status: 400, text: "a request has one Host" };
  if (!isOwnHost(hostOf(authority ?? headers.host ?? "")))
    return { status: 421, text: "unknown host name; the key WEB_NAMES in ocdd.conf adds one" };
  if (!path.startsWith("/")) return { status: 400, text: "this is not a proxy" };
  if (method !== "GET" && method !== "HEAD") return { status: 405, text: "only GET and HEAD are answered" };
  if (headers["transfer-encoding"] !== undefined || Number(headers["content-length"] ?? 0) > 0)
    return { status: 413, text: "requests with a body are not accepted" };
  return undefined;
}

/** Refuses in one line of text, and closes the connection where the rest of it cannot be parsed reliably. */
export function refuse(request: IncomingMessage, response: ServerResponse, refusal: Refusal): void {
  const { status, text } = refusal;
  const body = Buffer.from(`${text}\n`);
  response.writeHead(status, {
    ...SECURITY_HEADERS,
    "Content-Security-Policy": STRICT_POLICY,
    "Content-Type": "text/plain; charset=utf-8",
    "Content-Length": body.length,
    "Cache-Control": "no-store",
    ...(status === 405 ? { Allow: "GET, HEAD" } : {}),
    ...(status === 503 ? { "Retry-After": "5" } : {}),
    ...(status === 403 || status === 404 || status === 503 ? {} : { Connection: "close" }),
  });
  response.end(request.method === "HEAD" ? undefined : body);
}

/** Sends JSON that is for this client only: no cache keeps it. */
export function sendPrivate(request: IncomingMessage, response: ServerResponse, json: string): void {
  const octets = Buffer.from(json);
  response.writeHead(200, {
    ...SECURITY_HEADERS,
    "Content-Security-Policy": STRICT_POLICY,
    "Content-Type": "application/json",
    "Content-Length": octets.length,
    "Cache-Control": "no-store",
  });
  response.end(request.method === "HEAD" ? undefined : octets);
}

/** Leads to another URL for this once (RFC 9110 §15.4.3): the service may be gone at the next request. */
export function redirect(response: ServerResponse, location: string): void {
  response.writeHead(302, {
    ...SECURITY_HEADERS,
    "Content-Security-Policy": STRICT_POLICY,
    "Content-Length": 0,
    "Cache-Control": "no-store",
    Location: location,
  });
  response.end();
}

/** Headers of the event stream. */
export const STREAM_HEADERS: Readonly<Record<string, string>> = {
  ...SECURITY_HEADERS,
  "Content-Security-Policy": STRICT_POLICY,
  "Content-Type": "text/event-stream; charset=utf-8",
  "Cache-Control": "no-store",
  "X-Accel-Buffering": "no", // a proxy of nginx's in front must not hold it back
};

/** Sends a body, or 304 when the client has it. */
export function send(request: IncomingMessage, response: ServerResponse, body: Body): void {
  const zip = body.gzip !== undefined && acceptsGzip(request.headers["accept-encoding"]);
  const octets = zip && body.gzip !== undefined ? body.gzip : body.octets;
  const headers = {
    ...SECURITY_HEADERS,
    "Content-Security-Policy": body.policy ?? STRICT_POLICY,
    // may be cached, must be validated each time
    "Cache-Control": body.status === 503 ? "no-store" : "no-cache",
    ...(body.gzip === undefined ? {} : { Vary: "Accept-Encoding" }),
    // two encodings are two representations (RFC 9110 §8.8.3)
    ETag: `"${body.tag}${zip ? "-z" : ""}"`,
    ...(body.status === 503 ? { "Retry-After": "5" } : {}),
  };
  if (body.status === 200 && knows(request.headers["if-none-match"], body.tag)) {
    response.writeHead(304, headers);
    response.end();
    return;
  }
  response.writeHead(body.status, {
    ...headers,
    // RFC 9110 §8.6: 204 has no Content-Length
    ...(body.status === 204 ? {} : { "Content-Type": body.type, "Content-Length": octets.length }),
    ...(zip ? { "Content-Encoding": "gzip" } : {}),
  });
  response.end(request.method === "HEAD" ? undefined : octets);
}

/** RFC 9110 §12.5.3: whether the coding's own weight, or that of `*` where it is not named, is more than 0. */
function acceptsGzip(header: string | string[] | undefined): boolean {
  const accepted = new Map(
    String(header ?? "")
      .toLowerCase()
      .split(",")
      .map((item) => {
        const [coding = "", ...parameters] = item.split(";").map((part) => part.trim());
        return [coding, !parameters.some((one) => /^q=0(\.0{0,3})?$/.test(one))] as const;
      }),
  );
  // x-gzip is the same (RFC 9110 §8.4.1.3)
  return accepted.get("gzip") ?? accepted.get("x-gzip") ?? accepted.get("*") ?? false;
}

/** RFC 9110 §13.1.2: weak comparison, any of the list. */
function knows(header: string | undefined, tag: string): boolean {
  if (header === undefined) return false;
  if (header.trim() === "*") return true;
  return header.split(",").some((item) => {
    const known = item.trim().replace(/^W\//, "");
    return known === `"${tag}"` || known === `"${tag}-z"`;
  });
}
