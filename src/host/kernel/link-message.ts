/** Devices and addresses in rtnetlink's messages (linux/rtnetlink.h, linux/if_link.h, linux/if_addr.h, linux/if_bridge.h). */
import type { Netlink } from "./netlink.ts";
import { attribute, DUMP, int32, type Message, REQUEST } from "./netlink-message.ts";

export const RTM_GETLINK = 18;
export const RTM_SETLINK = 19;
export const RTM_NEWADDR = 20;
export const RTM_DELADDR = 21;
const RTM_GETADDR = 22;

/** Octets of struct ifinfomsg and of struct ifaddrmsg, in front of the attributes. */
export const LINK_HEADER = 16;
export const ADDRESS_HEADER = 8;

export const IFLA_IFNAME = 3;
export const IFLA_LINK = 5;
export const IFLA_MASTER = 10;
export const IFLA_PROTINFO = 12;
export const IFLA_LINKINFO = 18;
export const IFLA_LINK_NETNSID = 37;
export const IFLA_TARGET_NETNSID = 46;
const IFLA_EXT_MASK = 29;
/** Within IFLA_LINKINFO. */
export const IFLA_INFO_KIND = 1;
export const IFLA_INFO_SLAVE_KIND = 4;
export const IFLA_INFO_SLAVE_DATA = 5;
/** Of a bridge port. */
export const IFLA_BRPORT_MODE = 4;

export const IFA_ADDRESS = 1;
export const IFA_LOCAL = 2;
export const IFA_LABEL = 3;

export const AF_INET = 2;
export const AF_BRIDGE = 7;

/** No counters of packets, which are most of a device's answer. */
const SKIP_STATS = 1 << 3;

/** Asks for devices: without `index` and a name in `attributes` it is for all. */
export function linkQuestion(flags: number, attributes: Buffer = Buffer.alloc(0), index = 0): Message {
  const header = Buffer.alloc(LINK_HEADER);
  header.writeInt32LE(index, 4);
  const body = Buffer.concat([header, attributes, attribute(IFLA_EXT_MASK, int32(SKIP_STATS))]);
  return { type: RTM_GETLINK, flags: REQUEST | flags, body };
}

/** Asks for the IPv4 addresses of all devices. */
export function addressQuestion(): Message {
  const body = Buffer.alloc(ADDRESS_HEADER);
  body.writeUInt8(AF_INET, 0);
  return { type: RTM_GETADDR, flags: REQUEST | DUMP, body };
}

/** Tries of a list that other changes interrupt; the last counts. */
const TRIES = 5;

/** The bodies of the whole answer to a question for a list. Throws NetlinkError. */
export async function listed(route: Netlink, question: Message): Promise<readonly Buffer[]> {
  for (let tries = 1; ; tries++) {
    const bodies: Buffer[] = [];
    const interrupted = await route.listInTurns(question, ({ body }) => void bodies.push(Buffer.from(body)));
    if (!interrupted || tries === TRIES) return bodies;
  }
}
