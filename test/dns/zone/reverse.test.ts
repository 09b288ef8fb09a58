import t from "tap";
import {
  type AddressRanges,
  reverseOrigins,
  reverseOwner,
  reverseZoneTexts,
} from "../../../src/dns/zone/reverse.ts";
import { EXAMPLE, zoneOf } from "../zones.ts";

const ip = (text: string) => text.split(".").reduce((sum, part) => sum * 256 + Number(part), 0);
const pool: AddressRanges = [[ip("192.0.2.4"), ip("192.0.2.8")]];

t.test("apexes and owners: whole and classless (RFC 2317)", async (t) => {
  t.strictSame(reverseOrigins([[ip("192.0.2.250"), ip("192.0.3.5")]]), [
    "2.0.192.in-addr.arpa.",
    "3.0.192.in-addr.arpa.",
  ]);
  const table: [string, string, string | undefined][] = [
    ["192.0.2.4", "2.0.192.in-addr.arpa.", "4.2.0.192.in-addr.arpa."],
    ["192.0.2.4", "192.in-addr.arpa.", "4.2.0.192.in-addr.arpa."],
    ["192.0.2.4", "0-63.2.0.192.in-addr.arpa.", "4.0-63.2.0.192.in-addr.arpa."],
    ["192.0.3.4", "0-63.2.0.192.in-addr.arpa.", undefined],
    ["192.0.3.4", "2.0.192.in-addr.arpa.", undefined],
    ["192.0.12.4", "2.0.192.in-addr.arpa.", undefined],
  ];
  for (const [address, origin, want] of table)
    t.equal(reverseOwner(ip(address), origin), want, `${address} in ${origin}`);
});

t.test("PTR records: one for each of the pool's addresses that has a name", async (t) => {
  const [{ text = "" } = {}] = reverseZoneTexts(
    zoneOf(`${EXAMPLE}alias.of.web A 192.0.2.5\nzzz A 192.0.2.5\n`),
    pool,
    ["2.0.192.in-addr.arpa."],
  );
  t.strictSame(
    text
      .trim()
      .split("\n")
      .map((line) => line.split("\t").filter((_, i) => i !== 1 && i !== 2)),
    [
      ["2.0.192.in-addr.arpa.", "SOA", "ns1.example.org. hostmaster.example.org. 7 3600 600 86400 30"],
      ["2.0.192.in-addr.arpa.", "NS", "ns1.example.org."],
      ["2.0.192.in-addr.arpa.", "NS", "ns2.example.org."],
      ["4.2.0.192.in-addr.arpa.", "PTR", "mail.example.org."],
      ["5.2.0.192.in-addr.arpa.", "PTR", "Web.example.org."],
      ["6.2.0.192.in-addr.arpa.", "PTR", "Web.example.org."],
      ["7.2.0.192.in-addr.arpa.", "PTR", "a.b.c.example.org."],
    ],
  );
});

t.test("a /16 in 256 reverse zones: the forward zone is read as often as for one", async (t) => {
  const large: AddressRanges = [[ip("10.1.0.0"), ip("10.1.255.255")]];
  const names = Array.from({ length: 600 }, (_, i) => `n${i} A 10.1.${i & 255}.${i >> 8}\n`);
  const zone = zoneOf(`${EXAMPLE}${names.join("")}`);
  const readsFor = (origins: readonly string[]): number => {
    let reads = 0;
    const words = new Proxy(zone.words, {
      get(target, key) {
        reads++;
        return Reflect.get(target, key);
      },
    });
    reverseZoneTexts({ ...zone, words }, large, origins);
    return reads;
  };
  const origins = reverseOrigins(large);
  t.equal(origins.length, 256);
  t.equal(readsFor(origins), readsFor(["1.10.in-addr.arpa."]));
  const ptrs = reverseZoneTexts(zone, large, origins).map(({ text }) => text.match(/\tPTR\t/g)?.length);
  t.same(
    ptrs,
    Array.from({ length: 256 }, (_, i) => (i < 600 - 512 ? 3 : 2)),
    "each has its own",
  );
});
