/** The files behind the server: followed, compressed once a change, and compared so that open pages learn what changed. */
import { createHash } from "node:crypto";
import { promisify } from "node:util";
import { gzip } from "node:zlib";
import { followFile } from "../follow-file.ts";
import type { News, Told } from "./events.ts";
import type { Body } from "./reply.ts";
import { changeOf, type Listing, policyOf, readListing, versionOf, withLastRun } from "./text.ts";

export interface PageFiles {
  readonly index: string;
  readonly services: string;
  readonly zone: string;
  readonly lastRun: string;
}

export interface Pages {
  /** What stands at a path; undefined where nothing does. */
  find(path: string): Promise<Body | undefined>;
  news(): News;
  close(): void;
}

/** Seconds after which a run is long ago, where the services file does not say. */
const STALE_AFTER = 900;
/** Milliseconds that the page waits for its services file, so that a change can be told by name. */
const PATIENCE = 60;
/** Octets below which compression is not worth a second representation. */
const WORTH_GZIP = 1_024;

type Source = keyof PageFiles;
type Log = (level: "info" | "warn" | "error", message: string) => void;

const PATHS: ReadonlyMap<string, readonly [Source, string]> = new Map([
  ["/", ["index", "text/html; charset=utf-8"]],
  ["/index.html", ["index", "text/html; charset=utf-8"]],
  ["/services.json", ["services", "application/json"]],
  ["/zone.txt", ["zone", "text/plain; charset=utf-8"]],
  ["/last-run", ["lastRun", "text/plain; charset=utf-8"]],
]);
const NO_ICON: Body = body(204, "image/svg+xml", Buffer.alloc(0), undefined);

/** Follows the files; resolves when each has been looked at once. `tell` hears of every change after that. */
export async function openPages(files: PageFiles, tell: (told: Told) => void, log: Log): Promise<Pages> {
  const texts = new Map<Source, string>();
  const kept = new Map<Source, { readonly key: string; readonly body: Promise<Body> }>();
  const revisions = new Map<Source, number>();
  let listing: Listing | undefined;
  let told: { version: string; listing: Listing | undefined } | undefined;
  let waiting: NodeJS.Timeout | undefined;

  const news = (): News => {
    const stamp = texts.get("lastRun")?.trim() ?? "";
    return {
      version: versionOf(texts.get("index") ?? ""),
      lastRun: /^\d{1,11}$/.test(stamp) ? Number(stamp) : null,
      staleAfter: listing?.staleAfter ?? STALE_AFTER,
    };
  };

  const tellChange = (): void => {
    clearTimeout(waiting);
    waiting = undefined;
    const now = news();
    if (told === undefined || told.version === now.version) return;
    tell({ kind: "change", data: { ...now, ...changeOf(told.listing, listing) } });
    told = { version: now.version, listing };
  };

  const seen = (source: Source, text: string | undefined): void => {
    revisions.set(source, (revisions.get(source) ?? 0) + 1);
    if (text === undefined) texts.delete(source);
    else texts.set(source, text);
    if (source === "services") listing = text === undefined ? undefined : readListing(text);
    if (told === undefined) return;
    if (source === "lastRun") tell({ kind: "run", data: news() });
    if (source === "index" || source === "services") {
      // the two files are renamed one after the other
      if (listing?.version === news().version) tellChange();
      else waiting ??= setTimeout(tellChange, PATIENCE);
    }
  };

  const sources = Object.keys(files) as Source[];
  const followers = sources.map((source) =>
    followFile(files[source], (found) => {
      if ("absent" in found && source === "index") log("warn", `${files.index} ${found.absent}`);
      seen(source, "octets" in found ? found.octets.toString("latin1") : undefined);
    }),
  );
  await Promise.all(followers.map((follower) => follower.looked));
  told = { version: news().version, listing };

  const make = async (source: Source, type: string, stale: boolean): Promise<Body> => {
    const text = texts.get(source);
    if (text === undefined) {
      const why = Buffer.from("this file is not there yet; `ocdd initialize` on the host writes it\n");
      return body(503, "text/plain; charset=utf-8", why, undefined);
    }
    if (source !== "index")
      return body(200, type, Buffer.from(text, "latin1"), undefined, await zipped(text));
    const whole = withLastRun(text, news().lastRun, stale);
    return body(200, type, Buffer.from(whole, "latin1"), policyOf(whole), await zipped(whole));
  };

  return {
    news,
    find(path) {
      if (path === "/favicon.ico") return Promise.resolve(NO_ICON);
      const [source, type] = PATHS.get(path) ?? [];
      if (source === undefined || type === undefined) return Promise.resolve(undefined);
      const { lastRun, staleAfter } = news();
      const stale = lastRun !== null && Date.now() / 1000 - lastRun > staleAfter;
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
  return text.length < WORTH_GZIP ? undefined : compress(Buffer.from(text, "latin1"), { level: 6 });
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
