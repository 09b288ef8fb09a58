/** Names that no container may have, by name or by label. */

import { isReserved, type Name } from "./name.ts";

/** What bars names. */
export interface Bars {
  readonly zone: string;
  readonly hostName: Name;
  /** Owner of every record written by hand, of whatever type, relative to the zone → its type. */
  readonly handwritten: ReadonlyMap<string, string>;
}

/** Types below which names belong to another zone or another name (RFC 1035 §4.3.2, RFC 6672 §2.3). */
const CUTS: ReadonlySet<string> = new Set(["NS", "DNAME"]);

/** Why no container may have a name, single or dotted; null when one may. */
export function whyBarred(name: string, { zone, hostName, handwritten }: Bars): string | null {
  if (isReserved(name as Name, hostName)) return `"${name}" is reserved`;
  // RFC 1035 §2.3.4: 255 octets on the wire, two more than in text; one name too long would have the whole zone refused
  if (name.length + 1 + zone.length > 253) return `"${name}" is too long for the zone`;
  return barredByHand(name, handwritten);
}

/** Why hand-written records rule out records of OCDD's own at a name, or null. */
export function barredByHand(name: string, handwritten: Bars["handwritten"]): string | null {
  const type = handwritten.get(name);
  if (type !== undefined) return `"${name}" has a hand-written ${type} record in the zone file`;
  for (let rest = name; rest.includes("."); ) {
    rest = rest.slice(rest.indexOf(".") + 1);
    const above = handwritten.get(rest) ?? "";
    if (CUTS.has(above)) return `"${name}" lies below a hand-written ${above} record in the zone file`;
  }
  return null;
}
