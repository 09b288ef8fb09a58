import { type Answer, lookup, type OwnedSet } from "./answer.ts";
import { type CookieSecrets, isOurCookie, makeCookie } from "./cookie.ts";
import { type Edns, headerRcode, type Query, readQuery } from "./guard.ts";
import type { Change } from "./journal.ts";
import { endsWithName, formatName, nameKey, type WireName } from "./name.ts";
import { signResponse, type TsigKeys, type Verdict, verifyTsig } from "./tsig.ts";
import { CLASS, RCODE, TYPE } from "./types.ts";
import { addCount, MessageWriter } from "./writer.ts";
import { soaOf, type Zone } from "./zone.ts";

/** A zone we answer for; without content (not loaded yet) it answers SERVFAIL. */
export interface Served {
  readonly origin: WireName;
  readonly zone: Zone | undefined;
  /** Recent changes, oldest first, each from where the one before led. */
  readonly history?: readonly Change[];
}

/** All that an answer depends on beside the message and who sent it. */
export interface Authority {
  readonly zones: readonly Served[];
  readonly cookieSecrets?: CookieSecrets;
  readonly keys?: TsigKeys;
  /** nameKeys of the keys that may transfer. */
  readonly transferKeys?: ReadonlySet<string>;
  /** Octets for NSID (RFC 5001). */
  readonly nsid?: Uint8Array;
  /** Text for version.bind; without it the question is refused. */
  readonly version?: string;
  /** Seconds an idle TCP connection is kept, told to those who ask (RFC 7828). */
  readonly idleSeconds: number;
}

/** How and from whom a message came. */
export interface Via {
  readonly tcp: boolean;
  /** The client's address, 4 or 16 octets. */
  readonly client: Uint8Array;
  /** Seconds since 1970. */
  readonly now: number;
  /** May this client have the zone's current SOA as answer to IXFR over UDP? */
  readonly mayTransfer: boolean;
}

/** Our UDP answers are never larger, whatever is offered: they arrive unfragmented (RFC 9715 §3.1). */
export const UDP_MOST = 1232;

/** EDE INFO-CODEs used (RFC 8914 §4). */
const EDE = { NOT_READY: 14, NOT_AUTHORITATIVE: 20 } as const;

const writer = new MessageWriter();
// A record is written before its size is judged, so the room is that of the largest message and one record more.
const scratch = new Uint8Array(65535 * 2);

/** The served zone that a name belongs to: the one with the longest apex. */
export function zoneFor(zones: readonly Served[], name: WireName): Served | undefined {
  let best: Served | undefined;
  for (const served of zones) {
    if (
      (best === undefined || served.origin.length > best.origin.length) &&
      endsWithName(name, served.origin)
    )
      best = served;
  }
  return best;
}

/** What we say before size and transport count. */
interface Outcome {
  readonly rcode: number;
  readonly answer?: Answer;
  readonly ede?: number;
}

const REFUSED: Outcome = { rcode: RCODE.REFUSED, ede: EDE.NOT_AUTHORITATIVE };

function decide(authority: Authority, via: Via, query: Query, name: WireName, verdict?: Verdict): Outcome {
  const { qtype, qclass } = query;
  if (qclass === CLASS.CH) return chaos(authority, qtype, name);
  if (qclass !== CLASS.IN) return { rcode: RCODE.REFUSED };
  // RFC 8945, RFC 2930: metadata, never asked for. MAILA and MAILB died with RFC 1035's successors.
  if (qtype === TYPE.OPT || qtype === TYPE.TSIG || qtype === 0) return { rcode: RCODE.FORMERR };
  if (qtype === TYPE.TKEY || qtype === TYPE.MAILA || qtype === TYPE.MAILB) return { rcode: RCODE.NOTIMP };
  const served = zoneFor(authority.zones, name);
  if (served === undefined) return REFUSED;
  if (served.zone === undefined) return { rcode: RCODE.SERVFAIL, ede: EDE.NOT_READY };
  if (qtype === TYPE.AXFR || qtype === TYPE.IXFR) {
    // Transfers go over TCP; an IXFR over UDP is told the serial and comes back (RFC 1995 §2).
    if (name.length !== served.origin.length) return { rcode: RCODE.NOTAUTH };
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

/** Does the key that signed the query allow transfers? */
export function mayByKey(authority: Authority, verdict: Verdict | undefined): boolean {
  return verdict?.key !== undefined && authority.transferKeys?.has(nameKey(verdict.keyName)) === true;
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

/** OPT's options for the answer. */
function options(authority: Authority, via: Via, edns: Edns, outcome: Outcome): Uint8Array {
  const parts: number[] = [];
  const add = (code: number, octets: ArrayLike<number>) => {
    parts.push(code >>> 8, code & 0xff, octets.length >>> 8, octets.length & 0xff, ...Array.from(octets));
  };
  if (edns.cookie !== undefined && authority.cookieSecrets !== undefined) {
    add(10, makeCookie(authority.cookieSecrets, edns.cookie, via.client, via.now));
  }
  if (edns.nsid && authority.nsid !== undefined) add(3, authority.nsid);
  // RFC 7828 §3.2: only over TCP, in units of 100 ms.
  if (edns.keepalive && via.tcp)
    add(11, [(authority.idleSeconds * 10) >>> 8, (authority.idleSeconds * 10) & 0xff]);
  if (outcome.ede !== undefined) add(15, [outcome.ede >>> 8, outcome.ede & 0xff]);
  return Uint8Array.from(parts);
}

/** Did the client prove its address with a cookie of ours? Rate limits do not hold it then. */
export function provedAddress(authority: Authority, via: Via, query: Query): boolean {
  const cookie = query.edns?.cookie;
  return (
    cookie !== undefined &&
    authority.cookieSecrets !== undefined &&
    isOurCookie(authority.cookieSecrets, cookie, via.client, via.now)
  );
}

/**
 * Answer a message: the slow path, complete. Writes the response into `out` and gives its octets, 0 for silence.
 * Never throws for anything a message can hold. `out` must take 65535 octets over TCP and 1232 over UDP.
 */
export function respond(authority: Authority, via: Via, message: Uint8Array, out: Uint8Array): number {
  const query = readQuery(message);
  if (query === undefined) return 0;
  const verdict =
    query.tsig > 0 && !query.malformed ? verifyTsig(message, query.tsig, authority.keys, via.now) : undefined;
  let outcome: Outcome = { rcode: headerRcode(query) };
  if (verdict !== undefined && verdict.error !== 0) outcome = { rcode: verdict.rcode };
  if (outcome.rcode === RCODE.NOERROR) {
    const name = message.slice(12, query.questionEnd - 4);
    outcome = decide(
      authority,
      { ...via, mayTransfer: via.mayTransfer || verdict?.key !== undefined },
      query,
      name,
    );
  }
  return write(authority, via, message, query, outcome, verdict, out);
}

/** Lay the response out: header, question, sections as they fit, OPT, TSIG. */
function write(
  authority: Authority,
  via: Via,
  message: Uint8Array,
  query: Query,
  outcome: Outcome,
  verdict: Verdict | undefined,
  out: Uint8Array,
): number {
  const { edns } = query;
  const opt = edns === undefined ? undefined : options(authority, via, edns, outcome);
  const most = via.tcp ? 65535 : Math.min(UDP_MOST, edns?.size ?? 512);
  const tail = (opt === undefined ? 0 : 11 + opt.length) + (verdict?.room ?? 0);
  scratch.set(message.subarray(0, query.questionEnd));
  scratch.fill(0, 4, 12);
  if (query.questionEnd > 12) scratch[5] = 1;
  writer.begin(scratch, most - tail, query.questionEnd);
  const truncated = outcome.answer !== undefined && !sections(outcome.answer);
  const aa = outcome.answer?.aa === true ? 4 : 0;
  // RA, Z, AD and CD stay clear (RFC 1035 §4.1.1, RFC 4035 §3.1.6).
  scratch[2] = 0x80 | (query.opcode << 3) | aa | (truncated ? 2 : 0) | (query.recursionDesired ? 1 : 0);
  scratch[3] = outcome.rcode & 15;
  if (opt !== undefined) {
    writer.limit = most;
    scratch.set(
      [0, 0, TYPE.OPT, UDP_MOST >>> 8, UDP_MOST & 0xff, outcome.rcode >>> 4, 0, edns?.dnssecOk ? 0x80 : 0, 0],
      writer.at,
    );
    writer.at += 9;
    writer.u16(opt.length);
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
    // RFC 9471 §3: a referral whose glue is not whole is truncated; other additional records are a favour.
    if (records < 0 && answer.glue) return false;
    if (records > 0) addCount(scratch, 10, records);
  }
  return true;
}

/**
 * Make the message at `at` a truncated answer of header and question (and OPT, when asked with one), in place:
 * the slip of a rate limit. Gives its octets.
 */
export function slip(octets: Uint8Array, at: number, questionEnd: number, edns: boolean): number {
  octets[at + 2] = 0x82 | ((octets[at + 2] as number) & 0x79);
  octets[at + 3] = 0;
  octets.fill(0, at + 4, at + 12);
  octets[at + 5] = questionEnd > 12 ? 1 : 0;
  if (!edns) return questionEnd;
  octets[at + 11] = 1;
  octets.set([0, 0, TYPE.OPT, UDP_MOST >>> 8, UDP_MOST & 0xff, 0, 0, 0, 0, 0, 0], at + questionEnd);
  return questionEnd + 11;
}
