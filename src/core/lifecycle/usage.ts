/** When each alias was last used, and whether a connection to it is open: from the kernel's connection tracking alone. */
import { type Ipv4, type Range, toNumber } from "../addresses/ipv4.ts";

/** One tracked connection that was redirected, of the direction in which it was opened. */
export interface Tracked {
  /** By IANA's number: 1 ICMP, 6 TCP, 17 UDP, 132 SCTP. */
  readonly protocol: number;
  readonly source: Ipv4;
  /** Where it was opened to: an alias, or any address whose port leads to a container. */
  readonly destination: Ipv4;
  /** Where its answers come from: the container's own address. */
  readonly answeredBy: Ipv4;
  /** Destination port; 0 for protocols without ports. */
  readonly port: number;
  /** Of TCP and SCTP as the kernel numbers them (linux/netfilter/nf_conntrack_tcp.h, nf_conntrack_sctp.h), else 0. */
  readonly state: number;
  /** There were packets in both directions. */
  readonly replied: boolean;
  /** TCP, SCTP: the handshake was completed; UDP: it has lasted more than two seconds. */
  readonly assured: boolean;
  /** Seconds until the kernel forgets it, unless a packet comes; Infinity while a flowtable forwards its packets. */
  readonly left: number;
}

/** Seconds after which the kernel forgets an unused connection, by /proc/sys/net/netfilter. */
export interface Timeouts {
  /** By TCP's state; as in the kernel, 12 is that of data sent again too often, 13 that of data not acknowledged. */
  readonly tcp: readonly number[];
  readonly udp: number;
  readonly udpStream: number;
  /** By SCTP's state. */
  readonly sctp: readonly number[];
  readonly icmp: number;
  /** Of protocols that the kernel does not know. */
  readonly other: number;
}

/** The use of one alias. */
export interface Use {
  /**
   * Seconds since the last packet that counts, rounded up; Infinity when there was only a handshake so far. An open
   * connection may be silent: with `busy` the alias is in use whatever this says.
   */
  readonly idle: number;
  /** Connections that are established. */
  readonly open: number;
  /** A connection is open, or is being opened or closed just now: the service must not be stopped. */
  readonly busy: boolean;
}

const TCP = 6;
const UDP = 17;
const ICMP = 1;
const GRE = 47;
const SCTP = 132;

/** The state of an established connection, by protocol. The two before it are those of opening, the three after it of closing. */
export const ESTABLISHED: ReadonlyMap<number, number> = new Map([
  [TCP, 3],
  [SCTP, 4],
]);
const OPENING = 2;
const CLOSING = 3;

/** Places in `Timeouts.tcp` of the timeouts that replace a longer one of the state. */
const SHORTER = [12, 13] as const;

/** Seconds of a GRE tunnel with packets in both directions: the kernel's default. */
const GRE_TIMEOUT = 180;

/** Seconds without a packet after which an established connection is dead: two hours is TCP's keep-alive (RFC 9293 §3.8.4). */
const DEAD = 7_500;

/** Seconds since the last packet in which a handshake, or an answer, may still be on its way. */
const UNDER_WAY = 5;

/**
 * The use of each alias with a connection that counts; an alias that is missing has none that the kernel still knows.
 * `aliasOf`: the alias for which a connection counts, undefined where it counts for none.
 *
 * TCP and SCTP count when the handshake was completed, other protocols when there was an answer: a scan, a refused
 * connection or an unanswered packet is no use. A connection that is opened and reset at once (a load balancer's
 * check) was completed and counts for as long as the kernel keeps it, 10 s in state CLOSE: such a client must be left out by
 * `aliasOf`. A connection that has a timeout policy of its own (nft's `ct timeout`) looks older than it is.
 */
export function usage(
  flows: Iterable<Tracked>,
  timeouts: Timeouts,
  aliasOf: (flow: Tracked) => Ipv4 | undefined,
): Map<Ipv4, Use> {
  const found = new Map<Ipv4, { idle: number; open: number; busy: boolean }>();
  for (const flow of flows) {
    const age = ageOf(flow, timeouts);
    const used = ESTABLISHED.has(flow.protocol) ? flow.assured : flow.replied;
    const busy = isBusy(flow, used, age);
    const alias = used || busy ? aliasOf(flow) : undefined;
    if (alias === undefined) continue;
    let use = found.get(alias);
    if (use === undefined) {
      use = { idle: Number.POSITIVE_INFINITY, open: 0, busy: false };
      found.set(alias, use);
    }
    if (used) use.idle = Math.min(use.idle, age);
    if (used && isOpen(flow, age)) use.open += 1;
    use.busy ||= busy;
  }
  return found;
}

/** What is known of a service whose use is looked at. */
export interface Looked {
  readonly alias: Ipv4;
  /** Its container's own addresses. */
  readonly container: readonly Ipv4[];
  /** Sources that do not count. */
  readonly ignored: readonly Range[];
}

/**
 * For `usage`: a connection counts for the alias that it was opened to, else for that of the container that answers it, as through a
 * port that Docker publishes. What the container itself has opened counts for others only, and what the host has opened for none.
 */
export function countsFor(
  services: readonly Looked[],
  hostAddresses: ReadonlySet<Ipv4>,
): (flow: Tracked) => Ipv4 | undefined {
  const all = services.map(({ alias, container, ignored }) => ({
    alias,
    own: new Set(container),
    counts: countsFrom(ignored, hostAddresses),
  }));
  const byAlias = new Map(all.map((one) => [one.alias, one]));
  const byContainer = new Map(all.flatMap((one) => [...one.own].map((address) => [address, one] as const)));
  return (flow) => {
    const one = byAlias.get(flow.destination) ?? byContainer.get(flow.answeredBy);
    return one?.counts(flow) === true && !one.own.has(flow.source) ? one.alias : undefined;
  };
}

/** Counts connections from everywhere but `ignored` and the host itself. `hostAddresses` includes the aliases: the host uses them as source. */
export function countsFrom(
  ignored: readonly Range[],
  hostAddresses: ReadonlySet<Ipv4>,
): (flow: Tracked) => boolean {
  // as numbers once, since there may be tens of thousands of connections
  const ranges = ignored.map(({ first, last }) => [toNumber(first), toNumber(last)] as const);
  return ({ source }) => {
    if (hostAddresses.has(source)) return false;
    const n = ranges.length === 0 ? 0 : toNumber(source);
    return !ranges.some(([first, last]) => first <= n && n <= last);
  };
}

/** Seconds since the last packet. */
function ageOf({ protocol, state, assured, left }: Tracked, timeouts: Timeouts): number {
  if (protocol === UDP) {
    // one of the two that is shorter than what is left was not set
    const timeout = assured || left > timeouts.udp ? timeouts.udpStream : timeouts.udp;
    return Math.max(0, timeout - left);
  }
  if (protocol === TCP) return tcpAge(timeouts.tcp, state, left);
  if (protocol === SCTP) return Math.max(0, (timeouts.sctp[state] ?? 0) - left);
  const timeout = protocol === ICMP ? timeouts.icmp : protocol === GRE ? GRE_TIMEOUT : timeouts.other;
  return Math.max(0, timeout - left);
}

/**
 * While data is not acknowledged the kernel sets a timeout of minutes in place of that of the state, which is days: what is
 * left does not tell which, and the later packet is assumed.
 */
function tcpAge(timeouts: readonly number[], state: number, left: number): number {
  const timeout = timeouts[state] ?? 0;
  let age = Math.max(0, timeout - left);
  for (const place of SHORTER) {
    const shorter = timeouts[place] ?? 0;
    if (left <= shorter && shorter < timeout) age = Math.min(age, shorter - left);
  }
  return age;
}

const isOpen = ({ protocol, state }: Tracked, age: number): boolean =>
  state === ESTABLISHED.get(protocol) && age < DEAD;

/** `used`: it is more than a handshake. States of closing have timeouts of seconds, and need no limit of their own. */
function isBusy(flow: Tracked, used: boolean, age: number): boolean {
  const established = ESTABLISHED.get(flow.protocol);
  if (established === undefined) return used && age < UNDER_WAY;
  const after = flow.state - established;
  if (!used) return -OPENING <= after && after <= 0 && age < UNDER_WAY;
  return isOpen(flow, age) || (0 < after && after <= CLOSING);
}
