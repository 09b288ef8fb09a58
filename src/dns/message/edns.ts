/** The OPT record of answers (RFC 6891). */
import { TYPE } from "../wire/types.ts";
import { type Authority, MAX_AMPLIFICATION, MAX_UDP_OCTETS, type Via } from "../zone/authority.ts";
import { isOurCookie, makeCookie } from "./cookie.ts";
import type { Edns, Query } from "./query.ts";

/** EDE INFO-CODEs used (RFC 8914 §4). */
export const EDE = { NOT_READY: 14, NOT_AUTHORITATIVE: 20, NO_REACHABLE_AUTHORITY: 22 } as const;

/**
 * The OPT record of the answer (RFC 6891 §6.1.2), with the upper bits of its RCODE and with the options that were
 * requested or are useful: cookie, NSID, keepalive, the reason of an error (`ede`).
 */
export function answerOpt(
  authority: Authority,
  via: Via,
  edns: Edns,
  rcode: number,
  ede: number | undefined,
): Uint8Array {
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
  if (ede !== undefined) add(15, [ede >>> 8, ede & 0xff]);
  const flags = edns.dnssecOk ? 0x80 : 0;
  const size = parts.length;
  const head = [
    0,
    0,
    TYPE.OPT,
    MAX_UDP_OCTETS >>> 8,
    MAX_UDP_OCTETS & 0xff,
    rcode >>> 4,
    0,
    flags,
    0,
    size >>> 8,
    size & 0xff,
  ];
  return Uint8Array.from([...head, ...parts]);
}

/** True if a cookie of this server has proved the client's address: rate limits do not apply to it. */
export function provedAddress(authority: Authority, via: Via, query: Query): boolean {
  const cookie = query.edns?.cookie;
  return (
    cookie !== undefined &&
    authority.cookieSecrets !== undefined &&
    isOurCookie(authority.cookieSecrets, cookie, via.client, via.now)
  );
}

/** Octets that an answer to this query of `length` octets may have; `proved`: the client's address is no forgery. */
export function mostOctets(via: Via, query: Query, length: number, proved: boolean): number {
  if (via.tcp) return 65535;
  const amplified = proved ? MAX_UDP_OCTETS : MAX_AMPLIFICATION * length;
  return Math.min(MAX_UDP_OCTETS, query.edns?.size ?? 512, amplified);
}

/**
 * Turn the message at `at`, in place, into a truncated answer: header, question, and this OPT if the query had one (the
 * slip of a rate limit). Returns its length in octets.
 */
export function slip(
  octets: Uint8Array,
  at: number,
  questionEnd: number,
  opt: Uint8Array | undefined,
): number {
  octets[at + 2] = 0x82 | ((octets[at + 2] as number) & 0x79);
  octets[at + 3] = 0;
  octets.fill(0, at + 4, at + 12);
  octets[at + 5] = questionEnd > 12 ? 1 : 0;
  if (opt === undefined) return questionEnd;
  octets[at + 11] = 1;
  octets.set(opt, at + questionEnd);
  return questionEnd + opt.length;
}
