/** The host names by which the page may be requested. */
import { isIP } from "node:net";
import { networkInterfaces } from "node:os";

/** Is this host name, as `hostOf` gives it, one of the page's? */
export type IsOwnHost = (host: string) => boolean;

/** Addresses of this host as a URL has them, IPv6 in brackets. */
function ownAddresses(): string[] {
  return Object.values(networkInterfaces()).flatMap((addresses = []) =>
    addresses.map(({ address, family }) => (family === "IPv6" ? `[${address}]` : address)),
  );
}

/** The name in a request's Host: lower case, without port and final dot. */
export function hostOf(header: string): string {
  return header.toLowerCase().replace(/:\d*$/, "").replace(/\.$/, "");
}

/**
 * Names of the page: `names`, `localhost`, loopback addresses and this host's own, which are read for each request
 * because they change. Another site's name never equals one of the addresses (DNS rebinding).
 */
export function ownHosts(
  names: readonly string[],
  addresses: () => readonly string[] = ownAddresses,
): IsOwnHost {
  const known = new Set(
    names.map((name) => (name.includes(":") ? `[${name}]` : name.replace(/\.$/, "")).toLowerCase()),
  );
  return (host) => {
    if (known.has(host) || host === "localhost") return true;
    const plain = host.replace(/^\[(.*)\]$/, "$1");
    const version = isIP(plain);
    if (version === 0 || (version === 6) !== host.startsWith("[")) return false;
    return (version === 4 && plain.startsWith("127.")) || addresses().includes(host);
  };
}
