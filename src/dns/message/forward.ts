/**
 * Questions outside of the served zones: the query to a forwarder, which of its messages is the
 * answer (RFC 5452 §9), and what the client gets. All by octets: names are never read as text.
 */
import { lower } from "../wire/name.ts";
import { read16 } from "../wire/octets.ts";
import { CLASS, isDataType, RCODE, RECURSION_AVAILABLE, TYPE } from "../wire/types.ts";
import { type Authority, MAX_UDP_OCTETS, type Served, type Via, zoneFor } from "../zone/authority.ts";
import { leadsOut } from "../zone/leads-out.ts";
import { answerOpt, EDE, mostOctets, provedAddress } from "./edns.ts";
import { headerRcode, ownerEnd, parseQuery, type Query } from "./query.ts";

/** A forwarder's answer. */
export interface Reply {
  /** With the upper bits that OPT holds (RFC 6891 §6.1.3). */
  readonly rcode: number;
  /** It did not fit: to be asked for over TCP. Its records are not read. */
  readonly truncated: boolean;
  /** The message up to its OPT, and records in its answer, authority and additional section up to there. */
  readonly octets: Uint8Array;
  readonly counts: readonly [number, number, number];
}

const CD = 0x10;

/**
 * The query in `message`, when it can be forwarded: recursion desired, class IN, a type of data or ANY, not
 * signed for this server, and a name in none of the zones or delegated by one, or an alias that leads there. Undefined for all
 * others.
 */
export function forwardable(zones: readonly Served[], message: Uint8Array): Query | undefined {
  const query = parseQuery(message);
  if (query === undefined || headerRcode(query) !== RCODE.NOERROR) return undefined;
  if (!query.recursionDesired || query.tsig > 0 || query.qclass !== CLASS.IN) return undefined;
  if (!isDataType(query.qtype) && query.qtype !== TYPE.ANY) return undefined;
  const name = message.subarray(12, query.questionEnd - 4);
  const outside = zoneFor(zones, name) === undefined || leadsOut(zones, name, query.qtype) !== undefined;
  return outside ? query : undefined;
}

/** Two queries with the same key have the same answer: question in lower case, CD, DO. */
export function forwardKey(message: Uint8Array, query: Query): string {
  // not slice(): that of a Buffer is no copy
  const question = Uint8Array.from(message.subarray(12, query.questionEnd));
  const nameEnd = question.length - 4;
  for (let i = 0; i < nameEnd; i++) question[i] = lower(question[i] as number);
  const flags = ((message[3] as number) & CD) | (query.edns?.dnssecOk === true ? 1 : 0);
  return `${flags} ${Buffer.from(question).toString("latin1")}`;
}

/** The query to a forwarder: the client's question, RD, CD and (with `edns`) DO, and nothing else of the client's message. */
export function forwardQuery(message: Uint8Array, query: Query, id: number, edns = true): Uint8Array {
  const size = MAX_UDP_OCTETS;
  const head = [id >>> 8, id & 0xff, 1, (message[3] as number) & CD, 0, 1, 0, 0, 0, 0, 0, edns ? 1 : 0];
  const question = message.subarray(12, query.questionEnd);
  if (!edns) return Uint8Array.from([...head, ...question]);
  const flags = query.edns?.dnssecOk === true ? 0x80 : 0;
  const opt = [0, 0, TYPE.OPT, size >>> 8, size & 0xff, 0, 0, flags, 0, 0, 0];
  return Uint8Array.from([...head, ...question, ...opt]);
}

/** RCODEs of servers without EDNS to a query with it (RFC 6891 §7, and older ones). */
export const NO_EDNS: ReadonlySet<number | undefined> = new Set([RCODE.FORMERR, RCODE.NOTIMP]);

/** Is `reply` a header alone, of a server that could not read `sent`? */
function isUnread(sent: Uint8Array, reply: Uint8Array): boolean {
  if (reply.length !== 12 || read16(reply, 0) !== read16(sent, 0)) return false;
  return (
    ((reply[2] as number) & 0xfa) === 0x80 &&
    NO_EDNS.has((reply[3] as number) & 15) &&
    !reply.subarray(4).some(Boolean)
  );
}

/** Is `reply` a response with the ID and the question of `sent`, whose name may differ in case? */
function matches(sent: Uint8Array, questionEnd: number, reply: Uint8Array): boolean {
  if (reply.length < questionEnd || read16(reply, 0) !== read16(sent, 0)) return false;
  // QR set, opcode QUERY, one question
  if (((reply[2] as number) & 0xf8) !== 0x80 || read16(reply, 4) !== 1) return false;
  for (let i = 12; i < questionEnd - 4; i++)
    if (lower(reply[i] as number) !== lower(sent[i] as number)) return false;
  for (let i = questionEnd - 4; i < questionEnd; i++) if (reply[i] !== sent[i]) return false;
  return true;
}

/**
 * The answer to `sent` (of forwardQuery) in a received message; undefined when it is no answer, or cannot be parsed.
 * Time is bounded by the message's octets, and no pointer is followed.
 */
export function readReply(sent: Uint8Array, questionEnd: number, reply: Uint8Array): Reply | undefined {
  const rcode = (reply[3] as number) & 15;
  if (isUnread(sent, reply)) return { rcode, truncated: false, octets: reply, counts: [0, 0, 0] };
  if (!matches(sent, questionEnd, reply)) return undefined;
  if ((reply[2] as number) & 2) return { rcode, truncated: true, octets: reply, counts: [0, 0, 0] };
  const kept: [number, number, number] = [0, 0, 0];
  let keptEnd = questionEnd;
  let upper = 0;
  let opt = false;
  let at = questionEnd;
  for (const section of [0, 1, 2] as const)
    for (let left = read16(reply, 6 + 2 * section); left > 0; left--) {
      const fixed = ownerEnd(reply, at);
      if (fixed === 0 || fixed + 10 > reply.length) return undefined;
      const end = fixed + 10 + read16(reply, fixed + 8);
      if (end > reply.length) return undefined;
      if (read16(reply, fixed) === TYPE.OPT) {
        if (opt || section !== 2) return undefined;
        opt = true;
        upper = reply[fixed + 4] as number;
      } else if (!opt) {
        // what follows an OPT is optional, and its pointers would be wrong without the OPT
        kept[section]++;
        keptEnd = end;
      }
      at = end;
    }
  if (at !== reply.length) return undefined;
  return { rcode: (upper << 4) | rcode, truncated: false, octets: reply.subarray(0, keptEnd), counts: kept };
}

/**
 * The client's answer from a forwarder's, SERVFAIL without one: its own ID and question, RA, never AA or AD (nothing was
 * validated here), as many octets as any other answer may have. Writes it into `out` and returns its octets.
 */
export function answerFrom(
  authority: Authority,
  via: Via,
  message: Uint8Array,
  query: Query,
  reply: Reply | undefined,
  out: Uint8Array,
): number {
  const rcode = reply?.rcode ?? RCODE.SERVFAIL;
  const ede = reply === undefined ? EDE.NO_REACHABLE_AUTHORITY : undefined;
  const opt = query.edns && answerOpt(authority, via, query.edns, rcode, ede);
  const most = mostOctets(via, query, message.length, provedAddress(authority, via, query));
  const body = reply?.octets.subarray(query.questionEnd) ?? new Uint8Array();
  const size = query.questionEnd + body.length + (opt?.length ?? 0);
  const truncated = size > most;
  out.set(message.subarray(0, query.questionEnd));
  out[2] = 0x81 | (truncated ? 2 : 0);
  out[3] = RECURSION_AVAILABLE | ((message[3] as number) & CD) | (rcode & 15);
  const counts = truncated || reply === undefined ? [0, 0, 0] : [...reply.counts];
  counts[2] = (counts[2] as number) + (opt === undefined ? 0 : 1);
  for (const [i, count] of [1, ...counts].entries()) {
    out[4 + 2 * i] = count >>> 8;
    out[5 + 2 * i] = count;
  }
  let at = query.questionEnd;
  if (!truncated) {
    out.set(body, at);
    at += body.length;
  }
  if (opt !== undefined) out.set(opt, at);
  return at + (opt?.length ?? 0);
}
