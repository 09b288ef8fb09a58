/** The labels that say how a container's health is asked for by HTTP. */

import { parseDuration } from "../duration.ts";

/** What is asked of a container at its own address. */
export interface HttpEndpoint {
  /** As it was written. Its host part, which may be empty, is sent as the Host header and is never connected to. */
  readonly url: string;
  readonly port: number;
  /** With its query; begins with a slash. */
  readonly path: string;
}

/** A GET there. */
export interface Health extends HttpEndpoint {
  /** First and last HTTP status that is good. */
  readonly status: readonly [number, number];
  /** Seconds until the answer must be there. */
  readonly timeout: number;
  /** Seconds between two checks of a container that is in use. */
  readonly interval: number;
}

/** Characters of the URL. */
const URL_LENGTH = 2_000;
/** Status, seconds, seconds. */
const DEFAULTS = { status: [200, 200], timeout: 5, interval: 30 } as const;

/** In order of precedence. The first that is there counts. */
const KEYS = ["ocdd.health", "health-check", "healthcheck"] as const;

/** Reads a label by its parser; one that cannot be read is noted and counts as the fallback. */
export type ReadLabel = <T>(key: string, fallback: T, parse: (text: string) => T | undefined) => T;

/** Null where no label asks for it, or the URL cannot be read. */
export function readHealth(labels: ReadonlyMap<string, string>, read: ReadLabel): Health | null {
  const key = KEYS.find((name) => labels.has(name)) ?? KEYS[0];
  const at = read<HttpEndpoint | null>(key, null, endpoint);
  const status = read<Health["status"]>("ocdd.health.status", DEFAULTS.status, statuses);
  const timeout = read("ocdd.health.timeout", DEFAULTS.timeout as number, parseDuration);
  const interval = read("ocdd.health.interval", DEFAULTS.interval as number, parseDuration);
  return at === null ? null : { ...at, status, timeout, interval };
}

/** `http://[HOST][:PORT][/PATH]`, of ASCII without blanks, user or fragment (RFC 9110 §4.2.1). */
export function endpoint(text: string): HttpEndpoint | undefined {
  const url = text.trim();
  if (url.length > URL_LENGTH) return undefined;
  const parts = /^http:\/\/[a-z0-9._-]{0,253}(?::(\d{1,5}))?(\/[!"$-~]*)?$/i.exec(url);
  const port = Number(parts?.[1] ?? 80);
  if (parts === null || port < 1 || port > 65_535) return undefined;
  return { url, port, path: parts[2] ?? "/" };
}

/** `200` or `200-399`. */
function statuses(text: string): [number, number] | undefined {
  const [, first = "", last = first] = /^([1-5]\d\d)(?:\s*-\s*([1-5]\d\d))?$/.exec(text.trim()) ?? [];
  return first !== "" && Number(first) <= Number(last) ? [Number(first), Number(last)] : undefined;
}
