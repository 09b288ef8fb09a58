/** The served zone: loaded from its file at every change, with a journal of changes for IXFR. */
import { createHash, randomInt } from "node:crypto";
import { clip } from "../../core/clip.ts";
import type { Say } from "../../daemon/log.ts";
import { serialAfter } from "../../dns/message/transfer.ts";
import { parseZoneFile, type ZoneRecords } from "../../dns/text/zonefile.ts";
import type { ZoneProblem } from "../../dns/text/zonefile-meaning.ts";
import { parseName, type WireName } from "../../dns/wire/name.ts";
import type { Served } from "../../dns/zone/authority.ts";
import { type Compiled, compileZone } from "../../dns/zone/compile.ts";
import { type Change, changeBetween } from "../../dns/zone/journal.ts";
import { type Patched, patchZone } from "../../dns/zone/patch.ts";
import { serialOf, type Zone } from "../../dns/zone/zone.ts";
import { collectAfter } from "../collect.ts";
import { type FollowedFile, type Found, followFile } from "../follow-file.ts";

/** Changes kept for IXFR, and records in them all: older secondaries take the whole zone. */
const MAX_CHANGES = 128;
const MAX_CHANGED_RECORDS = 20_000;

/** Milliseconds after which the old version is released. */
const COLLECT_DELAY_MS = 50;

/** How the reading of a zone file went. */
export interface ZoneLoads {
  /** The file as it is now is served. */
  readonly ok: boolean;
  /** Versions that could not be served, and times at which there was no file that can be read. */
  readonly failures: number;
}

/** A zone that follows its file. */
export interface ZoneLoader {
  served(): Served;
  /** How the reading of its file went. */
  loads(): ZoneLoads;
  /** Read the file now, and follow it from then on. */
  follow(): void;
  close(): void;
}

/** Characters of one problem in the log: five of them leave room for what follows from them. */
const PROBLEM_LENGTH = 600;

function located(path: string, problems: readonly ZoneProblem[]): string {
  const first = problems
    .slice(0, 5)
    .map(({ line, message }) => `${path}:${line}: ${clip(message, PROBLEM_LENGTH)}`);
  const more = problems.length - first.length;
  return [...first, ...(more > 0 ? [`and ${more} more`] : [])].join("; ");
}

const NOTHING_WRONG = { errors: [], warnings: [] } as const;

/** Records of a change, which may hold thousands in one RRset. */
function recordsIn({ removed, added }: Change): number {
  const count = (sets: Change["added"]): number => sets.reduce((n, { set }) => n + set.rdata.length, 0);
  return count(removed) + count(added);
}

/**
 * Changes so far with the newest one, cut to what is kept; an unrisen serial ends the journal. `names` are the owners that
 * differ, where they are known.
 */
export function extended(
  history: readonly Change[],
  old: Zone,
  next: Zone,
  names?: readonly WireName[],
): readonly Change[] {
  if (!serialAfter(serialOf(next), serialOf(old))) return [];
  const all = [...history, changeBetween(old, next, names)].slice(-MAX_CHANGES);
  let records = 0;
  let first = all.length;
  while (first > 0 && records + recordsIn(all[first - 1] as Change) <= MAX_CHANGED_RECORDS)
    records += recordsIn(all[--first] as Change);
  return all.slice(first);
}

/** Called for each new version. */
export interface ZoneEvents {
  /** Answer from it. */
  changed(): void;
  /** Its journal is complete too: secondaries can be notified. */
  settled(served: Served): void;
}

/**
 * Serve a zone from its file: every version is compiled and served. What it has to leave out is logged once as
 * file:line; a version without a usable SOA is not served, and the last one stays.
 */
export function zoneLoader(origin: string, path: string, log: Say, on: ZoneEvents): ZoneLoader {
  let served: Served = { origin: parseName(origin.endsWith(".") ? origin : `${origin}.`), zone: undefined };
  const seed = randomInt(2 ** 31);
  /** The records of what is served, when none of them was left out or changed: the next version may be a patch of it. */
  let plain: ZoneRecords | undefined;
  let digest = "";
  let good = "";
  /** The problems logged for the previous version: one that stays is not logged again. */
  let known: ReadonlySet<string> = new Set();
  let loads: ZoneLoads = { ok: false, failures: 0 };
  const failed = (message: string, level: "warning" | "error" = "error"): void => {
    loads = { ok: false, failures: loads.failures + 1 };
    log(level, message);
  };
  const seen = (found: Found) => {
    const old = served.zone;
    const kept =
      old === undefined ? "nothing is served until it is valid" : `serial ${serialOf(old)} is still served`;
    if ("absent" in found) {
      failed(`zone ${origin}: ${path} ${found.absent}; ${kept}`, old === undefined ? "warning" : "error");
      return;
    }
    const now = createHash("sha1").update(found.octets).digest("hex");
    loads = { ...loads, ok: now === good };
    if (now === digest) return;
    digest = now;
    if (now === good) {
      log("info", `zone ${origin}: ${path} has again the content that is served`);
      return;
    }
    const records = parseZoneFile(found.octets.toString("latin1"), origin);
    let patched: Patched | undefined;
    let compiled: Compiled;
    try {
      if (old !== undefined && plain !== undefined && records.problems.length === 0)
        patched = patchZone(old, plain, records);
      compiled =
        patched === undefined ? compileZone(records, origin, seed) : { ...patched, ...NOTHING_WRONG };
    } catch (error) {
      // an invalid file never ends the server
      failed(`${path}: cannot be compiled (${error}); ${kept}`);
      return;
    }
    const { zone, errors, warnings } = compiled;
    const fresh = warnings.filter(({ message }) => !known.has(message));
    known = new Set(warnings.map(({ message }) => message));
    if (fresh.length > 0) log("warning", located(path, fresh));
    if (zone === undefined) {
      failed(`${located(path, errors)}; ${kept}`);
      return;
    }
    if (old !== undefined && !serialAfter(serialOf(zone), serialOf(old))) {
      log(
        "warning",
        `zone ${origin}: serial ${serialOf(zone)} is not after ${serialOf(old)}, secondaries will not see this change`,
      );
    }
    good = now;
    loads = { ...loads, ok: true };
    plain = warnings.length === 0 ? records : undefined;
    // Queries first: the journal and the secondaries follow when they are answered from the new version.
    const history = served.history ?? [];
    served = { ...served, zone, history: [] };
    on.changed();
    if (old === undefined) log("info", `zone ${origin}: serial ${serialOf(zone)} is served from ${path}`);
    else served = { ...served, history: extended(history, old, zone, patched?.owners) };
    on.settled(served);
    // Not in this turn: the stack still holds the old version.
    setTimeout(collectAfter, COLLECT_DELAY_MS, zone.buffer.byteLength).unref();
  };
  let source: FollowedFile | undefined;
  return {
    served: () => served,
    loads: () => loads,
    follow() {
      source ??= followFile(path, seen);
    },
    close: () => source?.close(),
  };
}
