/** Answers to datagrams, with rate limit and counters, for both UDP engines. */
import { answerOpt, provedAddress, slip } from "../../dns/message/edns.ts";
import { forwardable } from "../../dns/message/forward.ts";
import { parseQuery, type Query } from "../../dns/message/query.ts";
import { KIND, type RateLimit, rateLimit, SEND, SLIP } from "../../dns/message/rate-limit.ts";
import { respond } from "../../dns/message/respond.ts";
import { RCODE, RECURSION_AVAILABLE } from "../../dns/wire/types.ts";
import { type Authority, loadedZones, MAX_UDP_OCTETS, type Via } from "../../dns/zone/authority.ts";
import { type Asked, answerInPlace } from "../../dns/zone/fast.ts";
import type { Zone } from "../../dns/zone/zone.ts";
import { type CounterRow, countAnswer, countEvent, countTime } from "./counters.ts";

/** The answer comes later, from a forwarder. */
export const FORWARD = -1;

/** Answers datagrams in their own buffer, for both UDP engines. */
export interface UdpResponder {
  /**
   * Answer `octets[at..at+length)` in place; its sender's address is `clientSize` octets of `client` at `clientAt`.
   * Gives the answer's octets, 0 for silence, FORWARD when a forwarder is to be asked. There must be room for MAX_UDP_OCTETS octets at `at`.
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
  /** So many answers have been sent, so many milliseconds after their queries were read. */
  sent(answers: number, milliseconds: number): void;
  /** Answer from this authority from now on. */
  use(authority: Authority): void;
}

/** What a client (4 or 16 octets) may do. */
export interface ClientRights {
  /** Learn the zone's serial by IXFR. */
  readonly mayTransfer: (client: Uint8Array) => boolean;
  /** Have questions outside of the zones forwarded; absent when there is no forwarder. */
  readonly mayAsk?: ((client: Uint8Array) => boolean) | undefined;
}

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
  { mayTransfer, mayAsk }: ClientRights,
): UdpResponder {
  const limit: RateLimit | undefined =
    rate.perSecond > 0 ? rateLimit(rate.perSecond, seed, rate.localPerSecond) : undefined;
  const out = new Uint8Array(65535);
  const asked: Asked = { qtype: 0 };
  let authority: Authority = { zones: [], idleSeconds: 0 };
  let zones: readonly Zone[] = [];

  const kindOf = (rcode: number): number =>
    rcode === RCODE.NOERROR ? KIND.DATA : rcode === RCODE.NXDOMAIN ? KIND.NXDOMAIN : KIND.ERROR;
  const limited = (client: Uint8Array, at: number, size: number, kind: number, now: number): number =>
    limit === undefined ? SEND : limit.check(client, at, size, kind, now);

  /** A question that waits for a forwarder counts for its network's limit as an answer does. */
  const forward = (octets: Uint8Array, at: number, via: Via, query: Query, now: number): number => {
    const free = provedAddress(authority, via, query);
    const verdict = free ? SEND : limited(via.client, 0, via.client.length, KIND.FORWARDED, now);
    return verdict === SEND ? FORWARD : withheld(octets, at, via, query, verdict);
  };

  /** What is sent in place of an answer over the limit: nothing, or a truncated one. */
  const withheld = (
    octets: Uint8Array,
    at: number,
    via: Via,
    query: Query | undefined,
    verdict: number,
  ): number => {
    countEvent(row, verdict === SLIP ? "slipped" : "dropped");
    if (verdict !== SLIP) return 0;
    // With this server's cookie, the client is not limited next time (RFC 7873 §5.2.3).
    const opt = query?.edns && answerOpt(authority, via, query.edns, 0, undefined);
    return slip(octets, at, query?.questionEnd ?? 12, opt);
  };

  const slow = (octets: Uint8Array, at: number, length: number, client: Uint8Array, now: number): number => {
    const message = octets.slice(at, at + length);
    const recursion = mayAsk?.(client) === true;
    const seconds = Math.floor(now / 1000);
    const via: Via = { tcp: false, client, now: seconds, mayTransfer: mayTransfer(client), recursion };
    const outside = recursion ? forwardable(authority.zones, message) : undefined;
    if (outside !== undefined) return forward(octets, at, via, outside, now);
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
    const verdict = free ? SEND : limited(client, 0, client.length, kindOf(rcode), now);
    if (verdict !== SEND) return withheld(octets, at, via, query, verdict);
    octets.set(out.subarray(0, size), at);
    return size;
  };

  return {
    sent: (answers, milliseconds) => countTime(row, answers, milliseconds),
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
      const verdict = limited(client, clientAt, clientSize, kindOf(rcode), now);
      if (verdict === SEND) {
        if (mayAsk?.(client.slice(clientAt, clientAt + clientSize)) === true)
          octets[at + 3] = rcode | RECURSION_AVAILABLE;
        return size;
      }
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
