import { parseZoneFile } from "../../src/dns/text/zonefile.ts";
import { parseName } from "../../src/dns/wire/name.ts";
import type { Authority, Via } from "../../src/dns/zone/authority.ts";
import { compileZone } from "../../src/dns/zone/compile.ts";
import type { Zone } from "../../src/dns/zone/zone.ts";

/** A zone with one of everything. */
export const EXAMPLE = `$ORIGIN example.org.
$TTL 60
@ 3600 IN SOA ns1 hostmaster 7 3600 600 86400 30
@ IN NS ns1
@ IN NS ns2
@ IN A 192.0.2.1
@ IN MX 10 mail
@ IN TXT "v=spf1 -all"
ns1 A 192.0.2.2
ns1 AAAA 2001:db8::2
ns2 A 192.0.2.3
mail A 192.0.2.4
Web A 192.0.2.5
web A 192.0.2.6
www CNAME web
ext CNAME www.example.net.
loop CNAME pool
pool CNAME loop
deep CNAME nothing.here
a.b.c A 192.0.2.7
*.wild A 192.0.2.8
*.wild TXT "wild"
x.wild A 192.0.2.9
sub NS ns.sub
sub NS ns.example.net.
sub DS 1 8 2 0000000000000000000000000000000000000000000000000000000000000000
ns.sub A 192.0.2.10
d DNAME target
x.target A 192.0.2.11
_http._tcp SRV 0 0 80 web
odd TYPE65280 \\# 3 010203
dot\\.ted A 192.0.2.12
big TXT ${Array.from({ length: 6 }, (_, i) => `"${String.fromCharCode(97 + i).repeat(220)}"`).join(" ")}
medium TXT ${Array.from({ length: 3 }, (_, i) => `"${String.fromCharCode(97 + i).repeat(220)}"`).join(" ")}
`;

/** Owners to ask EXAMPLE for: there, not there, below, above, in other cases; relative to its origin. */
export const OWNERS: readonly string[] = [
  "",
  "web.",
  "WEB.",
  "ns1.",
  "www.",
  "ext.",
  "no.",
  "x.no.",
  "below.web.",
  "c.",
  "b.c.",
  "a.b.c.",
  "z.a.b.c.",
  "wild.",
  "q.wild.",
  "*.wild.",
  "q.r.wild.",
  "x.wild.",
  "q.x.wild.",
  "sub.",
  "ns.sub.",
  "q.sub.",
  "d.",
  "x.d.",
  "target.",
  "x.target.",
  "_http._tcp.",
  "_tcp.",
  "odd.",
  "dot\\.ted.",
  "dot.ted.",
  "loop.",
  "deep.",
  `${"m".repeat(63)}.`,
];

/** Types to ask for: there, not there, of no record. */
export const TYPES: readonly string[] = [
  "A",
  "AAAA",
  "NS",
  "SOA",
  "CNAME",
  "MX",
  "TXT",
  "SRV",
  "DS",
  "DNAME",
  "PTR",
  "TYPE65280",
];

/** Compile or fail the test. */
export function zoneOf(text: string, origin = "example.org."): Zone {
  const { zone, errors } = compileZone(parseZoneFile(text, origin), origin, 0x5eed);
  if (zone === undefined)
    throw new Error(errors.map(({ line, message }) => `${line}: ${message}`).join("\n"));
  return zone;
}

/** An authority for EXAMPLE. */
export function authorityOf(more: Partial<Authority> = {}): Authority {
  return { zones: [{ origin: parseName("example.org."), zone: zoneOf(EXAMPLE) }], idleSeconds: 10, ...more };
}

export const UDP: Via = {
  tcp: false,
  client: Uint8Array.of(192, 0, 2, 99),
  now: 1_700_000_000,
  mayTransfer: false,
};
export const TCP: Via = { ...UDP, tcp: true };
