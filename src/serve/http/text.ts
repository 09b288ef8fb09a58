/** Pure parts of serving the page. Texts are octets, one a character, as files are read. */

import { createHash } from "node:crypto";
import { isoMs } from "../../core/moment.ts";
import type { Change } from "./events.ts";
import { type ServiceUrls, serviceUrls } from "./redirect.ts";

/** The parts of services.json that the server needs. */
export interface Listing {
  readonly version: string | undefined;
  readonly staleAfter: number | undefined;
  /** Name of service → its JSON. */
  readonly services: ReadonlyMap<string, string>;
  readonly urls: ServiceUrls;
}

/** Reads the document; its content is not trusted. */
export function readListing(text: string): Listing | undefined {
  let document: unknown;
  try {
    document = JSON.parse(Buffer.from(text, "latin1").toString("utf8"));
  } catch {
    return undefined;
  }
  const { version, staleAfter, services, zone } = (document ?? {}) as Record<string, unknown>;
  const named = Array.isArray(services) ? services : [];
  return {
    version: typeof version === "string" ? version : undefined,
    staleAfter: typeof staleAfter === "number" ? staleAfter : undefined,
    services: new Map(named.map((one) => [String(one?.name), JSON.stringify(one)])),
    urls: serviceUrls(named, zone),
  };
}

/** Names of the services that were added, removed or changed. */
export function changeOf(
  before: Listing | undefined,
  after: Listing | undefined,
): Pick<Change, "added" | "removed" | "changed"> {
  const old = before?.services ?? new Map<string, string>();
  const now = after?.services ?? new Map<string, string>();
  return {
    added: [...now.keys()].filter((name) => !old.has(name)),
    removed: [...old.keys()].filter((name) => !now.has(name)),
    changed: [...now].filter(([name, text]) => old.has(name) && old.get(name) !== text).map(([name]) => name),
  };
}

/** The version a page carries; a page without one is its own. */
export function versionOf(html: string): string {
  return (
    /<html\b[^>]*\bdata-version="?([\w-]{1,64})/.exec(html)?.[1] ??
    createHash("sha256").update(html, "latin1").digest("base64").slice(0, 16)
  );
}

/** Where a page shows its last update; its script fills the same place later. */
const LAST_RUN_SLOT = '<p id="fresh"></p>';

/** The page with the time of the last run in it, for readers without a script. `lastRun` in seconds since the epoch. */
export function withLastRun(html: string, lastRun: number | null, stale: boolean): string {
  const iso = lastRun === null ? null : isoMs(lastRun * 1000);
  if (iso === null) return html;
  const time = `<time datetime="${iso}">${iso.slice(0, 16).replace("T", " ")} UTC</time>`;
  const text = stale
    ? `<p id="fresh" class="stale">Last updated ${time}; this list may be out of date.</p>`
    : `<p id="fresh">Updated ${time}</p>`;
  return html.replace(LAST_RUN_SLOT, () => text);
}
