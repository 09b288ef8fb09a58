/** Names of a served zone whose answer is elsewhere: aliases that lead out of all zones, and names that are delegated. */
import type { WireName } from "../wire/name.ts";
import { TYPE } from "../wire/types.ts";
import { type Answer, lookup } from "./answer.ts";
import { type Served, zoneFor } from "./authority.ts";

/** What a zone knows of a name that leads elsewhere. */
export interface LeadsOut {
  /** Its answer section is empty, or ends in the CNAME that leads out. */
  readonly found: Answer;
  /** The name to ask for elsewhere: the alias's, or the delegated one itself. */
  readonly target: WireName;
}

/**
 * With recursion the answer at a delegation is not the referral but the delegated zone's (RFC 1034 §4.3.2 steps 1 and 5). Undefined
 * where the name is in no zone, or the zone's answer is whole (also to a question for a CNAME itself, or for ANY).
 */
export function leadsOut(zones: readonly Served[], name: WireName, qtype: number): LeadsOut | undefined {
  const zone = zoneFor(zones, name)?.zone;
  if (zone === undefined) return undefined;
  const found = lookup(zone, name, qtype);
  const referral = found.glue;
  const last = found.answer.at(-1)?.set;
  if (last === undefined) return referral ? { found, target: name } : undefined;
  if (last.type !== TYPE.CNAME || qtype === TYPE.CNAME || qtype === TYPE.ANY) return undefined;
  const target = last.rdata[0] as WireName;
  const of = zoneFor(zones, target);
  // without a referral, one that stays in a zone ends in a loop
  return of === undefined || (referral && of.zone === zone) ? { found, target } : undefined;
}
