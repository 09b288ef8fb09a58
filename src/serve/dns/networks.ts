/** The networks and keys that may transfer, and the text of an address. */
import { BlockList, isIP } from "node:net";
import type { Say } from "../../daemon/log.ts";
import type { TsigKeys } from "../../dns/message/tsig.ts";
import { parseTransferPeer } from "../../dns/text/peers.ts";
import { formatIpv6 } from "../../dns/wire/address.ts";
import { nameKey, parseName } from "../../dns/wire/name.ts";

/** Networks from which something is allowed, and keys that allow it too. */
export interface Permission {
  readonly networks: BlockList;
  readonly keys: readonly string[];
}

/**
 * Read items such as `192.0.2.0/24`, `2001:db8::1` and `key:NAME`.
 * Items that are neither are returned, for the caller to report.
 */
export function readPermission(items: readonly string[]): { permission: Permission; unknown: string[] } {
  const networks = new BlockList();
  const keys: string[] = [];
  const unknown: string[] = [];
  for (const item of items) {
    const peer = parseTransferPeer(item);
    if (peer === undefined) unknown.push(item);
    else if (peer.kind === "key") keys.push(peer.name);
    else networks.addSubnet(peer.address, peer.prefix, peer.ipv6 ? "ipv6" : "ipv4");
  }
  return { permission: { networks, keys }, unknown };
}

/** Does the permission include this address? */
export function isAllowed(permission: Permission, address: string): boolean {
  const plain = address.replace(/^::ffff:(?=[0-9.]+$)/i, "").replace(/%.*$/, "");
  const version = isIP(plain);
  return version !== 0 && permission.networks.check(plain, version === 4 ? "ipv4" : "ipv6");
}

/** Text of 4 or 16 octets of an address. */
export function addressText(octets: Uint8Array): string {
  return octets.length === 4 ? octets.join(".") : formatIpv6(octets);
}

/** Name of a TSIG key in the configuration, as TsigKeys has it. */
export function tsigKeyId(name: string): string {
  return nameKey(parseName(`${name.replace(/\.$/, "")}.`));
}

/** Which of the keys may transfer. */
export function transferKeys(names: readonly string[], keys: TsigKeys, log: Say): ReadonlySet<string> {
  const allowed = new Set<string>();
  for (const name of names) {
    const key = tsigKeyId(name);
    if (keys.has(key)) allowed.add(key);
    else log("error", `key:${name} in DNS_ALLOW_TRANSFER: no such key in DNS_TSIG_KEY_FILE`);
  }
  return allowed;
}
