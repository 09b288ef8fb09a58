/** What a zone answers to a name and type (RFC 1034 §4.3.2). */
import { endsWithName, nameKey, sameName, type WireName } from "../wire/name.ts";
import { RCODE, TYPE } from "../wire/types.ts";
import {
  findNode,
  findSet,
  NODE,
  nodeFlags,
  type RrSet,
  readSet,
  setsOf,
  soaOf,
  wildcardBelow,
  type Zone,
} from "./zone.ts";

/** An RRset under the owner it answers with. */
export interface OwnedSet {
  readonly owner: WireName;
  readonly set: RrSet;
}

/** A zone's answer to a question. */
export interface Answer {
  rcode: number;
  /** Authoritative answer. */
  aa: boolean;
  readonly answer: OwnedSet[];
  readonly authority: OwnedSet[];
  readonly additional: OwnedSet[];
  /** The additional addresses are glue of a referral: an answer without one is truncated (RFC 9471 §3). */
  glue: boolean;
}

/** Aliases followed in one answer, a bound for its cost. */
const MAX_ALIASES = 16;

/** The node where the walk from the apex towards a name ends, and why. */
type Place =
  | { readonly kind: "exact" | "wildcard"; readonly node: number }
  | { readonly kind: "cut" | "dname"; readonly node: number; readonly owner: WireName }
  | { readonly kind: "missing" };

/** Walk from the apex down (RFC 1034 §4.3.2 step 3): the first cut or DNAME on the way decides, then the name itself. */
function place(zone: Zone, name: WireName, qtype: number): Place {
  const starts: number[] = [];
  for (let at = 0; name.length - at > zone.origin.length; at += (name[at] as number) + 1) starts.push(at);
  let encloser = zone.apex;
  if (starts.length === 0) return { kind: "exact", node: encloser };
  if (nodeFlags(zone, encloser) & NODE.DNAME) return { kind: "dname", node: encloser, owner: zone.origin };
  for (let i = starts.length - 1; i >= 0; i--) {
    const at = starts[i] as number;
    const node = findNode(zone, name, at, name.length);
    if (node === 0) {
      const wildcard = wildcardBelow(zone, encloser);
      return wildcard === 0 ? { kind: "missing" } : { kind: "wildcard", node: wildcard };
    }
    const flags = nodeFlags(zone, node);
    // The parent side answers for DS at the cut itself (RFC 4035 §3.1.4.1).
    if (flags & NODE.CUT && !(i === 0 && qtype === TYPE.DS))
      return { kind: "cut", node, owner: name.slice(at) };
    if (flags & NODE.DNAME && i > 0) return { kind: "dname", node, owner: name.slice(at) };
    encloser = node;
  }
  return { kind: "exact", node: encloser };
}

/** The names in an RRset whose addresses are useful to the client (RFC 1035 §3.3.9, §3.3.11, RFC 2782). */
function targets(set: RrSet): WireName[] {
  const skip = set.type === TYPE.NS ? 0 : set.type === TYPE.MX ? 2 : set.type === TYPE.SRV ? 6 : -1;
  return skip < 0 ? [] : set.rdata.map((rdata) => rdata.subarray(skip));
}

/** Addresses in the zone for the set's targets; `occluded` ones, below a cut, only as glue. */
function addAddresses(zone: Zone, found: Answer, set: RrSet, glue: boolean): void {
  for (const target of targets(set)) {
    if (!endsWithName(target, zone.origin)) continue;
    const node = findNode(zone, target, 0, target.length);
    if (node === 0 || (!glue && nodeFlags(zone, node) & (NODE.OCCLUDED | NODE.CUT))) continue;
    for (const type of [TYPE.A, TYPE.AAAA]) {
      const at = findSet(zone, node, type);
      if (at === 0 || found.additional.some((held) => held.set.type === type && sameName(held.owner, target)))
        continue;
      found.additional.push({ owner: target, set: readSet(zone, at) });
    }
  }
}

/** The SOA for a negative answer, TTL min(SOA TTL, MINIMUM) (RFC 2308 §3). */
function negativeSoa(zone: Zone): OwnedSet {
  const set = soaOf(zone);
  const [rdata] = set.rdata as [Uint8Array];
  const minimum = new DataView(rdata.buffer, rdata.byteOffset).getUint32(rdata.length - 4);
  return { owner: zone.origin, set: { ...set, ttl: Math.min(set.ttl, minimum) } };
}

/** RFC 8482 §4.1: one RRset of the name, the smallest of its data, in place of all. */
function anySet(zone: Zone, node: number): number {
  const sets = setsOf(zone, node);
  const size = (set: number) => zone.words[(set >>> 2) + 3] as number;
  return sets.reduce((best, set) => (best === 0 || size(set) < size(best) ? set : best), 0);
}

/** CNAME made from a DNAME (RFC 6672 §3.1): the part above the DNAME's owner moves to its target; undefined when too long. */
function substitute(name: WireName, owner: WireName, target: WireName): WireName | undefined {
  const prefix = name.subarray(0, name.length - owner.length);
  if (prefix.length + target.length > 255) return undefined;
  const made = new Uint8Array(prefix.length + target.length);
  made.set(prefix);
  made.set(target, prefix.length);
  return made;
}

/**
 * Answer a question from a zone (RFC 1034 §4.3.2, RFC 2308, RFC 4592, RFC 6672). The name must be at or below the apex.
 * Pure: the same zone, name and type give the same answer.
 */
export function lookup(zone: Zone, qname: WireName, qtype: number): Answer {
  const found: Answer = {
    rcode: RCODE.NOERROR,
    aa: true,
    answer: [],
    authority: [],
    additional: [],
    glue: false,
  };
  let name = qname;
  const seen = new Set<string>();
  for (let step = 0; step < MAX_ALIASES; step++) {
    const key = nameKey(name);
    // A loop of aliases: what was found so far is the answer (RFC 1034 §3.6.2).
    if (seen.has(key)) return found;
    seen.add(key);
    const at = place(zone, name, qtype);
    if (at.kind === "cut") return refer(zone, found, at.node, at.owner);
    let alias: WireName;
    if (at.kind === "dname") {
      const set = readSet(zone, findSet(zone, at.node, TYPE.DNAME));
      // One DNAME may be passed twice on the way; its RRset is added once.
      if (!found.answer.some((held) => held.set.type === TYPE.DNAME && sameName(held.owner, at.owner))) {
        found.answer.push({ owner: at.owner, set });
      }
      const target = substitute(name, at.owner, set.rdata[0] as Uint8Array);
      if (target === undefined) {
        // RFC 6672 §2.2: the new name does not fit.
        found.rcode = RCODE.YXDOMAIN;
        return found;
      }
      found.answer.push({ owner: name, set: { type: TYPE.CNAME, ttl: set.ttl, rdata: [target] } });
      if (qtype === TYPE.CNAME || qtype === TYPE.ANY) return found;
      alias = target;
    } else {
      if (at.kind === "missing") {
        found.rcode = RCODE.NXDOMAIN;
        found.authority.push(negativeSoa(zone));
        return found;
      }
      const asked = qtype === TYPE.ANY ? anySet(zone, at.node) : findSet(zone, at.node, qtype);
      // NSEC, RRSIG and KEY are allowed beside an alias, and are queried by themselves (RFC 4035 §2.5, RFC 3007 §3)
      const cname = asked === 0 ? findSet(zone, at.node, TYPE.CNAME) : 0;
      const set = asked || cname;
      if (set === 0) {
        found.authority.push(negativeSoa(zone));
        return found;
      }
      const taken = readSet(zone, set);
      found.answer.push({ owner: name, set: taken });
      if (cname === 0) {
        addAddresses(zone, found, taken, false);
        return found;
      }
      alias = taken.rdata[0] as Uint8Array;
    }
    if (!endsWithName(alias, zone.origin)) return found;
    name = alias;
  }
  return found;
}

/** Referral (RFC 1034 §4.3.2 step 3b): the cut's NS, and their addresses in the zone. */
function refer(zone: Zone, found: Answer, node: number, owner: WireName): Answer {
  const set = readSet(zone, findSet(zone, node, TYPE.NS));
  // After a CNAME of this zone the answer section is still authoritative.
  found.aa = found.answer.length > 0;
  found.authority.push({ owner, set });
  found.glue = true;
  addAddresses(zone, found, set, true);
  return found;
}
