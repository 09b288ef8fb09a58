/** Readers of values that name an address with a port. */
import { parseNotifyTarget } from "../../dns/text/peers.ts";
import { type Ipv4, parseIpv4 } from "../addresses/ipv4.ts";
import { Bad, parts } from "./values.ts";

/** A resolver. */
export interface ForwarderAddress {
  readonly address: string;
  readonly port: number;
}

/** So many can be asked one after another within the 5 s that a client's own resolver waits. */
const MAX_FORWARDERS = 3;

/** `192.0.2.53`, `192.0.2.53@5353`, comma separated, at most three. */
export function forwarders(value: string): ForwarderAddress[] {
  const found = parts(value).map((part) => {
    const target = parseNotifyTarget(part);
    if (target === undefined) throw new Bad(`holds "${part}", which is not ADDRESS[@PORT]`);
    return { address: target.address, port: target.port };
  });
  if (found.length > MAX_FORWARDERS)
    throw new Bad(`holds ${found.length} resolvers, must be at most ${MAX_FORWARDERS}`);
  return found;
}

/** An address and a port of this host. */
export interface Endpoint {
  readonly address: Ipv4;
  readonly port: number;
}

/** `127.0.0.1:9553`. The port above it is used too. */
export function endpoint(value: string): Endpoint {
  const [addressText = "", portText = "", more] = value.split(":");
  const at = parseIpv4(addressText);
  const port = /^\d{1,5}$/.test(portText) ? Number(portText) : 0;
  if (at === undefined || more !== undefined || port < 1 || port > 65_534) {
    throw new Bad(`is "${value}", must be an IPv4 address and a port, such as 127.0.0.1:9553`);
  }
  return { address: at, port };
}

/** What is wrong with an address that other machines can reach while no network may read there; else undefined. */
export function unlisted(at: Endpoint | null, networks: readonly string[]): string | undefined {
  if (at === null || at.address.startsWith("127.") || networks.length > 0) return undefined;
  return `is ${at.address}:${at.port}, which is no loopback address: set METRICS_ALLOW to the networks that may read there, such as 192.0.2.0/24`;
}
