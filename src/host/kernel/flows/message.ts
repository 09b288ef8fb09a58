/** Netlink messages about tracked connections (linux/netfilter/nfnetlink_conntrack.h). */
import { type Ipv4, toNumber } from "../../../core/addresses/ipv4.ts";
import { ESTABLISHED, type Tracked } from "../../../core/lifecycle/usage.ts";
import { ACK, attribute, attributes, DUMP, type Message, NESTED, REQUEST, seek } from "../netlink-message.ts";

const CONNTRACK = 1 << 8;
const NEW = CONNTRACK | 0;
const GET = CONNTRACK | 1;
const DELETE = CONNTRACK | 2;
const AF_INET = 2;
/** Octets of struct nfgenmsg, in front of the attributes. */
const HEADER = 4;

const CTA_TUPLE_ORIG = 1;
const CTA_STATUS = 3;
const CTA_ID = 12;
const CTA_ZONE = 18;
const CTA_FILTER = 25;
const CTA_STATUS_MASK = 26;
const CTA_FILTER_ORIG_FLAGS = 1;
const CTA_FILTER_REPLY_FLAGS = 2;
/** Of the original tuple only its destination (net/netfilter/nf_conntrack_netlink.c). */
const BY_DESTINATION = 1 << 1;
/** Attributes by their path: CTA_TUPLE_ORIG is 1, in it CTA_TUPLE_IP 1 and CTA_TUPLE_PROTO 2; CTA_PROTOINFO is 4. */
const SOURCE = [1, 1, 1];
const DESTINATION = [1, 1, 2];
const PROTOCOL = [1, 2, 1];
const PORT = [1, 2, 3];
/** CTA_TUPLE_REPLY is 2: the address that the answers come from. */
const ANSWERED_BY = [2, 1, 1];
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
  const answeredAt = at(ANSWERED_BY, 4);
  if (sourceAt < 0 || destinationAt < 0 || protocolAt < 0 || answeredAt < 0) return undefined;
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
    answeredBy: address(body.readUInt32BE(answeredAt)),
    port: portAt < 0 ? 0 : body.readUInt16BE(portAt),
    state: state ?? 0,
    replied: (status & SEEN_REPLY) !== 0,
    assured: (status & ASSURED) !== 0,
    left: offloaded ? Number.POSITIVE_INFINITY : timeoutAt < 0 ? 0 : body.readUInt32BE(timeoutAt),
  };
}

/** A connection as it is named to the kernel. */
export interface Flow {
  /** Addresses as numbers: where it was opened to, and where its answers come from. */
  readonly destination: number;
  readonly from: number;
  /** The attributes that name it. */
  readonly name: Buffer;
}

/**
 * Asks for all connections of IPv4 that were opened to an address, or to any. Kernels before 5.8 do not know the filter, and
 * list the others as well.
 */
export function flowsTo(alias?: Ipv4): Message {
  const family = Buffer.from([AF_INET, 0, 0, 0]);
  if (alias === undefined) return { type: GET, flags: REQUEST | DUMP, body: family };
  const address = Buffer.alloc(4);
  address.writeUInt32BE(toNumber(alias));
  const tuple = nested(CTA_TUPLE_ORIG, nested(1, attribute(2, address)));
  const flags = Buffer.alloc(4);
  flags.writeUInt32LE(BY_DESTINATION);
  const filter = nested(
    CTA_FILTER,
    Buffer.concat([
      attribute(CTA_FILTER_ORIG_FLAGS, flags),
      attribute(CTA_FILTER_REPLY_FLAGS, Buffer.alloc(4)),
    ]),
  );
  return { type: GET, flags: REQUEST | DUMP, body: Buffer.concat([family, tuple, filter]) };
}

/** The connection in a message of the kernel's, whether it was redirected or not; undefined for any other octets. */
export function readAnyFlow({ type, body }: Message): Flow | undefined {
  if (type !== NEW || body[0] !== AF_INET) return undefined;
  const [to, from] = [seek(body, HEADER, DESTINATION, 4), seek(body, HEADER, ANSWERED_BY, 4)];
  if (to < 0 || from < 0) return undefined;
  const all = attributes(body.subarray(HEADER));
  const name = [CTA_TUPLE_ORIG, CTA_ID, CTA_ZONE].flatMap((type) => {
    const value = all.get(type);
    return value === undefined ? [] : [attribute(type === CTA_TUPLE_ORIG ? type | NESTED : type, value)];
  });
  return { destination: body.readUInt32BE(to), from: body.readUInt32BE(from), name: Buffer.concat(name) };
}

/** Deletes one connection: with its id, since another may have been opened between the same ends. */
export function forget({ name }: Flow): Message {
  return {
    type: DELETE,
    flags: REQUEST | ACK,
    body: Buffer.concat([Buffer.from([AF_INET, 0, 0, 0]), name]),
  };
}

const nested = (type: number, payload: Buffer): Buffer => attribute(type | NESTED, payload);
