/** Hand-written records that the server would leave out because of an earlier one: the server's own check, made beforehand. */
import type { RecordStatement } from "../../dns/text/zonefile-meaning.ts";
import { nameKey, parseName } from "../../dns/wire/name.ts";
import { TYPE, typeCode } from "../../dns/wire/types.ts";
import { type ConflictCheck, conflictCheck } from "../../dns/zone/conflict.ts";
import { clip } from "../clip.ts";

/** Why a record contradicts those before it, or null; to be asked in the order of the file. */
export type Contradiction = (record: Pick<RecordStatement, "owner" | "type" | "rdata">) => string | null;

/** For the hand-written records of `zone`, which come after its SOA and those of `owners` (relative to it, each with an address). */
export function contradictions(zone: string, owners: readonly string[]): Contradiction {
  const known = new Map<string, ConflictCheck>();
  const apexKey = nameKey(parseName(`${zone}.`));
  const checkOf = (owner: string): ConflictCheck => {
    const name = parseName(owner);
    const key = nameKey(name);
    const wildcard = name[0] === 1 && name[1] === 0x2a;
    const check = known.get(key) ?? conflictCheck({ apex: key === apexKey, wildcard });
    known.set(key, check);
    return check;
  };
  checkOf(`${zone}.`)(TYPE.SOA, "");
  for (const owner of owners) checkOf(owner === "@" ? `${zone}.` : `${owner}.${zone}.`)(TYPE.A, "");
  return ({ owner, type, rdata }) => {
    const why = checkOf(owner)(typeCode(type) ?? 0, rdata.join(" "));
    return why === undefined ? null : `${clip(owner)}: ${why}`;
  };
}
