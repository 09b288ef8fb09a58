/** Names taken out of the zone file as it is: before the addresses they point at go, and ahead of the next whole file. */
import type { Ipv4 } from "../addresses/ipv4.ts";
import { MARK, type OwnRecord } from "./records.ts";

/**
 * The zone file as it is, without our lines whose name or address is about to go. A name keeps its old line when it
 * would otherwise have none until the new zone is written.
 */
export function withdraw(
  text: string,
  before: readonly OwnRecord[],
  after: readonly OwnRecord[],
  zoneName: string,
): string | null {
  const id = (r: OwnRecord): string => `${r.owner} ${r.type} ${r.rdata}`;
  const staying = new Set(after.map(id));
  const names = new Set(after.map((r) => r.owner));
  const stayingNames = new Set(before.filter((r) => staying.has(id(r))).map((r) => r.owner));
  const gone = before.filter(
    (r) => !staying.has(id(r)) && (!names.has(r.owner) || stayingNames.has(r.owner)),
  );
  if (gone.length === 0) return null;
  const doomed = new Set(
    gone.map((r) => `${r.owner === "@" ? "" : `${r.owner}.`}${zoneName}. ${r.type} ${r.rdata}`),
  );
  const serial = serialOf(text);
  // not of the director's writing: it is replaced as a whole, and no line of it is touched before
  if (serial === 0) return null;
  return text
    .split("\n")
    .filter((line) => {
      const match = OWN_LINE.exec(line);
      return match === null || !doomed.has(`${match[1]} ${match[2]} ${match[3]}`);
    })
    .join("\n")
    .replace(SERIAL, `$1${following(serial)} `);
}

/** The zone file as it is, without our records that lead to these addresses, at once or by a name that has no other. */
export function withoutAddresses(text: string, addresses: ReadonlySet<Ipv4>): string {
  const lines = text.split("\n");
  const own = lines.map((line) => OWN_LINE.exec(line));
  const doomed = (match: RegExpExecArray): boolean => addresses.has(match[3] as Ipv4);
  const owners = (which: (match: RegExpExecArray) => boolean): (string | undefined)[] =>
    own.flatMap((match) => (match?.[2] === "A" && which(match) ? [match[1]] : []));
  const staying = new Set(owners((match) => !doomed(match)));
  const lost = new Set(owners(doomed).filter((owner) => !staying.has(owner)));
  const kept = lines.filter((_, i) => {
    const match = own[i];
    if (match == null) return true;
    return match[2] === "A" ? !doomed(match) : !lost.has(match[3]?.split(" ").at(-1));
  });
  const serial = serialOf(text);
  if (kept.length === lines.length || serial === 0) return text;
  return kept.join("\n").replace(SERIAL, `$1${following(serial)} `);
}

/** A record of ours as the director writes it: owner, type, RDATA. */
const OWN_LINE = new RegExp(`^(\\S+)\\t\\d+\\tIN\\t(A|SRV)\\t([^\\t]+)\\t; ${MARK}$`);
const SERIAL = /(\tSOA\t\S+ \S+ )\d+ /;

const following = (serial: number): number => (serial + 1) >>> 0 || 1;

/** The zone file with a serial after `serial` (RFC 1982 §3.2): two files written in one run are two versions. */
export function numberedAfter(text: string, serial: number): string {
  const ahead = (serialOf(text) - serial) >>> 0;
  return ahead > 0 && ahead < 2 ** 31 ? text : text.replace(SERIAL, `$1${following(serial)} `);
}

/** Serial of a zone file that the director wrote. */
export function serialOf(text: string): number {
  return Number(/\tSOA\t\S+ \S+ (\d+) /.exec(text)?.[1] ?? 0);
}
