/** How it stands, for a person and for a program. */
import { clip } from "./clip.ts";
import type { Config } from "./config.ts";
import { sizeOf } from "./ipv4.ts";
import type { Decision } from "./model.ts";
import { SCHEMA_VERSION } from "./report.ts";

/** What is not in a decision. */
export interface Standing {
  readonly version: string;
  /** Docker's version. */
  readonly engine: string;
  /** When a run last ended well, and now; seconds since the epoch. */
  readonly lastRun: number | null;
  readonly now: number;
  /** What a run would mend; null when it could not be looked at. */
  readonly drift: readonly string[] | null;
}

/** The document of `status --json`. */
export function statusDocument(config: Config, decision: Decision, standing: Standing): object {
  return {
    schemaVersion: SCHEMA_VERSION,
    zone: config.zone,
    host: decision.hostIp,
    version: standing.version,
    docker: standing.engine,
    lastRun: standing.lastRun === null ? null : new Date(standing.lastRun * 1000).toISOString(),
    services: decision.services.length,
    skipped: decision.skipped,
    addresses: use(config, decision),
    drift: standing.drift,
  };
}

/** The same in lines. */
export function statusText(config: Config, decision: Decision, standing: Standing): string {
  const { drift, lastRun, now } = standing;
  const { size, used, rest, conflict } = use(config, decision);
  const rows: [string, string][] = [
    ["zone", `${config.zone}, host ${decision.hostIp}`],
    ["last run", lastRun === null ? "none that ended well" : `${ago(now - lastRun)} ago`],
    ["services", `${decision.services.length} served, ${decision.skipped.length} not`],
    ["addresses", `${used} of ${size} in use, ${rest} at rest, ${conflict} used by others`],
    [
      "drift",
      drift === null
        ? "unknown (that takes root)"
        : drift.length === 0
          ? "none"
          : `${drift.length} changes for the next run`,
    ],
    ["versions", `ocdd ${standing.version}, Docker ${clip(standing.engine)}`],
  ];
  const lines = rows.map(([name, text]) => `${name.padEnd(10)}  ${text}`);
  const list = (title: string, items: readonly string[]): string[] =>
    items.length === 0 ? [] : ["", `${title}:`, ...items.map((item) => `  ${item}`)];
  return [
    ...lines,
    ...list(
      "not served",
      decision.skipped.map((s) => `${clip(s.container)}: ${s.reason}`),
    ),
    ...list("drift", drift ?? []),
    "",
  ].join("\n");
}

function use(
  config: Config,
  decision: Decision,
): { size: number; used: number; rest: number; conflict: number } {
  const { leases, conflicts } = decision.desired.table;
  const used = leases.filter((lease) => lease.releasedAt === null).length;
  const size = config.pool.reduce((n, range) => n + sizeOf(range), 0);
  return { size, used, rest: leases.length - used, conflict: conflicts.length };
}

/** A duration as a person says it. */
function ago(seconds: number): string {
  if (seconds < 120) return `${seconds} s`;
  if (seconds < 7_200) return `${Math.round(seconds / 60)} min`;
  return seconds < 172_800 ? `${Math.round(seconds / 3_600)} h` : `${Math.round(seconds / 86_400)} days`;
}
