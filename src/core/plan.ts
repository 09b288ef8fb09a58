/** (actual, desired) → Plan: the smallest set of steps, in an order a client can trust. Empty when they agree. */

import type { Ipv4 } from "./addresses/ipv4.ts";
import { forwardOf, renderTransaction, sameJump, sameRules } from "./forwards/firewall.ts";
import { TABLES } from "./forwards/rules.ts";
import type { DeviceAddress, Firewall, Lease, LeaseTable, State, TableName } from "./model.ts";
import { type OwnRecord, ownRecords } from "./zone/records.ts";
import { numberedAfter, serialOf, withdraw } from "./zone/withdraw.ts";

/** Steps in the order of their application. Each is idempotent; a run cut off anywhere is completed by the next one. */
export interface Plan {
  /** One line a change, for people. */
  readonly changes: readonly string[];
  readonly table: LeaseTable | null;
  /** True when the table says of an address whose it is, and the disk does not: it is written before that is used. */
  readonly tableFirst: boolean;
  /** A zone file that only takes names away: before the addresses they point at go. */
  readonly withdrawal: string | null;
  readonly removed: readonly DeviceAddress[];
  /**
   * True when an alias without its rule is refused by the host all the while, since OCDD-INPUT stays as it is: then
   * aliases and rules may go in any order, and need not wait for each other.
   */
  readonly guarded: boolean;
  /** iptables-restore input a table: the accept before the redirection. */
  readonly tables: readonly { readonly table: TableName; readonly text: string }[];
  /** After their rules: an alias without its rule would expose the host itself. */
  readonly added: readonly DeviceAddress[];
  readonly hairpinsOn: readonly string[];
  readonly hairpinsOff: readonly string[];
  /** Aliases whose tracked connections lead to somebody else than the rules do now. */
  readonly flushed: readonly Ipv4[];
  readonly announced: readonly Ipv4[];
  readonly zone: string | null;
  /** Before the page: who is told of a new page can compare the services at once. */
  readonly services: string | null;
  readonly page: string | null;
}

/** Compares the host as it is with what it shall be. `zoneName` is the zone's name. */
export function plan(actual: State, desired: State, zoneName: string): Plan {
  const key = (a: DeviceAddress): string => `${a.device} ${a.address}`;
  const here = new Set(actual.aliases.map(key));
  const wanted = new Set(desired.aliases.map(key));
  const added = desired.aliases.filter((a) => !here.has(key(a)));
  const removed = actual.aliases.filter((a) => !wanted.has(key(a)));
  const tables = TABLES.map((table) => ({
    table,
    text: renderTransaction(table, actual.firewall, desired.firewall),
  })).filter(({ text }) => text !== "");
  const hairpinsOn = desired.hairpins.filter((port) => !actual.hairpins.includes(port));
  const mine = new Set(actual.table.hairpins);
  const hairpinsOff = actual.hairpins.filter(
    (port) => mine.has(port) && !desired.table.hairpins.includes(port),
  );
  const zoneChanged = desired.zone !== actual.zone;
  const before = zoneChanged && actual.zone !== "" ? ownRecords(actual.zone, zoneName) : [];
  const after = zoneChanged ? ownRecords(desired.zone, zoneName) : [];
  const withdrawal =
    removed.length > 0 && added.length > 0 ? withdraw(actual.zone, before, after, zoneName) : null;
  const same = withdrawal === null || withdrawal === desired.zone;
  const zone = same ? desired.zone : numberedAfter(desired.zone, serialOf(withdrawal));
  const tableChanged = JSON.stringify(actual.table) !== JSON.stringify(desired.table);
  const leases = leaseChanges(actual.table, desired.table);
  return {
    changes: [
      ...(tableChanged && leases.length === 0 ? ["~ leases file"] : leases),
      ...firewallChanges(actual.firewall, desired.firewall),
      ...added.map((a) => `+ address ${a.address}`),
      ...removed.map((a) => `- address ${a.address}`),
      ...hairpinsOn.map((port) => `+ hairpin ${port}`),
      ...hairpinsOff.map((port) => `- hairpin ${port}`),
      ...recordChanges(before, after),
      ...(zoneChanged ? [`~ zone file, serial ${serialOf(zone)}`] : []),
      ...(desired.page === actual.page && desired.services === actual.services ? [] : ["~ index page"]),
    ],
    table: tableChanged ? desired.table : null,
    tableFirst: givesAddresses(actual.table, desired.table),
    withdrawal: zoneChanged && added.length === 0 && removed.length > 0 ? desired.zone : withdrawal,
    removed,
    guarded:
      desired.firewall.chains.has("filter/OCDD-INPUT") && !tables.some(({ table }) => table === "filter"),
    tables,
    added,
    hairpinsOn,
    hairpinsOff,
    flushed: changedHands(actual.firewall, desired.firewall),
    announced: added.map((a) => a.address),
    zone: zoneChanged ? zone : null,
    services: desired.services === actual.services ? null : desired.services,
    page: desired.page === actual.page ? null : desired.page,
  };
}

/** True when nothing is to be done. */
export function isEmpty(p: Plan): boolean {
  return p.changes.length === 0 && p.table === null;
}

/** Does somebody live at an address that was not his, living or at rest? What else changes can be told afterwards. */
function givesAddresses(actual: LeaseTable, desired: LeaseTable): boolean {
  const owners = new Map(actual.leases.map((lease) => [lease.address, lease.key]));
  return desired.leases.some((lease) => lease.releasedAt === null && owners.get(lease.address) !== lease.key);
}

function changedHands(actual: Firewall, desired: Firewall): Ipv4[] {
  const targets = (firewall: Firewall): Map<Ipv4, string> => {
    const found = new Map<Ipv4, string>();
    for (const rule of firewall.chains.get("nat/OCDD") ?? []) {
      for (const { alias, target } of forwardOf(rule)) found.set(alias, target);
    }
    return found;
  };
  const now = targets(actual);
  const then = targets(desired);
  return [...new Set([...now.keys(), ...then.keys()])].filter((alias) => now.get(alias) !== then.get(alias));
}

function leaseChanges(actual: LeaseTable, desired: LeaseTable): string[] {
  const now = new Map(actual.leases.map((lease) => [lease.address, lease]));
  const line = (sign: string, lease: Lease): string =>
    `${sign} lease ${lease.address} ${lease.names[0] ?? "(no name)"}${lease.releasedAt === null ? "" : " at rest"}`;
  const changed = desired.leases.flatMap((lease) => {
    const old = now.get(lease.address);
    if (old === undefined) return [line("+", lease)];
    return JSON.stringify(old) === JSON.stringify(lease) ? [] : [line("~", lease)];
  });
  const kept = new Set(desired.leases.map((lease) => lease.address));
  const known = new Set(actual.conflicts.map((conflict) => conflict.address));
  const still = new Set(desired.conflicts.map((conflict) => conflict.address));
  return [
    ...changed,
    ...actual.leases.filter((lease) => !kept.has(lease.address)).map((lease) => line("-", lease)),
    ...desired.conflicts.filter((c) => !known.has(c.address)).map((c) => `+ conflict ${c.address}`),
    ...actual.conflicts.filter((c) => !still.has(c.address)).map((c) => `- conflict ${c.address}`),
  ];
}

/** Forwards one by one, since each is somebody's service; the other chains as wholes, since they follow from the pool. */
function firewallChanges(actual: Firewall, desired: Firewall): string[] {
  const lines: string[] = [];
  for (const name of new Set([...actual.chains.keys(), ...desired.chains.keys()])) {
    const now = actual.chains.get(name);
    const then = desired.chains.get(name);
    if (sameRules(now, then)) continue;
    const old = new Set(now?.flatMap(forwardLine));
    const wanted = new Set(then?.flatMap(forwardLine));
    lines.push(
      ...[...wanted].filter((line) => !old.has(line)).map((line) => `+ ${line}`),
      ...[...old].filter((line) => !wanted.has(line)).map((line) => `- ${line}`),
      then === undefined
        ? `- chain ${name}`
        : `${now === undefined ? "+" : "~"} chain ${name}, ${then.length} rules`,
    );
  }
  const jumpLine = (sign: string, jump: Firewall["jumps"][number]): string =>
    `${sign} jump ${jump.table}/${jump.from} ${jump.rule}`;
  return [
    ...lines,
    ...desired.jumps.filter((j) => !actual.jumps.some((a) => sameJump(a, j))).map((j) => jumpLine("+", j)),
    ...actual.jumps.filter((j) => !desired.jumps.some((d) => sameJump(d, j))).map((j) => jumpLine("-", j)),
    ...actual.stray.map((j) => jumpLine("-", j)),
  ];
}

/** `rule jenkins 192.168.122.12 tcp/80 -> 172.18.0.3:8080`. */
function forwardLine(rule: string): string[] {
  return forwardOf(rule).map(({ name, alias }) => {
    const port = /-p (\w+) .*--dport (\d+)/.exec(rule);
    const source = /^-s (\S+)/.exec(rule)?.[1];
    const what = port === null ? "" : ` ${port[1]}/${port[2]}`;
    return `rule ${name} ${alias}${what}${source === undefined ? "" : ` from ${source}`} -> ${/--to-destination (\S+)/.exec(rule)?.[1]}`;
  });
}

function recordChanges(before: readonly OwnRecord[], after: readonly OwnRecord[]): string[] {
  const id = (r: OwnRecord): string => `${r.owner} ${r.type} ${r.rdata}`;
  const old = new Set(before.map(id));
  const wanted = new Set(after.map(id));
  return [
    ...[...wanted].filter((r) => !old.has(r)).map((r) => `+ record ${r}`),
    ...[...old].filter((r) => !wanted.has(r)).map((r) => `- record ${r}`),
  ];
}
