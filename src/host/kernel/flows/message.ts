/** Netlink messages about tracked connections (linux/netfilter/nfnetlink_conntrack.h). */
import type { Ipv4 } from "../../../core/addresses/ipv4.ts";
import { ESTABLISHED, type Tracked } from "../../../core/lifecycle/usage.ts";
import { attribute, DUMP, type Message, REQUEST, seek } from "../netlink-message.ts";

const CONNTRACK = 1 << 8;
const NEW = CONNTRACK | 0;
const GET = CONNTRACK | 1;
const AF_INET = 2;
/** Octets of struct nfgenmsg, in front of the attributes. */
const HEADER = 4;

const CTA_STATUS = 3;
const CTA_STATUS_MASK = 26;
/** Attributes by their path: CTA_TUPLE_ORIG is 1, in it CTA_TUPLE_IP 1 and CTA_TUPLE_PROTO 2; CTA_PROTOINFO is 4. */
const SOURCE = [1, 1, 1];
const DESTINATION = [1, 1, 2];
const PROTOCOL = [1, 2, 1];
const PORT = [1, 2, 3];
const STATUS = [CTA_STATUS];
const TIMEOUT = [7];
/** By protocol: of TCP and SCTP. */
const STATE: ReadonlyMap<number, readonly number[]> = new Map([
  [6, [4, 1, 1]],
  [132, [4, 3, 1]],
]);

// linux/netfilter/nf_conntrack_common.h
const SEEN_REPLY = 1 << 1;
const ASSURED = 1 << 2;
const DST_NAT = 1 << 5;
const OFFLOAD = 1 << 14;

/** Asks for all redirected connections of IPv4. Kernels before 5.15 do not know the filter, and list the others as well. */
export function flowsQuestion(): Message {
  const redirected = Buffer.alloc(4);
  redirected.writeUInt32BE(DST_NAT);
  const filter = [attribute(CTA_STATUS, redirected), attribute(CTA_STATUS_MASK, redirected)];
  const body = Buffer.concat([Buffer.from([AF_INET, 0, 0, 0]), ...filter]);
  return { type: GET, flags: REQUEST | DUMP, body };
}

/**
 * The connection in a message of the kernel's; undefined where it was not redirected, and for any other octets. Reads in
 * place, since there may be tens of thousands.
 */
export function readFlow({ type, body }: Message, address: (n: number) => Ipv4): Tracked | undefined {
  if (type !== NEW || body[0] !== AF_INET) return undefined;
  const at = (path: readonly number[], size: number): number => seek(body, HEADER, path, size);
  const statusAt = at(STATUS, 4);
  const status = statusAt < 0 ? 0 : body.readUInt32BE(statusAt);
  if ((status & DST_NAT) === 0) return undefined;
  const [sourceAt, destinationAt, protocolAt] = [at(SOURCE, 4), at(DESTINATION, 4), at(PROTOCOL, 1)];
  if (sourceAt < 0 || destinationAt < 0 || protocolAt < 0) return undefined;
  const [portAt, timeoutAt] = [at(PORT, 2), at(TIMEOUT, 4)];
  const protocol = body[protocolAt] ?? 0;
  const statePath = STATE.get(protocol);
  const stateAt = statePath === undefined ? -1 : at(statePath, 1);
  // the kernel tells neither state nor timeout of those that a flowtable forwards, which are established and in use
  const offloaded = (status & OFFLOAD) !== 0;
  const state = offloaded ? ESTABLISHED.get(protocol) : body[stateAt];
  return {
    protocol,
    source: address(body.readUInt32BE(sourceAt)),
    destination: address(body.readUInt32BE(destinationAt)),
    port: portAt < 0 ? 0 : body.readUInt16BE(portAt),
    state: state ?? 0,
    replied: (status & SEEN_REPLY) !== 0,
    assured: (status & ASSURED) !== 0,
    left: offloaded ? Number.POSITIVE_INFINITY : timeoutAt < 0 ? 0 : body.readUInt32BE(timeoutAt),
  };
}
