/** The zones and settings that queries are answered from. */
import type { CookieSecrets } from "../message/cookie.ts";
import type { TsigKeys, Verdict } from "../message/tsig.ts";
import { endsWithName, nameKey, type WireName } from "../wire/name.ts";
import type { Change } from "./journal.ts";
import type { Zone } from "./zone.ts";

/** A zone that is served; without content (not loaded yet) it answers SERVFAIL. */
export interface Served {
  readonly origin: WireName;
  readonly zone: Zone | undefined;
  /** Recent changes, oldest first, each from where the one before led. */
  readonly history?: readonly Change[];
}

/** All that an answer depends on beside the message and its sender. */
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
  /** Seconds an idle TCP connection is kept, sent to clients that ask (RFC 7828). */
  readonly idleSeconds: number;
}

/** Transport and sender of a message. */
export interface Via {
  readonly tcp: boolean;
  /** The client's address, 4 or 16 octets. */
  readonly client: Uint8Array;
  /** Seconds since 1970. */
  readonly now: number;
  /** May this client have the zone's current SOA as answer to IXFR over UDP? */
  readonly mayTransfer: boolean;
  /** Are this client's questions outside of the zones forwarded? Its answers have RA then. */
  readonly recursion?: boolean;
}

/** UDP answers are never larger, whatever size the client offers: they arrive unfragmented (RFC 9715 §3.1). */
export const MAX_UDP_OCTETS = 1232;

/**
 * Octets of an answer over UDP for each octet of its query, unless the client has proved its address: a query with a
 * forged address gains little. Larger answers are truncated, and the client asks again over TCP.
 */
export const MAX_AMPLIFICATION = 4;

/** The zones that have content, the longest apex first: the first that a name is in is the one it belongs to. */
export function loadedZones(zones: readonly Served[]): readonly Zone[] {
  return zones
    .flatMap(({ zone }) => (zone === undefined ? [] : [zone]))
    .sort((a, b) => b.origin.length - a.origin.length);
}

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

/** Does the key that signed the query allow transfers? */
export function mayByKey(authority: Authority, verdict: Verdict | undefined): boolean {
  return verdict?.key !== undefined && authority.transferKeys?.has(nameKey(verdict.keyName)) === true;
}
