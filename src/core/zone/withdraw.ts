/** Names taken out of a zone that has been rendered. */
import type { Ipv4 } from "../addresses/ipv4.ts";
import { MARK } from "./mark.ts";
import type { OwnRecord, ZoneFile } from "./zone-file.ts";

/**
 * The zone without OCDD's records that lead to these aliases: A records, and SRV records (RFC 2782) whose target has no
 * other address. The serial stays: for a file that has not been written yet. `zone` is its name, without the final dot.
 */
export function withdrawn(file: ZoneFile, zone: string, aliases: ReadonlySet<Ipv4>): ZoneFile {
  const leads = ({ type, rdata }: OwnRecord): boolean => type === "A" && aliases.has(rdata as Ipv4);
  if (!file.records.some(leads)) return file;
  const kept = file.records.filter((record) => !leads(record));
  const owners = new Set(kept.flatMap(({ owner, type }) => (type === "A" ? absolute(owner, zone) : [])));
  const stays = ({ type, rdata }: OwnRecord): boolean =>
    type === "A" || owners.has(rdata.slice(rdata.lastIndexOf(" ") + 1));
  const records = kept.filter(stays);
  const lines = new Set(records.map((record) => lineKey(record, zone)));
  const text = file.text
    .split("\n")
    .filter((line) => {
      const own = OWN_LINE.exec(line)?.groups;
      return own === undefined || lines.has(`${own.owner} ${own.type} ${own.rdata}`);
    })
    .join("\n");
  return { ...file, records, text };
}

/** The rendered zone with another serial in its SOA record (RFC 1035 §3.3.13). */
export function numbered(file: ZoneFile, serial: number, zone: string): ZoneFile {
  if (file.serial === serial) return file;
  const text = file.text.replace(SOA_LINE, (line, before: string, owner: string, after: string) =>
    owner === `${zone}.` ? `${before}${serial}${after}` : line,
  );
  return { ...file, serial, text };
}

/** Whether the first of two serials is the later one, by RFC 1982 §3.2. */
export const isLater = (a: number, b: number): boolean => a !== b && (a - b) >>> 0 < 2 ** 31;

/** The SOA record as `renderZone` writes it. */
const SOA_LINE = new RegExp(`^((\\S+)\t\\d+\tIN\tSOA\t\\S+ \\S+ )\\d+( [ \\d]+\t; ${MARK})$`, "m");
/** One line of A or SRV as `renderZone` writes it. */
const OWN_LINE = new RegExp(`^(?<owner>\\S+)\t\\d+\tIN\t(?<type>A|SRV)\t(?<rdata>[^\t]+)\t; ${MARK}$`);

const absolute = (owner: string, zone: string): string => (owner === "@" ? `${zone}.` : `${owner}.${zone}.`);
const lineKey = ({ owner, type, rdata }: OwnRecord, zone: string): string =>
  `${absolute(owner, zone)} ${type} ${rdata}`;
