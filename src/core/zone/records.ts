/** The zone file, which holds OCDD's records and hand-written ones. */
import { readZoneFile, type Statement } from "../../dns/text/zonefile.ts";
import type { RecordStatement } from "../../dns/text/zonefile-meaning.ts";
import type { Ipv4 } from "../addresses/ipv4.ts";
import { clip } from "../clip.ts";
import type { Config } from "../config/config.ts";
import { perObject } from "../memo.ts";
import { foreignReason } from "./foreign.ts";
import { handwrittenLines } from "./handwritten.ts";
import { judge } from "./judge.ts";
import { isOurs, MARK } from "./mark.ts";
import { targetOf } from "./name-servers.ts";
import { isSoa, relative } from "./owner.ts";
import type { AddressRecord, OwnRecord, SrvRecord, ZoneFile, ZoneOnDisk } from "./zone-file.ts";

/** What the zone file needs of the configuration. */
export interface ZoneSettings {
  readonly zone: string;
  readonly hostName: string;
  readonly soaEmail: string;
  /** Seconds. */
  readonly ttl: number;
}

/** The settings of a configuration. */
export function zoneSettings(config: Pick<Config, keyof ZoneSettings>): ZoneSettings {
  return { zone: config.zone, hostName: config.hostName, soaEmail: config.soaEmail, ttl: config.ttl };
}

/** Types below which names belong to another zone or to another name (RFC 1035 §4.3.2, RFC 6672 §2.3). */
const CUTS: ReadonlySet<string> = new Set(["NS", "DNAME"]);

/** Reads the zone file as it is. `text` is octets, one a character; any text gives a result. */
export function readZoneOnDisk(
  text: string,
  settings: ZoneSettings,
  ours: readonly AddressRecord[],
): ZoneOnDisk {
  // the file that is written begins with this as $TTL
  const { statements, problems } = readZoneFile(text, settings.zone, settings.ttl);
  const problemAt = new Map(problems.map((problem) => [problem.line, problem.message]));
  const host = new Set(ours.map((record) => `${record.owner} ${record.address}`));
  const owners = new Map<string, string>();
  const addresses: AddressRecord[] = [];
  const warnings: string[] = [];
  const records: OwnRecord[] = [];
  const lines = handwrittenLines(settings.zone, settings.ttl);
  const soas = statements.filter((statement) => isSoa(statement, settings.zone));
  // without one of OCDD's (as before its first run) it takes the place of the one that is served
  const replaced = soas.some(isOurs) ? undefined : soas[0];
  const ttls = new Map<string, number>();
  /** Sets of records whose first one has a TTL of its own. */
  const explicit = new Set<string>();
  let comment: { readonly line: number; readonly why: string } | undefined;
  const byHand = statements.filter((one) => one.kind === "record" && !isOurs(one) && one !== replaced);
  const place = { ...settings, ours: ours.map(({ owner }) => owner) };
  const { refused, hidden, nameServers } = judge(byHand as RecordStatement[], place);
  for (const statement of statements) {
    if (isOurs(statement) || statement === replaced) {
      if (statement.kind === "directive") lines.own(statement);
      records.push(...ownRecord(statement, settings.zone));
      continue;
    }
    if (statement.kind === "directive") {
      lines.directive(statement);
      continue;
    }
    const problem = statement.kind === "record" ? refused.get(statement) : problemAt.get(statement.line);
    if (problem !== undefined) {
      warnings.push(
        `zone file line ${statement.line} is not served and now a comment: ${clip(problem, 200)}`,
      );
      lines.comment(statement, problem);
      comment ??= { line: statement.line, why: problem };
      continue;
    }
    if (statement.kind !== "record") {
      lines.other(statement);
      continue;
    }
    const unanswered = hidden.get(statement);
    if (unanswered !== undefined)
      warnings.push(`zone file line ${statement.line} is never answered: ${clip(unanswered, 200)}`);
    const name = relative(statement.owner, settings.zone) ?? "@";
    // what the director writes itself (the bash script's template has it without the mark) would be there twice
    if (statement.type === "A" && host.has(`${name} ${statement.rdata[0]}`) && isHosts(name, settings))
      continue;
    if (statement.type === "A" && unanswered === undefined)
      addresses.push({ owner: name, address: statement.rdata[0] as Ipv4 });
    // a zone cut also excludes the names below it, so it takes precedence over another type at the same name
    if (name !== "@" && !CUTS.has(owners.get(name) ?? "")) owners.set(name, statement.type);
    if (statement.type === "NS" && name === "@" && isOwnNs(targetOf(statement), settings)) continue;
    const set = `${name} ${statement.type}`;
    const ttl = lines.ttl(statement);
    const first = ttls.get(set) ?? ttl;
    if (!ttls.has(set) && statement.ttlExplicit) explicit.add(set);
    ttls.set(set, first);
    if (ttl === first) lines.record(statement);
    else {
      warnings.push(
        `zone file line ${statement.line} has now TTL ${first}, not ${ttl}: records of one name and type have one TTL (RFC 2181 §5.2)`,
      );
      lines.withTtl(statement, first, explicit.has(set));
    }
  }
  return {
    serial: serialOf(soas),
    handwritten: lines.text(),
    owners,
    addresses,
    warnings,
    records,
    ttls,
    nameServers,
    text,
    foreign: foreignReason(text, statements, comment, settings.zone),
  };
}

/**
 * The serial of the first SOA at the apex, which the server has; of several that differ the latest after that one (RFC 1982
 * §3.2), since secondaries may have had any of them. 0 when there is none.
 */
function serialOf(soas: readonly RecordStatement[]): number {
  const serials = soas.map(({ rdata }) =>
    // RFC 3597 §5: the serial is the first of the five numbers that end it
    rdata[0] === "\\#" ? Number.parseInt(rdata.slice(2).join("").slice(-40, -32), 16) : Number(rdata[2]),
  );
  const first = serials[0] ?? 0;
  const ahead = serials.map((serial) => (serial - first) >>> 0).filter((by) => by < 2 ** 31);
  return (first + ahead.reduce((most, by) => Math.max(most, by), 0)) >>> 0;
}

function isHosts(owner: string, settings: ZoneSettings): boolean {
  return owner === "@" || owner === settings.hostName;
}

function isOwnNs(target: string, settings: ZoneSettings): boolean {
  return target.toLowerCase() === `${settings.hostName}.${settings.zone}.`;
}

/** A record's line, with its end. */
const addressLine = perObject<AddressRecord, string>();

/** The zone file: OCDD's lines, each with the mark, then the hand-written ones. */
export function renderZone(
  settings: ZoneSettings,
  records: readonly AddressRecord[],
  serial: number,
  handwritten: string,
  srv: readonly SrvRecord[] = [],
  ttls: ZoneOnDisk["ttls"] = new Map(),
): string {
  const { zone, hostName, ttl } = settings;
  const [local = "", domain = ""] = settings.soaEmail.split("@");
  // RFC 1035 §8: a dot in the mailbox's local part is escaped
  const rname = `${local.replaceAll(".", "\\.")}.${domain}.`;
  const name = (owner: string): string => (owner === "@" ? `${zone}.` : `${owner}.${zone}.`);
  const marked = (line: string): string => `${line}\t; ${MARK}\n`;
  // RFC 2181 §5.2: records of one name and type have one TTL, and those written by hand stay as they are
  const ttlOf = (owner: string, type: string): number =>
    (isHosts(owner, settings) ? ttls.get(`${owner} ${type}`) : undefined) ?? ttl;
  const head = [
    `$ORIGIN ${zone}.`,
    `$TTL ${ttl}`,
    // refresh, retry, expire as RFC 1912 §2.2 advises for a zone that changes; MINIMUM is the negative TTL (RFC 2308 §4)
    `${zone}.\t${ttl}\tIN\tSOA\t${hostName}.${zone}. ${rname} ${serial} 3600 600 1209600 ${ttl}`,
    `${zone}.\t${ttlOf("@", "NS")}\tIN\tNS\t${hostName}.${zone}.`,
  ];
  const addresses = records.map((record) => {
    const its = ttlOf(record.owner, "A");
    const line = (): string => marked(`${name(record.owner)}\t${its}\tIN\tA\t${record.address}`);
    return addressLine(record, `${its} ${zone}`, line);
  });
  const ports = srv.map(({ owner, port, target }) =>
    // priority and weight 0: no preference among several targets
    marked(`${name(owner)}\t${ttl}\tIN\tSRV\t0 0 ${port} ${name(target)}`),
  );
  const own = [...head.map(marked), ...addresses, ...ports].join("");
  return handwritten === "" ? own : `${own}\n${handwritten}`;
}

/**
 * The serial after `serial`: one more (RFC 1982 §3), or the clock's when that is ahead, so that a zone file that
 * was lost and written again is not older than its secondaries. `now` is in seconds since the epoch.
 */
export function nextSerial(serial: number, now: number): number {
  const next = (serial + 1) >>> 0 || 1;
  const clock = Math.floor(now) >>> 0;
  const ahead = (clock - serial) >>> 0;
  return clock > next && ahead > 0 && ahead < 2 ** 31 ? clock : next;
}

/** The file with the old serial when nothing else differs, else with the next one. `now`: seconds since the epoch. */
export function updateZone(
  disk: ZoneOnDisk,
  settings: ZoneSettings,
  records: readonly AddressRecord[],
  now: number,
  srv: readonly SrvRecord[] = [],
): ZoneFile {
  const numbered = (serial: number): string =>
    renderZone(settings, records, serial, disk.handwritten, srv, disk.ttls);
  const same = numbered(disk.serial);
  if (same === disk.text) return { serial: disk.serial, records: disk.records, text: same };
  const serial = nextSerial(disk.serial, now);
  return {
    serial,
    records: [...records.map(ofAddress), ...srv.map(ofService(settings.zone))],
    text: numbered(serial),
  };
}

const ownRecords = perObject<AddressRecord, OwnRecord>();
const ofAddress = (record: AddressRecord): OwnRecord =>
  ownRecords(record, "", () => ({ owner: record.owner, type: "A", rdata: record.address }));
const ofService =
  (zone: string) =>
  ({ owner, port, target }: SrvRecord): OwnRecord => ({
    owner,
    type: "SRV",
    rdata: `0 0 ${port} ${target === "@" ? zone : `${target}.${zone}`}.`,
  });

/** The record of a marked line; none for SOA and NS, which every zone has. */
function ownRecord(statement: Statement, zone: string): OwnRecord[] {
  if (statement.kind !== "record") return [];
  const { type, rdata } = statement;
  const owner = relative(statement.owner, zone);
  return owner !== null && (type === "A" || type === "SRV") ? [{ owner, type, rdata: rdata.join(" ") }] : [];
}
