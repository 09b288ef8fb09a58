/** The files behind the server: followed, compressed once a change, and compared so that open pages receive what changed. */
import { createHash } from "node:crypto";
import { promisify } from "node:util";
import { gzip } from "node:zlib";
import { isNear } from "../../core/moment.ts";
import { policyOf } from "../../daemon/http-headers.ts";
import type { Say } from "../../daemon/log.ts";
import { followFile } from "../follow-file.ts";
import type { PageEvent, PageState } from "./events.ts";
import type { ServiceUrls } from "./redirect.ts";
import type { Body } from "./reply.ts";
import { changeOf, type Listing, readListing, versionOf, withLastRun } from "./text.ts";

export interface PageFiles {
  readonly index: string;
  readonly services: string;
  readonly zone: string;
  readonly lastRun: string;
}

export interface Pages {
  /** The body at a path; undefined where there is none. */
  find(path: string): Promise<Body | undefined>;
  state(): PageState;
  /** Where the services on the page are. */
  urls(): ServiceUrls;
  close(): void;
}

/** Seconds after which a run is stale, where the services file has no value. */
const STALE_AFTER_S = 900;
/** Milliseconds that a change of the page waits for its services file, whose differences name the services. */
const SERVICES_WAIT_MS = 60;
/** Octets below which compression is not worth a second representation. */
const MIN_GZIP_OCTETS = 1_024;

type Source = keyof PageFiles;

const PATHS: ReadonlyMap<string, readonly [Source, string]> = new Map([
  ["/", ["index", "text/html; charset=utf-8"]],
  ["/index.html", ["index", "text/html; charset=utf-8"]],
  ["/services.json", ["services", "application/json"]],
  ["/zone.txt", ["zone", "text/plain; charset=utf-8"]],
  ["/last-run", ["lastRun", "text/plain; charset=utf-8"]],
]);
const NO_URLS: ServiceUrls = new Map();
const NO_ICON: Body = body(204, "image/svg+xml", Buffer.alloc(0), undefined);

/** Follows the files; resolves when each has been read once. Every change after that is broadcast. */
export async function openPages(
  files: PageFiles,
  broadcast: (event: PageEvent) => void,
  log: Say,
): Promise<Pages> {
  const texts = new Map<Source, string>();
  const kept = new Map<Source, { readonly key: string; readonly body: Promise<Body> }>();
  const revisions = new Map<Source, number>();
  let listing: Listing | undefined;
  let sent: { version: string; listing: Listing | undefined } | undefined;
  let waiting: NodeJS.Timeout | undefined;

  const state = (): PageState => {
    const stamp = texts.get("lastRun")?.trim() ?? "";
    return {
      version: versionOf(texts.get("index") ?? ""),
      lastRun: /^\d{1,11}$/.test(stamp) ? Number(stamp) : null,
      staleAfter: listing?.staleAfter ?? STALE_AFTER_S,
    };
  };

  const broadcastChange = (): void => {
    clearTimeout(waiting);
    waiting = undefined;
    const now = state();
    if (sent === undefined || sent.version === now.version) return;
    broadcast({ kind: "change", data: { ...now, ...changeOf(sent.listing, listing) } });
    sent = { version: now.version, listing };
  };

  const seen = (source: Source, text: string | undefined): void => {
    revisions.set(source, (revisions.get(source) ?? 0) + 1);
    if (text === undefined) texts.delete(source);
    else texts.set(source, text);
    if (source === "services") listing = text === undefined ? undefined : readListing(text);
    if (sent === undefined) return;
    if (source === "lastRun") broadcast({ kind: "run", data: state() });
    if (source === "index" || source === "services") {
      // the two files are renamed one after the other
      if (listing?.version === state().version) broadcastChange();
      else waiting ??= setTimeout(broadcastChange, SERVICES_WAIT_MS);
    }
  };

  const sources = Object.keys(files) as Source[];
  const followers = sources.map((source) =>
    followFile(files[source], (found) => {
      if ("absent" in found && source === "index") log("warning", `${files.index} ${found.absent}`);
      seen(source, "octets" in found ? found.octets.toString("latin1") : undefined);
    }),
  );
  await Promise.all(followers.map((follower) => follower.looked));
  sent = { version: state().version, listing };

  const make = async (source: Source, type: string, stale: boolean): Promise<Body> => {
    const text = texts.get(source);
    if (text === undefined) {
      const why = Buffer.from("this file is not there yet; `ocdd initialize` on the host writes it\n");
      return body(503, "text/plain; charset=utf-8", why, undefined);
    }
    if (source !== "index")
      return body(200, type, Buffer.from(text, "latin1"), undefined, await zipped(text));
    const whole = withLastRun(text, state().lastRun, stale);
    return body(200, type, Buffer.from(whole, "latin1"), policyOf(whole), await zipped(whole));
  };

  return {
    state,
    urls: () => listing?.urls ?? NO_URLS,
    find(path) {
      if (path === "/favicon.ico") return Promise.resolve(NO_ICON);
      const [source, type] = PATHS.get(path) ?? [];
      if (source === undefined || type === undefined) return Promise.resolve(undefined);
      const { lastRun, staleAfter } = state();
      const stale = lastRun !== null && !isNear(lastRun, Date.now() / 1000, staleAfter);
      const key = `${revisions.get(source)} ${source === "index" ? `${lastRun} ${stale}` : ""}`;
      const known = kept.get(source);
      if (known?.key === key) return known.body;
      const made = make(source, type, stale);
      kept.set(source, { key, body: made });
      return made;
    },
    close() {
      clearTimeout(waiting);
      for (const follower of followers) follower.close();
    },
  };
}

const compress = promisify(gzip);

async function zipped(text: string): Promise<Buffer | undefined> {
  return text.length < MIN_GZIP_OCTETS ? undefined : compress(Buffer.from(text, "latin1"), { level: 6 });
}

function body(
  status: Body["status"],
  type: string,
  octets: Buffer,
  policy: string | undefined,
  zip: Buffer | undefined = undefined,
): Body {
  const tag = createHash("sha256").update(octets).digest("base64url").slice(0, 22);
  return { status, type, octets, gzip: zip, tag, policy };
}
