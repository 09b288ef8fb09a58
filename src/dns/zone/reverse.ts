/** Reverse zones of an address pool, whole or classless (RFC 2317). */
import { formatRdata } from "../text/rdata-format.ts";
import { formatName } from "../wire/name.ts";
import { TYPE } from "../wire/types.ts";
import { findSet, nodeOwner, nodesOf, type RrSet, readSet, soaOf, type Zone } from "./zone.ts";

/** The addresses that have reverse names: inclusive ranges of IPv4 addresses as numbers. */
export type AddressRanges = readonly (readonly [first: number, last: number])[];

/** Dotted quad of an address as number. */
function quad(address: number): number[] {
  return [address >>> 24, (address >>> 16) & 255, (address >>> 8) & 255, address & 255];
}

/** `2.0.192.in-addr.arpa.` of an address in 192.0.2.0/24 (RFC 1035 §3.5). */
function arpaOf(address: number): string {
  const [a, b, c] = quad(address);
  return `${c}.${b}.${a}.in-addr.arpa.`;
}

/** Apexes of the reverse zones for these ranges: `given`, else one for each /24 they touch. */
export function reverseOrigins(ranges: AddressRanges, given?: string): string[] {
  if (given !== undefined) return [given.endsWith(".") ? given : `${given}.`];
  const origins = new Set<string>();
  for (const [first, last] of ranges) {
    for (let net = first >>> 8; net <= last >>> 8; net++) origins.add(arpaOf(net * 256));
  }
  return [...origins];
}

/**
 * Owner of an address's PTR in the reverse zone `origin`, or undefined when it has none there: its in-addr.arpa name,
 * or for part of a /24 delegated under a name of its own, the last octet below that name (RFC 2317 §4).
 */
export function reverseOwner(address: number, origin: string): string | undefined {
  const name = `${address & 255}.${arpaOf(address)}`;
  if (name.endsWith(`.${origin.toLowerCase()}`)) return name;
  const parent = origin.toLowerCase().replace(/^[^.]+\./, "");
  return parent === arpaOf(address) ? `${address & 255}.${origin}` : undefined;
}

/** Is `a` the better name for an address: fewer labels, then shorter, then first in the alphabet? */
function better(a: string, b: string): boolean {
  const rank = (name: string) => [name.split(".").length, name.length] as const;
  const [labelsA, lengthA] = rank(a);
  const [labelsB, lengthB] = rank(b);
  if (labelsA !== labelsB) return labelsA < labelsB;
  return lengthA === lengthB ? a < b : lengthA < lengthB;
}

/** The name of each address of the ranges that a zone gives one to. */
function namesByAddress(zone: Zone, ranges: AddressRanges): Map<number, { name: string; ttl: number }> {
  const names = new Map<number, { name: string; ttl: number }>();
  for (const node of nodesOf(zone)) {
    const at = findSet(zone, node, TYPE.A);
    if (at === 0) continue;
    const owner = nodeOwner(zone, node);
    // A wildcard is not the name of an address.
    if (owner[0] === 1 && owner[1] === 0x2a) continue;
    const set = readSet(zone, at);
    for (const rdata of set.rdata) {
      const address = new DataView(rdata.buffer, rdata.byteOffset).getUint32(0);
      if (!ranges.some(([first, last]) => address >= first && address <= last)) continue;
      const name = formatName(owner);
      const held = names.get(address);
      if (held === undefined || better(name, held.name)) names.set(address, { name, ttl: set.ttl });
    }
  }
  return names;
}

/** Master-file text of a reverse zone: SOA and NS as the forward zone has them, one PTR an address. */
export function reverseZoneText(zone: Zone, ranges: AddressRanges, origin: string): string {
  const line = (owner: string, set: RrSet, rdata: Uint8Array) =>
    `${owner}\t${set.ttl}\tIN\t${set.type === TYPE.SOA ? "SOA" : "NS"}\t${formatRdata(set.type, rdata)}\n`;
  const soa = soaOf(zone);
  let text = line(origin, soa, soa.rdata[0] as Uint8Array);
  const ns = findSet(zone, zone.apex, TYPE.NS);
  if (ns !== 0) {
    const set = readSet(zone, ns);
    for (const rdata of set.rdata) text += line(origin, set, rdata);
  }
  for (const [address, { name, ttl }] of [...namesByAddress(zone, ranges)].sort((a, b) => a[0] - b[0])) {
    const owner = reverseOwner(address, origin);
    if (owner !== undefined) text += `${owner}\t${ttl}\tIN\tPTR\t${name}\n`;
  }
  return text;
}
