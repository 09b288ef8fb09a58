/** The zone's name servers that are written by hand: BIND loads no zone as its primary in which one has no address. */
import type { RecordStatement } from "../../dns/text/zonefile-meaning.ts";
import { formatName } from "../../dns/wire/name.ts";
import type { Cut } from "../../dns/zone/conflict.ts";
import { clip } from "../clip.ts";
import { isReserved, type Name } from "../services/name.ts";
import { ancestorsOf, relative } from "./owner.ts";
import type { JudgedZone, OwnRecord } from "./zone-file.ts";

const ADDRESSES: ReadonlySet<string> = new Set(["A", "AAAA"]);

/** The target of an NS record, absolute. */
export function targetOf({ rdata }: RecordStatement): string {
  // RFC 3597 §5
  return rdata[0] === "\\#" ? formatName(Buffer.from(rdata.slice(2).join(""), "hex")) : (rdata[0] ?? ".");
}

/**
 * Refuses those of the apex that can never have an address, given the records by owner. Gives the others that have none by
 * hand: names of containers come and go, and a line that became a comment for the time between would stay one.
 */
export function judgeNameServers(
  owners: ReadonlyMap<string, readonly RecordStatement[]>,
  cuts: ReadonlyMap<string, Cut>,
  { zone, hostName }: JudgedZone,
  refuse: (record: RecordStatement, why: string) => void,
): string[] {
  const has = (owner: string): boolean => owners.get(owner)?.some(({ type }) => ADDRESSES.has(type)) === true;
  const open = new Set<string>();
  for (const record of owners.get("@") ?? []) {
    const name = record.type === "NS" ? relative(targetOf(record), zone) : null;
    if (name === null || name === "@" || name === hostName || has(name)) continue;
    const cut = [...ancestorsOf(name), name].find((one) => cuts.has(one));
    if (cut !== undefined && cuts.get(cut) === "NS") continue;
    const refused = (why: string): void => refuse(record, `name server "${clip(name)}" ${why}`);
    if (cut !== undefined && cut !== name) refused(`lies below the DNAME at "${clip(cut)}" (RFC 6672 §2.3)`);
    else if (owners.get(name)?.some(({ type }) => type === "CNAME"))
      refused("is an alias (RFC 2181 §10.3): name what the CNAME leads to");
    else if ((owners.get(name)?.length ?? 0) > 0 || isReserved(name as Name, hostName as Name))
      refused("has no A or AAAA record: write one as well");
    else if (/^[0-9]+(\.[0-9]+){3}$/.test(name)) refused("is an address: write the name of the server");
    else if (!["*", ...ancestorsOf(name).map((one) => `*.${one}`)].some(has)) open.add(name);
  }
  return [...open];
}

/** What is to be said of name servers that have no record by hand, given all that the director writes. */
export function nameServerNotes(names: readonly string[], records: readonly OwnRecord[]): string[] {
  return names
    .filter((name) => !records.some(({ owner, type }) => owner === name && type === "A"))
    .map(
      (name) =>
        `zone file: name server "${clip(name)}" of the zone has no address, and BIND loads no such zone as its primary: ` +
        "write an A record for it, or remove the NS record",
    );
}
