/** Aliases of a served zone that lead out of all zones. */
import type { WireName } from "../wire/name.ts";
import { TYPE } from "../wire/types.ts";
import { type Answer, lookup } from "./answer.ts";
import { type Served, zoneFor } from "./authority.ts";

/** What a zone knows of a name that leads elsewhere. */
export interface AliasOut {
  /** Its last record in the answer section is the CNAME that leads out. */
  readonly found: Answer;
  readonly target: WireName;
}

/** Undefined where the name is in no zone, or the zone's answer is whole (a question for the CNAME itself, or for ANY). */
export function aliasOut(zones: readonly Served[], name: WireName, qtype: number): AliasOut | undefined {
  const zone = zoneFor(zones, name)?.zone;
  if (zone === undefined || qtype === TYPE.CNAME || qtype === TYPE.ANY) return undefined;
  const found = lookup(zone, name, qtype);
  const last = found.answer.at(-1)?.set;
  if (last?.type !== TYPE.CNAME) return undefined;
  const target = last.rdata[0] as WireName;
  // one that stays in a zone ends in a loop or at a delegation
  return zoneFor(zones, target) === undefined ? { found, target } : undefined;
}
