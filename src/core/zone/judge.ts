/** Hand-written records that the zone cannot hold: the server's own check, made beforehand, and what BIND refuses to load. */
import type { RecordStatement } from "../../dns/text/zonefile-meaning.ts";
import { TYPE, typeCode } from "../../dns/wire/types.ts";
import { type Cut, conflictCheck, cutOf, hiddenAt, hiddenBelow } from "../../dns/zone/conflict.ts";
import { clip } from "../clip.ts";
import { judgeNameServers } from "./name-servers.ts";
import { ancestorsOf, depthOf, relative } from "./owner.ts";
import type { JudgedZone } from "./zone-file.ts";

/** The verdict. */
export interface Judged {
  /** Why a record cannot be part of the zone. */
  readonly refused: ReadonlyMap<RecordStatement, string>;
  /** Why a record is never answered. It stays part of the zone (RFC 5936 §3.5), and is answered when what hides it is gone. */
  readonly hidden: ReadonlyMap<RecordStatement, string>;
  /** Name servers of the zone (relative owners) that have no record by hand: only a container can give one its address. */
  readonly nameServers: readonly string[];
}

/** Judges the hand-written records of a zone file, given in its order; where two exclude each other the earlier one stays. */
export function judge(records: readonly RecordStatement[], place: JudgedZone): Judged {
  const refused = new Map<RecordStatement, string>();
  const owners = new Map<string, RecordStatement[]>();
  for (const record of records) {
    const owner = relative(record.owner, place.zone);
    if (owner === null) refused.set(record, `${clip(record.owner)} is not in the zone`);
    else if (owners.get(owner)?.push(record) === undefined) owners.set(owner, [record]);
  }
  const hidden = new Map<RecordStatement, string>();
  const cuts = new Map<string, Cut>();
  // from the apex down: whether there is a cut is known when what lies below it is judged
  for (const [owner, all] of [...owners].sort(([a], [b]) => depthOf(a) - depthOf(b))) {
    const above = ancestorsOf(owner).find((one) => cuts.has(one));
    const check = checkAt(owner, place);
    const accepted = all.filter((record) => {
      const why = check(record);
      if (why !== undefined) refused.set(record, why);
      return why === undefined;
    });
    const own = owner === "@" ? undefined : cutOf(accepted.map(({ type }) => codeOf(type)));
    if (own !== undefined && above === undefined) cuts.set(owner, own);
    const answered = accepted.filter((record) => {
      const code = codeOf(record.type);
      const below = above === undefined ? undefined : hiddenBelow(cuts.get(above), code);
      const why = below === undefined ? hiddenAt(own, code) : `${below} at "${clip(above ?? "")}"`;
      if (why !== undefined) hidden.set(record, `${clip(owner)}: ${why}`);
      return why === undefined;
    });
    owners.set(owner, answered);
  }
  const nameServers = judgeNameServers(owners, cuts, place, (record, why) => refused.set(record, why));
  return { refused, hidden, nameServers };
}

const codeOf = (type: string): number => typeCode(type) ?? 0;

/** The check of one owner's records, in the order of the file. */
function checkAt(
  owner: string,
  { hostName, ours }: JudgedZone,
): (record: RecordStatement) => string | undefined {
  const apex = owner === "@";
  const check = conflictCheck({ apex, wildcard: owner === "*" || owner.startsWith("*.") });
  if (apex) check(TYPE.SOA, "");
  if (ours.includes(owner)) check(TYPE.A, "");
  return ({ type, rdata }) => {
    const beside = besideOurs(owner, type, hostName);
    if (beside !== undefined) return beside;
    const why = check(codeOf(type), rdata.join(" "));
    return why === undefined ? undefined : `${clip(owner)}: ${why}`;
  };
}

/**
 * Why a hand-written record cannot be at an owner where the director has records of its own: one such line would make the zone
 * invalid, or hide every name in it.
 */
function besideOurs(owner: string, type: string, hostName: string): string | undefined {
  const bad = owner === "@" ? ["CNAME", "DNAME"] : owner === hostName ? ["CNAME", "DNAME", "NS"] : [];
  const where = owner === "@" ? "the zone's apex" : `"${owner}"`;
  return bad.includes(type) ? `no ${type} is allowed at ${where}, where OCDD has records` : undefined;
}
