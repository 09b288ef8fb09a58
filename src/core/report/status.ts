/** The overview that `ocdd status` prints, as text and as JSON. */

import type { Ipv4 } from "../addresses/ipv4.ts";
import { addressUse } from "../addresses/use.ts";
import { clip } from "../clip.ts";
import type { Config } from "../config/config.ts";
import type { HostError } from "../errors.ts";
import type { AddressUse, Decision, LeaseTable, Service } from "../model.ts";
import { isoMs } from "../moment.ts";
import { agoText, counted } from "../text.ts";
import { checkRows, checksDocument, failingLines } from "./checks.ts";
import { type Paint, PLAIN } from "./paint.ts";
import { SCHEMA_VERSION } from "./report.ts";
import {
  driftRow,
  guardRow,
  LONG,
  NO_UNITS,
  type Row,
  type ServerAnswers,
  type Starts,
  serverRows,
  WRITE_UNITS,
  watchRows,
} from "./status-rows.ts";
import { type Usage, usageLines } from "./usage.ts";
import type { WatchStats } from "./watch-stats.ts";

export type { ServerAnswers } from "./status-rows.ts";

/** What is known; null for what is not. Times are seconds since the epoch. */
export interface StatusReport {
  readonly version: string;
  /** Docker's version. */
  readonly engine: string | null;
  /** Time of the last successful run, and now. */
  readonly lastRun: number | null;
  /** False where neither `initialize` nor a run has been on this host: then that alone is to be done. */
  readonly setUp: boolean;
  /** Systemd is to start `watch` and `serve`, and its units are not on the host: then that is to be done first. */
  readonly unstarted: boolean;
  readonly now: number;
  readonly hostIp: Ipv4 | null;
  readonly table: LeaseTable;
  /** Aliases on the device. */
  readonly inForce: number;
  /** What the containers ask for. */
  readonly decision: Decision | null;
  /** What a run would change; null also where it is refused. */
  readonly drift: readonly string[] | null;
  /** Why there is no next run, with what helps; null where there is one. */
  readonly refused: HostError | null;
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
  /** Whether it runs; null where that is not known. */
  readonly watching: boolean | null;
  readonly starts: Starts;
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
      refused: stats.refused && { ...stats.refused, at: time(stats.refused.at) },
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
export function statusText(config: Config, report: StatusReport, paint: Paint = PLAIN): string {
  const { decision, drift, lastRun, now, trouble, stats } = report;
  const { size, used, held, conflict, free, inForce } = use(config, report);
  const rows: Row[] = [
    ["zone", `${config.zone}, host ${report.hostIp ?? "unknown"}`],
    lastRun === null ? neverRow(report.setUp) : [LAST_RUN, agoText(lastRun, now)],
    ...(report.setUp && report.unstarted ? [[SET_UP, NO_UNITS, "bad", WRITE_UNITS] as const] : []),
    ...watchRows(stats, report.watching, now, report.starts),
    ...serverRows(report.server, report.starts),
    [
      "services",
      decision === null
        ? `unknown: ${clip(trouble ?? "", LONG)}`
        : `${decision.services.length} served, ${decision.skipped.length} skipped`,
      decision === null ? "bad" : undefined,
      report.remedy ?? undefined,
    ],
    ...(decision === null ? [] : sleepRows(decision, report.wakes, report.starts)),
    ...(decision === null ? [] : checkRows(decision)),
    [
      "addresses",
      `${used} of ${size} in use, ${held} on hold, ${counted(conflict, "conflict")}, ${free} free; ${inForce} on the device`,
    ],
    driftRow(drift, report.refused, decision === null),
    guardRow(report.unguarded),
    ["versions", `ocdd ${report.version}, Docker ${clip(report.engine ?? "unknown")}`],
  ];
  // where one is to be done first the others do not help
  const first = !report.setUp ? LAST_RUN : report.unstarted ? SET_UP : null;
  const lines = rows.flatMap(([title, text, tone, remedy]) => [
    `${title.padEnd(11)}  ${tone === undefined ? text : paint(text, tone)}`,
    ...(remedy === undefined || (first !== null && title !== first)
      ? []
      : [`${"".padEnd(11)}  remedy: ${clip(remedy, LONG)}`]),
  ]);
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

const LAST_RUN = "last run";
const SET_UP = "set-up";

const neverRow = (setUp: boolean): Row =>
  setUp
    ? [LAST_RUN, "never succeeded", "bad", "`ocdd` runs now and says what is wrong"]
    : [LAST_RUN, "never: OCDD has not been set up on this host", "bad", "run `ocdd initialize`"];

const asleepIn = ({ services }: Decision): readonly Service[] =>
  services.filter(({ state }) => state === "asleep");

/** Services whose last start has failed, and why. */
const failedIn = ({ services }: Decision): { readonly name: string; readonly reason: string }[] =>
  services.flatMap(({ name, failure }) =>
    failure === undefined ? [] : [{ name, reason: clip(failure, LONG) }],
  );

/** No row where no service sleeps. */
function sleepRows(decision: Decision, wakes: boolean | null, { watch }: Starts): Row[] {
  const asleep = asleepIn(decision).length;
  const failed = failedIn(decision).length;
  if (asleep + failed === 0) return [];
  const not = failed === 0 ? "" : `, ${failed} could not be started`;
  const row: Row =
    failed > 0
      ? [
          "asleep",
          `${counted(asleep, "service")}${not}`,
          "bad",
          "`ocdd wake NAME` tries again; the reasons are below",
        ]
      : ["asleep", counted(asleep, "service")];
  return wakes === false
    ? [row, ["visits", "start no service and are refused: `ocdd watch` does not run", "bad", watch]]
    : [row];
}

/** From the leases where Docker does not answer. */
function use(
  config: Config,
  { table, inForce, decision, hostIp, now }: StatusReport,
): AddressUse & { inForce: number } {
  const reserved = new Set<Ipv4>(hostIp === null ? [] : [hostIp]);
  const input = { pool: config.pool, table, reserved, hold: config.addressHold, now };
  return { ...(decision?.range ?? addressUse(input)), inForce };
}

const time = (seconds: number | null): string | null => (seconds === null ? null : isoMs(seconds * 1000));
