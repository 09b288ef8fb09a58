/** Records that may not be together at one owner: one check, for the director, which writes a zone, and for the server. */
import { TYPE, typeName } from "../wire/types.ts";

/** Types that may be beside a CNAME (RFC 4035 §2.5, RFC 3007 §3). */
const BESIDE_CNAME: ReadonlySet<number> = new Set([TYPE.CNAME, TYPE.RRSIG, TYPE.NSEC, TYPE.KEY]);

/** Types of which an owner has one record. */
const SINGLE: ReadonlySet<number> = new Set([TYPE.CNAME, TYPE.DNAME, TYPE.SOA]);

/** An owner without any record of these types needs no check. */
export const MAY_CONFLICT: ReadonlySet<number> = new Set([...SINGLE, TYPE.NS, TYPE.DS]);

/**
 * Takes an owner's records in the order of the file. Returns why a record contradicts those accepted before it, or
 * undefined for a record that is accepted. `rdata` is compared as it is: a repeated record contradicts nothing (RFC 2181 §5).
 */
export type ConflictCheck = (type: number, rdata: string) => string | undefined;

/** What the check has to know of an owner's place in the zone. */
export interface OwnerPlace {
  readonly apex: boolean;
  /** Its first label is `*`. */
  readonly wildcard: boolean;
}

/** A check for one owner. */
export function conflictCheck({ apex, wildcard }: OwnerPlace): ConflictCheck {
  const single = new Map<number, string>();
  let other: number | undefined;
  return (type, rdata) => {
    // the apex has a SOA, wherever in the file that is
    if (type === TYPE.CNAME && apex)
      return "CNAME at the zone's apex, where it allows nothing else (RFC 1034 §3.6.2)";
    // undefined by RFC 4592 §4.2, and refused by other servers
    if (type === TYPE.NS && wildcard) return "NS at a wildcard";
    if (type === TYPE.DS && apex)
      return "DS at the zone's apex, it belongs to the parent zone (RFC 4035 §2.4)";
    if (type === TYPE.SOA && !apex) return "SOA below the zone's apex";
    if (type === TYPE.CNAME && other !== undefined)
      return `CNAME beside ${typeName(other)}, it allows nothing else (RFC 1034 §3.6.2)`;
    if (!BESIDE_CNAME.has(type) && single.has(TYPE.CNAME))
      return `${typeName(type)} beside CNAME, which allows nothing else (RFC 1034 §3.6.2)`;
    if (SINGLE.has(type)) {
      const before = single.get(type);
      if (before !== undefined && before !== rdata) return `a second ${typeName(type)}, one is allowed`;
      single.set(type, rdata);
    }
    if (!BESIDE_CNAME.has(type)) other ??= type;
    return undefined;
  };
}

/** What has the names below an owner answered elsewhere: a delegation (RFC 1034 §4.2) or a DNAME (RFC 6672 §2.3). */
export type Cut = "NS" | "DNAME";

/** Types that are answered, or have a use, at a delegation: the parent's own (RFC 4035 §2.4), and glue. */
const AT_DELEGATION: ReadonlySet<number> = new Set([
  TYPE.NS,
  TYPE.DS,
  TYPE.NSEC,
  TYPE.RRSIG,
  TYPE.A,
  TYPE.AAAA,
]);

/** The cut that an owner below the apex is with records of these types; a delegation takes precedence, as in answers. */
export function cutOf(types: readonly number[]): Cut | undefined {
  return types.includes(TYPE.NS) ? "NS" : types.includes(TYPE.DNAME) ? "DNAME" : undefined;
}

/** Why a record of this type is never answered at an owner that is such a cut, or undefined. */
export function hiddenAt(cut: Cut | undefined, type: number): string | undefined {
  return cut === "NS" && !AT_DELEGATION.has(type)
    ? `${typeName(type)} beside NS, where another zone begins`
    : undefined;
}

/** Why a record of this type is never answered below such a cut, or undefined: below a delegation addresses are glue. */
export function hiddenBelow(cut: Cut | undefined, type: number): string | undefined {
  if (cut === undefined || (cut === "NS" && (type === TYPE.A || type === TYPE.AAAA))) return undefined;
  return `${typeName(type)} below the ${cut} record`;
}
