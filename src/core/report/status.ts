/** The overview that `ocdd status` prints, as text and as JSON. */

import type { Ipv4 } from "../addresses/ipv4.ts";
import { addressUse } from "../addresses/use.ts";
import { clip } from "../clip.ts";
import type { Config } from "../config/config.ts";
import type { AddressUse, Decision, LeaseTable, Service } from "../model.ts";
import { age, counted } from "../text.ts";
import { checkRows, checksDocument, failingLines } from "./checks.ts";
import { SCHEMA_VERSION } from "./report.ts";
import { type Usage, usageLines } from "./usage.ts";
import type { WatchStats } from "./watch-stats.ts";

/** Whether the two servers answer: while the UDP thread answers DNS, the page may not answer. */
export interface ServerAnswers {
  readonly dns: boolean;
  /** Null: there is no page (WEB_ENABLED=0). */
  readonly web: boolean | null;
  /** Those of the two that answer, but with something else than OCDD's files hold: they count as not answering. */
  readonly other?: readonly ("dns" | "web")[];
}

/** What is known; null for what is not. Times are seconds since the epoch. */
export interface StatusReport {
  readonly version: string;
  /** Docker's version. */
  readonly engine: string | null;
  /** Time of the last successful run, and now. */
  readonly lastRun: number | null;
  readonly now: number;
  readonly hostIp: Ipv4 | null;
  readonly table: LeaseTable;
  /** Aliases on the device. */
  readonly inForce: number;
  /** What the containers ask for. */
  readonly decision: Decision | null;
  /** What a run would change. */
  readonly drift: readonly string[] | null;
  /** Why the guard cannot be in force; null when it can, undefined when that is not known. */
  readonly unguarded: string | null | undefined;
  /** Why Docker's containers are not known, and what to do about it. */
  readonly trouble: string | null;
  readonly remedy: string | null;
  /** Whether `ocdd serve` answers; undefined when it was not asked. */
  readonly server?: ServerAnswers | undefined;
  /** Whether a visit can start a service that is asleep: a process reads the queue. Null where that is not known. */
  readonly wakes: boolean | null;
  /** What `watch` has recorded. */
  readonly stats: WatchStats | null;
  /** Whether the process that has recorded it still runs; null where that is not known. */
  readonly watching: boolean | null;
  /** What the services use; absent where it was not asked for. */
  readonly usage?: readonly Usage[];
}

/** The document of `status --json`. */
export function statusDocument(config: Config, report: StatusReport): object {
  const { decision, stats } = report;
  return {
    schemaVersion: SCHEMA_VERSION,
    zone: config.zone,
    host: report.hostIp,
    version: report.version,
    docker: report.engine,
    error: report.trouble,
    lastRun: time(report.lastRun),
    services: decision?.services.length ?? null,
    skipped: decision?.skipped ?? null,
    asleep: decision === null ? null : asleepIn(decision).length,
    failed: decision === null ? null : failedIn(decision),
    wakes: report.wakes,
    checks: decision === null ? null : checksDocument(decision),
    addresses: addressesDocument(config, report),
    drift: report.drift,
    ...(report.usage === undefined ? {} : { stats: report.usage.map(usageDocument) }),
    guarded: report.unguarded === undefined ? null : report.unguarded === null,
    server: report.server ?? null,
    watch: stats && {
      running: report.watching,
      since: time(stats.since),
      changes: stats.changes,
      repaired: stats.repaired,
      lastRepair: time(stats.lastRepair),
      lastError: stats.lastError && { ...stats.lastError, at: time(stats.lastError.at) },
    },
  };
}

const usageDocument = ({ name, address, cpuPercent, memory, memoryLimit }: Usage): object => ({
  name,
  address,
  cpuPercent,
  memoryBytes: memory,
  memoryLimitBytes: memoryLimit,
});

function addressesDocument(config: Config, report: StatusReport): object {
  const { size, used, held, conflict, reserved, free, inForce } = use(config, report);
  // `rest` is the name of `held` in the first version
  return { size, used, rest: held, held, conflict, reserved, free, inForce };
}

/** The same in lines. */
export function statusText(config: Config, report: StatusReport): string {
  const { decision, drift, lastRun, now, trouble, stats } = report;
  const { size, used, held, conflict, free, inForce } = use(config, report);
  const rows: [string, string][] = [
    ["zone", `${config.zone}, host ${report.hostIp ?? "unknown"}`],
    ["last run", lastRun === null ? "never succeeded" : `${age(now - lastRun)} ago`],
    ...(stats === null ? [] : watchRows(stats, report.watching, now)),
    ...(report.server === undefined ? [] : [serverRow(report.server)]),
    [
      "services",
      decision === null
        ? `unknown: ${clip(trouble ?? "", LONG)}`
        : `${decision.services.length} served, ${decision.skipped.length} skipped`,
    ],
    ...(decision === null ? [] : sleepRows(decision, report.wakes)),
    ...(decision === null ? [] : checkRows(decision)),
    [
      "addresses",
      `${used} of ${size} in use, ${held} on hold, ${counted(conflict, "conflict")}, ${free} free; ${inForce} on the device`,
    ],
    [
      "drift",
      drift === null
        ? decision === null
          ? "unknown (Docker is down; rules stay in place)"
          : "unknown (needs root)"
        : drift.length === 0
          ? "none"
          : `${counted(drift.length, "change")} for the next run`,
    ],
    ...(typeof report.unguarded === "string"
      ? [["guard", `not guarded: ${clip(report.unguarded, LONG)}`] as [string, string]]
      : []),
    ["versions", `ocdd ${report.version}, Docker ${clip(report.engine ?? "unknown")}`],
  ];
  const lines = rows.map(([name, text]) => `${name.padEnd(10)}  ${text}`);
  const list = (title: string, items: readonly string[]): string[] =>
    items.length === 0 ? [] : ["", `${title}:`, ...items.map((item) => `  ${item}`)];
  return [
    ...lines,
    ...list(
      "skipped",
      (decision?.skipped ?? []).map((s) => `${clip(s.container)}: ${s.reason}`),
    ),
    ...list(
      "not started",
      (decision === null ? [] : failedIn(decision)).map(({ name, reason }) => `${name}: ${reason}`),
    ),
    ...list("failing", decision === null ? [] : failingLines(decision)),
    ...list("drift", drift ?? []),
    ...list("stats", usageLines(report.usage ?? [])),
    "",
  ].join("\n");
}

const asleepIn = ({ services }: Decision): readonly Service[] =>
  services.filter(({ state }) => state === "asleep");

/** Services whose last start has failed, and why. */
const failedIn = ({ services }: Decision): { readonly name: string; readonly reason: string }[] =>
  services.flatMap(({ name, failure }) =>
    failure === undefined ? [] : [{ name, reason: clip(failure, LONG) }],
  );

/** No row where no service sleeps. */
function sleepRows(decision: Decision, wakes: boolean | null): [string, string][] {
  const asleep = asleepIn(decision).length;
  const failed = failedIn(decision).length;
  if (asleep + failed === 0) return [];
  const not = failed === 0 ? "" : `, ${failed} could not be started`;
  const row: [string, string] = ["asleep", `${counted(asleep, "service")}${not}`];
  return wakes === false
    ? [row, ["visits", "start no service and are refused: `ocdd watch` does not run"]]
    : [row];
}

/** Characters of an error's message. */
const LONG = 200;

function watchRows(stats: WatchStats, watching: boolean | null, now: number): [string, string][] {
  const { since, changes, repaired, lastRepair, lastError } = stats;
  const when = lastRepair === null ? "" : `, the last ${age(now - lastRepair)} ago`;
  return [
    [
      "watch",
      `${watching === false ? "does not run; before it ended: " : ""}${counted(changes, "change")} in ${age(now - since)}, ${counted(repaired, "repair")}${when}`,
    ],
    ...(lastError === null
      ? []
      : [
          [
            "last error",
            `${age(now - lastError.at)} ago${lastError.over ? ", recovered since" : ""}: ${clip(lastError.message, LONG)}`,
          ] as [string, string],
        ]),
  ];
}

function serverRow({ dns, web, other = [] }: ServerAnswers): [string, string] {
  const verb = (which: "dns" | "web", answers: boolean): string => {
    if (answers) return "answers";
    return other.includes(which) ? "is not OCDD's, or out of date: see `ocdd doctor`" : "does not answer";
  };
  const page = web === null ? "" : `, page ${verb("web", web)}`;
  return ["server", `name server ${verb("dns", dns)}${page}`];
}

/** From the leases where Docker does not answer. */
function use(
  config: Config,
  { table, inForce, decision, hostIp, now }: StatusReport,
): AddressUse & { inForce: number } {
  const reserved = (address: Ipv4): boolean => address === hostIp;
  const input = { pool: config.pool, table, reserved, hold: config.addressHold, now };
  return { ...(decision?.range ?? addressUse(input)), inForce };
}

const time = (seconds: number | null): string | null =>
  seconds === null ? null : new Date(seconds * 1000).toISOString();
