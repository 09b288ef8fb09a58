/** The complete answer to any message, the slow path. */
import { formatName, type WireName } from "../wire/name.ts";
import { CLASS, RCODE, RECURSION_AVAILABLE, TYPE } from "../wire/types.ts";
import { addCount, MessageWriter } from "../wire/writer.ts";
import { type Answer, lookup, type OwnedSet } from "../zone/answer.ts";
import { type Authority, mayByKey, type Via, zoneFor } from "../zone/authority.ts";
import { soaOf } from "../zone/zone.ts";
import { answerOpt, EDE, mostOctets, provedAddress } from "./edns.ts";
import { headerRcode, parseQuery, type Query } from "./query.ts";
import { signResponse, type Verdict, verifyTsig } from "./tsig.ts";

const writer = new MessageWriter();
// A record is written before its size is checked, so the room is that of the largest message and one record more.
const scratch = new Uint8Array(65535 * 2);

/** The answer before its size and the transport are considered. */
export interface Outcome {
  readonly rcode: number;
  readonly answer?: Answer;
  readonly ede?: number;
  /** Bits of the header's fourth octet. */
  readonly flags?: number;
}

const REFUSED: Outcome = { rcode: RCODE.REFUSED, ede: EDE.NOT_AUTHORITATIVE };

function decide(
  authority: Authority,
  via: Via,
  query: Query,
  name: WireName,
  verdict: Verdict | undefined,
): Outcome {
  const { qtype, qclass } = query;
  if (qclass === CLASS.CH) return chaos(authority, qtype, name);
  if (qclass !== CLASS.IN) return { rcode: RCODE.REFUSED };
  // RFC 8945, RFC 2930: metadata, never asked for. MAILA and MAILB are obsolete.
  if (qtype === TYPE.OPT || qtype === TYPE.TSIG || qtype === 0) return { rcode: RCODE.FORMERR };
  if (qtype === TYPE.TKEY || qtype === TYPE.MAILA || qtype === TYPE.MAILB) return { rcode: RCODE.NOTIMP };
  const served = zoneFor(authority.zones, name);
  if (served === undefined) return REFUSED;
  if (served.zone === undefined) return { rcode: RCODE.SERVFAIL, ede: EDE.NOT_READY };
  if (qtype === TYPE.AXFR || qtype === TYPE.IXFR) {
    // Transfers go over TCP; an IXFR over UDP gets the SOA and is repeated over TCP (RFC 1995 §2).
    if (name.length !== served.origin.length) return { rcode: RCODE.NOTAUTH };
    // Without the serial that the client has there is nothing to answer (RFC 1995 §3).
    if (qtype === TYPE.IXFR && query.serial === undefined) return { rcode: RCODE.FORMERR };
    if (qtype === TYPE.AXFR || via.tcp || !(via.mayTransfer || mayByKey(authority, verdict))) {
      return { rcode: RCODE.REFUSED };
    }
    const soa: OwnedSet = { owner: served.origin, set: soaOf(served.zone) };
    return {
      rcode: 0,
      answer: { rcode: 0, aa: true, answer: [soa], authority: [], additional: [], glue: false },
    };
  }
  const answer = lookup(served.zone, name, qtype);
  return { rcode: answer.rcode, answer };
}

function chaos(authority: Authority, qtype: number, name: WireName): Outcome {
  const asked = formatName(name).toLowerCase();
  if (
    authority.version === undefined ||
    qtype !== TYPE.TXT ||
    (asked !== "version.bind." && asked !== "version.server.")
  ) {
    return { rcode: RCODE.REFUSED };
  }
  const text = Buffer.from(authority.version.slice(0, 255), "latin1");
  const set = { type: TYPE.TXT, ttl: 0, rdata: [Uint8Array.of(text.length, ...text)] };
  return {
    rcode: 0,
    answer: {
      rcode: 0,
      aa: true,
      answer: [{ owner: name, set }],
      authority: [],
      additional: [],
      glue: false,
    },
  };
}

/**
 * Answer any message (the slow path). Writes the response into `out` and returns its octets, 0 for no answer.
 * Never throws, for any message. `out` must take 65535 octets over TCP and 1232 over UDP.
 */
export function respond(authority: Authority, via: Via, message: Uint8Array, out: Uint8Array): number {
  const query = parseQuery(message);
  if (query === undefined) return 0;
  try {
    return answerTo(authority, via, message, query, out);
  } catch {
    // A bug in this program: this client gets SERVFAIL (counted by RCODE), and the server continues.
    return writeResponse(authority, via, message, query, { rcode: RCODE.SERVFAIL }, undefined, out);
  }
}

function answerTo(
  authority: Authority,
  via: Via,
  message: Uint8Array,
  query: Query,
  out: Uint8Array,
): number {
  const verdict =
    query.tsig > 0 && !query.malformed ? verifyTsig(message, query.tsig, authority.keys, via.now) : undefined;
  let outcome: Outcome = { rcode: headerRcode(query) };
  if (verdict !== undefined && verdict.error !== 0) outcome = { rcode: verdict.rcode };
  if (outcome.rcode === RCODE.NOERROR) {
    const name = message.slice(12, query.questionEnd - 4);
    outcome = decide(authority, via, query, name, verdict);
  }
  return writeResponse(authority, via, message, query, outcome, verdict, out);
}

/** Writes the response to `query` into `out`: header, question, sections as they fit, OPT, TSIG. Returns its octets. */
export function writeResponse(
  authority: Authority,
  via: Via,
  message: Uint8Array,
  query: Query,
  outcome: Outcome,
  verdict: Verdict | undefined,
  out: Uint8Array,
): number {
  const { edns } = query;
  const opt = edns === undefined ? undefined : answerOpt(authority, via, edns, outcome.rcode, outcome.ede);
  const proved = provedAddress(authority, via, query) || verdict?.error === 0;
  const most = mostOctets(via, query, message.length, proved);
  const tail = (opt?.length ?? 0) + (verdict?.room ?? 0);
  scratch.set(message.subarray(0, query.questionEnd));
  scratch.fill(0, 4, 12);
  if (query.questionEnd > 12) scratch[5] = 1;
  writer.begin(scratch, most - tail, query.questionEnd);
  const truncated = outcome.answer !== undefined && !sections(outcome.answer);
  const aa = outcome.answer?.aa === true ? 4 : 0;
  // Z, AD and CD stay clear (RFC 1035 §4.1.1, RFC 4035 §3.1.6), CD and RA but for clients whose questions are forwarded.
  scratch[2] = 0x80 | (query.opcode << 3) | aa | (truncated ? 2 : 0) | (query.recursionDesired ? 1 : 0);
  scratch[3] =
    (via.recursion === true ? RECURSION_AVAILABLE : 0) | (outcome.flags ?? 0) | (outcome.rcode & 15);
  if (opt !== undefined) {
    scratch.set(opt, writer.at);
    writer.at += opt.length;
    addCount(scratch, 10, 1);
  }
  let size = writer.at;
  if (verdict !== undefined) size = signResponse(scratch, size, verdict, via.now);
  out.set(scratch.subarray(0, size));
  return size;
}

/** Write the sections; false when something that may not be left out did not fit (RFC 2181 §9). */
function sections(answer: Answer): boolean {
  for (const [at, sets] of [
    [6, answer.answer],
    [8, answer.authority],
  ] as const) {
    for (const { owner, set } of sets) {
      const records = writer.set(owner, set);
      if (records < 0) return false;
      addCount(scratch, at, records);
    }
  }
  for (const { owner, set } of answer.additional) {
    const records = writer.set(owner, set);
    // RFC 9471 §3: a referral whose glue is not whole is truncated; other additional records are optional (RFC 2181 §9).
    if (records < 0 && answer.glue) return false;
    if (records > 0) addCount(scratch, 10, records);
  }
  return true;
}
