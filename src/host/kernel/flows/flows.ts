/** One look at the kernel's table of tracked connections. */
import { fromNumber, type Ipv4 } from "../../../core/addresses/ipv4.ts";
import type { Tracked } from "../../../core/lifecycle/usage.ts";
import type { Netlink } from "../netlink.ts";
import { flowsQuestion, readFlow } from "./message.ts";

/**
 * All redirected connections of IPv4, also those of other programs' rules; one that changes meanwhile may be listed
 * twice. `netlink` is of NETLINK_NETFILTER. Takes some 3 µs a connection. Throws NetlinkError.
 */
export function readFlows(netlink: Netlink): Tracked[] {
  const flows: Tracked[] = [];
  // an alias has many connections, and a client as well: each is written out once
  const known = new Map<number, Ipv4>();
  const address = (n: number): Ipv4 => {
    let found = known.get(n);
    if (found === undefined) {
      found = fromNumber(n);
      known.set(n, found);
    }
    return found;
  };
  netlink.list(flowsQuestion(), (message) => {
    const flow = readFlow(message, address);
    if (flow !== undefined) flows.push(flow);
  });
  return flows;
}
