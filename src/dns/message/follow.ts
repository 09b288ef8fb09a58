/** A name of a served zone that leads out of it, followed by way of a forwarder (RFC 1034 §4.3.2 steps 3a and 5, §5.3.3). */
import { fieldsOf } from "../text/rdata-fields.ts";
import { ownerName } from "../wire/message-name.ts";
import { sameName, type WireName } from "../wire/name.ts";
import { OctetWriter, read16, read32 } from "../wire/octets.ts";
import { CLASS, RCODE, TYPE } from "../wire/types.ts";
import type { OwnedSet } from "../zone/answer.ts";
import type { Authority, Via } from "../zone/authority.ts";
import { leadsOut } from "../zone/leads-out.ts";
import { EDE } from "./edns.ts";
import type { Reply } from "./forward.ts";
import type { Query } from "./query.ts";
import { respond, writeResponse } from "./respond.ts";

/** The client's question, for the name that its own leads to. */
export function questionFor(
  target: WireName,
  message: Uint8Array,
  query: Query,
): { readonly message: Uint8Array; readonly query: Query } {
  const typeAndClass = message.subarray(query.questionEnd - 4, query.questionEnd);
  const question = Uint8Array.from([...message.subarray(0, 12), ...target, ...typeAndClass]);
  return { message: question, query: { ...query, questionEnd: question.length } };
}

/** Octets of the fields that may stand before a name. */
const WIDTHS: ReadonlyMap<string, number> = new Map([
  ["u8", 1],
  ["algorithm", 1],
  ["u16", 2],
  ["type", 2],
  ["u32", 4],
  ["period", 4],
  ["time", 4],
]);

/** RDATA with its names written out, also those that old servers compress (RFC 3597 §4); undefined when it is none. */
function plainRdata(octets: Uint8Array, type: number, from: number, end: number): Uint8Array | undefined {
  const out = new OctetWriter();
  let at = from;
  for (const field of fieldsOf(type) ?? []) {
    const name = field === "name" ? ownerName(octets, at) : undefined;
    if (field === "name" && name === undefined) return undefined;
    const width = field === "string" ? 1 + (octets[at] ?? 0) : WIDTHS.get(field);
    // no name comes after a field of another kind
    if (name === undefined && width === undefined) break;
    const next = name?.end ?? at + (width as number);
    if (next > end) return undefined;
    out.raw(name?.name ?? octets.subarray(at, next));
    at = next;
  }
  out.raw(octets.subarray(at, end));
  return out.take();
}

/** The records of a reply's answer and authority section; undefined when one cannot be read. */
function recordsOf({ octets, counts }: Reply, questionEnd: number): [OwnedSet[], OwnedSet[]] | undefined {
  const found: [OwnedSet[], OwnedSet[]] = [[], []];
  let at = questionEnd;
  for (const section of [0, 1] as const)
    for (let left = counts[section]; left > 0; left--) {
      const owner = ownerName(octets, at);
      if (owner === undefined || read16(octets, owner.end + 2) !== CLASS.IN) return undefined;
      const type = read16(octets, owner.end);
      const from = owner.end + 10;
      at = from + read16(octets, owner.end + 8);
      const rdata = plainRdata(octets, type, from, at);
      if (rdata === undefined) return undefined;
      found[section].push({
        owner: owner.name,
        set: { type, ttl: read32(octets, owner.end + 4), rdata: [rdata] },
      });
    }
  return found;
}

const CD = 0x10;

/**
 * The answer to a question for a name that led to `target` when the forwarder was asked for that: the zone's aliases, then
 * the forwarder's records, with its RCODE (RFC 6604 §3) and, without records, its SOA (RFC 2308 §2). AA is set where the first owner is the
 * zone's (RFC 1035 §4.1.1). Without a reply it is SERVFAIL with the zone's aliases. A name that has changed meanwhile is not followed.
 */
export function answerFollowed(
  authority: Authority,
  via: Via,
  message: Uint8Array,
  query: Query,
  target: WireName,
  reply: Reply | undefined,
  out: Uint8Array,
): number {
  const known = leadsOut(authority.zones, message.slice(12, query.questionEnd - 4), query.qtype);
  if (known === undefined || !sameName(known.target, target)) return respond(authority, via, message, out);
  const records = reply && recordsOf(reply, 16 + target.length);
  const [answer, authorities] = records ?? [[], []];
  const rcode = reply === undefined || records === undefined ? RCODE.SERVFAIL : reply.rcode;
  const outcome = {
    rcode,
    answer: {
      ...known.found,
      rcode,
      answer: [...known.found.answer, ...answer],
      // the name servers of another zone do not help the client
      authority: authorities.filter(({ set }) => set.type !== TYPE.NS),
      // of the referral
      additional: [],
      glue: false,
    },
    flags: (message[3] as number) & CD,
    ...(records === undefined ? { ede: EDE.NO_REACHABLE_AUTHORITY } : {}),
  };
  return writeResponse(authority, via, message, query, outcome, undefined, out);
}
