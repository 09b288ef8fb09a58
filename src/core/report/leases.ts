/** The leases of addresses, as text and as JSON. */
import { compareIpv4, type Ipv4 } from "../addresses/ipv4.ts";
import { CONFLICT_RETRY, conflictsNow, isHeld } from "../addresses/lease.ts";
import { clip } from "../clip.ts";
import type { Lease, Observation } from "../model.ts";
import { iso } from "../moment.ts";
import { columns } from "./columns.ts";
import { type Paint, PLAIN } from "./paint.ts";
import { SCHEMA_VERSION } from "./report.ts";

/** What an address is used for. Times are seconds since the epoch. */
export interface LeaseRow {
  readonly address: Ipv4;
  /** Its names, the service's own first. */
  readonly names: readonly string[];
  /** The key that the lease belongs to; null where it is not known. */
  readonly owner: string | null;
  /** `free`: the hold is over, and the owner gets it again unless another container has needed it. */
  readonly state: "used" | "held" | "free" | "conflict";
  /** Used: since when its container runs, where that is known. Held and free: when it was released. Conflict: when it was noted. */
  readonly since: number | null;
  /** Held: when another container may get it. Conflict: when it is tried again. */
  readonly until: number | null;
  /** Another machine on the network uses it as well. */
  readonly conflict: boolean;
}

/** One row an address, in the order of addresses; `hold` is in seconds, `now` in seconds since the epoch. */
export function leaseRows(
  { table, history }: Pick<Observation["actual"], "table" | "history">,
  hold: number,
  now: number,
): LeaseRow[] {
  const conflicts = new Map(conflictsNow(table, now).map(({ address, seenAt }) => [address, seenAt]));
  const leased = table.leases.map((lease): LeaseRow => {
    const { address, names, key, releasedAt } = lease;
    const held = releasedAt !== null && isHeld(lease, now, hold);
    return {
      address,
      names,
      owner: key === "" ? null : key,
      state: releasedAt === null ? "used" : held ? "held" : "free",
      since: releasedAt ?? runsSince(lease, history),
      until: held ? releasedAt + hold : null,
      conflict: conflicts.has(address),
    };
  });
  const known = new Set(table.leases.map(({ address }) => address));
  const foreign = [...conflicts].flatMap(([address, seenAt]): LeaseRow[] =>
    known.has(address)
      ? []
      : [
          {
            ...{ address, names: [], owner: null, state: "conflict" },
            ...{ since: seenAt, until: seenAt + CONFLICT_RETRY, conflict: true },
          },
        ],
  );
  return [...leased, ...foreign].sort((a, b) => compareIpv4(a.address, b.address));
}

/** As the page shows it. */
function runsSince({ names, container }: Lease, history: Observation["actual"]["history"]): number | null {
  const was = history.get(names[0] ?? "");
  return was !== undefined && container.startsWith(was.containerId) ? was.since : null;
}

const STATES = { used: "in use", held: "on hold", free: "free", conflict: "conflict" } as const;

/** `in use`, `on hold`, `free`, `conflict`, `in use, conflict`. */
export const leaseState = ({ state, conflict }: LeaseRow): string =>
  conflict && state !== "conflict" ? `${STATES[state]}, conflict` : STATES[state];

/** One address a line, in columns; times are UTC. */
export function leasesText(rows: readonly LeaseRow[], paint: Paint = PLAIN): string {
  const cells = rows.map((row) => [
    row.address,
    row.names[0] ?? "-",
    clip(row.owner ?? "-"),
    leaseState(row),
    iso(row.since) ?? "-",
    iso(row.until) ?? "-",
  ]);
  return columns(["ADDRESS", "NAME", "OWNER", "STATE", "SINCE", "UNTIL"], cells, (cell, title) =>
    title === "STATE" && cell.endsWith("conflict") ? paint(cell, "bad") : cell,
  );
}

/** One lease in the documents of `leases --json` and `show --json`. */
export const leaseDocument = ({
  address,
  names,
  owner,
  state,
  since,
  until,
  conflict,
}: LeaseRow): object => ({
  address,
  name: names[0] ?? null,
  names,
  owner,
  state,
  since: iso(since),
  until: iso(until),
  conflict,
});

/** The document of `leases --json`. */
export const leasesDocument = (rows: readonly LeaseRow[]): object => ({
  schemaVersion: SCHEMA_VERSION,
  leases: rows.map(leaseDocument),
});
