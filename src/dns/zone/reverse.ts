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

/** A reverse zone as text. */
export interface ReverseText {
  readonly text: string;
  /** The same with serial 0: what differs between two versions is more than their serial where this does. */
  readonly content: string;
}

const line = (origin: string, type: "SOA" | "NS", { type: number, ttl }: RrSet, rdata: Uint8Array): string =>
  `${origin}\t${ttl}\tIN\t${type}\t${formatRdata(number, rdata)}\n`;

/**
 * Master-file text of the reverse zones, in the order of `origins` (`reverseOrigins`): SOA and NS as the forward zone has them, one
 * PTR an address. The forward zone is read once for them all.
 */
export function reverseZoneTexts(
  zone: Zone,
  ranges: AddressRanges,
  origins: readonly string[],
): ReverseText[] {
  const soa = soaOf(zone);
  const [rdata] = soa.rdata as [Uint8Array];
  // MNAME and RNAME, then the serial and four times of 32 bits (RFC 1035 §3.3.13)
  const unnumbered = rdata.slice().fill(0, rdata.length - 20, rdata.length - 16);
  const ns = findSet(zone, zone.apex, TYPE.NS);
  const servers = ns === 0 ? undefined : readSet(zone, ns);
  const rests = origins.map((origin) => servers?.rdata.map((one) => line(origin, "NS", servers, one)) ?? []);
  const index = new Map(origins.map((origin, i) => [origin, i]));
  for (const [address, { name, ttl }] of [...namesByAddress(zone, ranges)].sort((a, b) => a[0] - b[0])) {
    // a /24 that is none of them: the one that was given has them all
    const i = index.get(arpaOf(address)) ?? 0;
    const owner = reverseOwner(address, origins[i] as string);
    if (owner !== undefined) rests[i]?.push(`${owner}\t${ttl}\tIN\tPTR\t${name}\n`);
  }
  return origins.map((origin, i) => {
    const rest = rests[i]?.join("") ?? "";
    return {
      text: line(origin, "SOA", soa, rdata) + rest,
      content: line(origin, "SOA", soa, unnumbered) + rest,
    };
  });
}
