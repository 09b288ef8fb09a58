/** Hand-written records that the server would leave out because of an earlier one: its own judge, asked beforehand. */
import type { RecordStatement } from "../../dns/text/zonefile-meaning.ts";
import { nameKey, parseName } from "../../dns/wire/name.ts";
import { TYPE, typeCode } from "../../dns/wire/types.ts";
import { type Judge, judgeOwner } from "../../dns/zone/conflict.ts";
import { clip } from "../clip.ts";

/** Why a record contradicts those before it, or null; to be asked in the order of the file. */
export type Contradiction = (record: Pick<RecordStatement, "owner" | "type" | "rdata">) => string | null;

/** For the hand-written records of `zone`, which stand behind those of `owners`, relative to it: these have an address. */
export function contradictions(zone: string, owners: readonly string[]): Contradiction {
  const known = new Map<string, Judge>();
  const apexKey = nameKey(parseName(`${zone}.`));
  const judgeOf = (owner: string): Judge => {
    const name = parseName(owner);
    const key = nameKey(name);
    const wildcard = name[0] === 1 && name[1] === 0x2a;
    const judge = known.get(key) ?? judgeOwner({ apex: key === apexKey, wildcard });
    known.set(key, judge);
    return judge;
  };
  for (const owner of owners) judgeOf(owner === "@" ? `${zone}.` : `${owner}.${zone}.`)(TYPE.A, "");
  return ({ owner, type, rdata }) => {
    const why = judgeOf(owner)(typeCode(type) ?? 0, rdata.join(" "));
    return why === undefined ? null : `${clip(owner)}: ${why}`;
  };
}
