/** Answers to datagrams, with rate limit and counters, for both UDP engines. */
import { answerOpt, provedAddress, slip } from "../../dns/message/edns.ts";
import { parseQuery } from "../../dns/message/query.ts";
import { KIND, type RateLimit, rateLimit, SEND, SLIP } from "../../dns/message/rate-limit.ts";
import { respond } from "../../dns/message/respond.ts";
import { RCODE } from "../../dns/wire/types.ts";
import { type Authority, loadedZones, MAX_UDP_OCTETS, type Via } from "../../dns/zone/authority.ts";
import { type Asked, answerInPlace } from "../../dns/zone/fast.ts";
import type { Zone } from "../../dns/zone/zone.ts";
import { type CounterRow, countAnswer, countEvent } from "./counters.ts";

/** Answers datagrams in their own buffer, for both UDP engines. */
export interface UdpResponder {
  /**
   * Answer `octets[at..at+length)` in place; its sender's address is `clientSize` octets of `client` at `clientAt`.
   * Gives the answer's octets, 0 for silence. There must be room for MAX_UDP_OCTETS octets at `at`.
   */
  answer(
    octets: Uint8Array,
    at: number,
    length: number,
    client: Uint8Array,
    clientAt: number,
    clientSize: number,
    now: number,
  ): number;
  /** Answer from this authority from now on. */
  use(authority: Authority): void;
}

/** May this client (4 or 16 octets) learn the zone's serial by IXFR? */
export type MayTransfer = (client: Uint8Array) => boolean;

/** Answers a second of one kind to one network (0 is no limit). */
export interface Rate {
  readonly perSecond: number;
  /** The same for a local network; then loopback has no limit. Default: no difference is made. */
  readonly localPerSecond?: number;
}

/** A responder with its own rate limit and its own row of counters. */
export function udpResponder(
  row: CounterRow,
  rate: Rate,
  seed: number,
  mayTransfer: MayTransfer,
): UdpResponder {
  const limit: RateLimit | undefined =
    rate.perSecond > 0 ? rateLimit(rate.perSecond, seed, rate.localPerSecond) : undefined;
  const out = new Uint8Array(65535);
  const asked: Asked = { qtype: 0 };
  let authority: Authority = { zones: [], idleSeconds: 0 };
  let zones: readonly Zone[] = [];

  const limited = (client: Uint8Array, at: number, size: number, rcode: number, now: number): number => {
    if (limit === undefined) return SEND;
    const kind = rcode === RCODE.NOERROR ? KIND.DATA : rcode === RCODE.NXDOMAIN ? KIND.NXDOMAIN : KIND.ERROR;
    return limit.check(client, at, size, kind, now);
  };

  const slow = (octets: Uint8Array, at: number, length: number, client: Uint8Array, now: number): number => {
    const message = octets.slice(at, at + length);
    const via: Via = { tcp: false, client, now: Math.floor(now / 1000), mayTransfer: mayTransfer(client) };
    const size = respond(authority, via, message, out);
    if (size === 0) {
      countEvent(row, "silent");
      return 0;
    }
    const query = parseQuery(message);
    const rcode = (out[3] as number) & 15;
    countAnswer(row, query?.qtype ?? 0, rcode);
    if (query?.malformed) countEvent(row, "malformed");
    if ((out[2] as number) & 2) countEvent(row, "truncated");
    // A client with a proved address is not limited, nor does it use up the allowance of its network.
    const free = query === undefined || provedAddress(authority, via, query);
    const verdict = free ? SEND : limited(client, 0, client.length, rcode, now);
    if (verdict !== SEND) {
      countEvent(row, verdict === SLIP ? "slipped" : "dropped");
      if (verdict !== SLIP) return 0;
      // With a cookie of ours, the client is free next time (RFC 7873 §5.2.3).
      const opt = query?.edns && answerOpt(authority, via, query.edns, 0, undefined);
      return slip(octets, at, query?.questionEnd ?? 12, opt);
    }
    octets.set(out.subarray(0, size), at);
    return size;
  };

  return {
    use(next) {
      authority = next;
      zones = loadedZones(next.zones);
    },
    answer(octets, at, length, client, clientAt, clientSize, now) {
      countEvent(row, "udp");
      const size = answerInPlace(zones, octets, at, length, MAX_UDP_OCTETS, asked);
      if (size === 0) return slow(octets, at, length, client.slice(clientAt, clientAt + clientSize), now);
      const rcode = (octets[at + 3] as number) & 15;
      countAnswer(row, asked.qtype, rcode);
      const verdict = limited(client, clientAt, clientSize, rcode, now);
      if (verdict === SEND) return size;
      countEvent(row, verdict === SLIP ? "slipped" : "dropped");
      if (verdict !== SLIP) return 0;
      let end = at + 12;
      while (octets[end] !== 0) end += (octets[end] as number) + 1;
      // The OPT that ends the answer has no options.
      const opt = octets[at + 11] === 1 ? octets.slice(at + size - 11, at + size) : undefined;
      return slip(octets, at, end + 5 - at, opt);
    },
  };
}
