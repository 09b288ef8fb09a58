/** The networks of this host's own devices. */
import { BlockList } from "node:net";
import { type NetworkInterfaceInfo, networkInterfaces } from "node:os";
import { addressText } from "./networks.ts";

/** Milliseconds for which the kernel's list is used. */
const FRESH_MS = 5_000;
/** A shorter prefix is no LAN, but may be the whole Internet (0.0.0.0/0). */
const MIN_PREFIX = 8;

type Interfaces = () => NodeJS.Dict<NetworkInterfaceInfo[]>;

/** Is this address (4 or 16 octets) in one of those networks, or one of the host's own? */
export type IsOwnNetwork = (client: Uint8Array) => boolean;

/** `now` is in milliseconds of a monotonic clock. */
export function ownNetworks(
  interfaces: Interfaces = networkInterfaces,
  now: () => number = () => performance.now(),
): IsOwnNetwork {
  let read = Number.NEGATIVE_INFINITY;
  let addresses = new Set<string>();
  let networks = new BlockList();
  const refresh = (): void => {
    addresses = new Set();
    networks = new BlockList();
    const known = new Set<string>();
    for (const { address, cidr, family } of Object.values(interfaces()).flatMap((all = []) => all)) {
      const ipv6 = family === "IPv6";
      const prefix = Number(cidr?.split("/")[1] ?? (ipv6 ? 128 : 32));
      addresses.add(address);
      // the /32 of a container's alias is a network of one address
      if (prefix < MIN_PREFIX || prefix === (ipv6 ? 128 : 32) || known.has(String(cidr))) continue;
      known.add(String(cidr));
      networks.addSubnet(address, prefix, ipv6 ? "ipv6" : "ipv4");
    }
  };
  return (client) => {
    if (now() - read >= FRESH_MS) {
      read = now();
      refresh();
    }
    const text = addressText(client);
    return addresses.has(text) || networks.check(text, client.length === 4 ? "ipv4" : "ipv6");
  };
}
