import t from "tap";
import { respond } from "../../../src/dns/message/respond.ts";
import { MAX_UDP_OCTETS } from "../../../src/dns/zone/authority.ts";
import { answerInPlace } from "../../../src/dns/zone/fast.ts";
import type { Zone } from "../../../src/dns/zone/zone.ts";
import { makeQuery, readMessage } from "../message.ts";
import { authorityOf, OWNERS, TCP, TYPES, UDP, zoneOf } from "../zones.ts";

const authority = authorityOf();
const zones = authority.zones.map(({ zone }) => zone as Zone);

const NAMES = [...OWNERS, "big.", "medium.", `${"l.".repeat(100)}`].map((name) => `${name}example.org.`);
const ASKED = [...TYPES, "ANY", "TYPE0", "OPT", "AXFR"];

t.test("in-place and slow path: the same answer", async (t) => {
  let inPlace = 0;
  for (const name of [...NAMES, "org.", "evilexample.org.", "."]) {
    for (const type of ASKED) {
      for (const edns of [
        undefined,
        { size: 512 },
        { size: 4096, flags: 0x8000 },
        { version: 1 },
        { options: [[10, new Uint8Array(8)]] as [number, Uint8Array][] },
      ]) {
        for (const [via, most] of [
          [UDP, MAX_UDP_OCTETS],
          [TCP, 65535],
        ] as const) {
          const query = makeQuery(name, type, edns ? { edns } : {});
          const octets = new Uint8Array(8 + 65535);
          octets.set(query, 8);
          const size = answerInPlace(zones, octets, 8, query.length, most, { qtype: 0 });
          if (size === 0) {
            t.strictSame(octets.subarray(8, 8 + query.length), query, "a message passed on is untouched");
            continue;
          }
          inPlace++;
          const out = new Uint8Array(65535);
          const slow = readMessage(out.subarray(0, respond(authority, via, query, out)));
          const fast = readMessage(octets.subarray(8, 8 + size));
          t.strictSame(fast, slow, `${name} ${type} ${JSON.stringify(edns)}`);
        }
      }
    }
  }
  t.ok(inPlace > 1500, `${inPlace} answered in place`);
});

t.test("the longest names below the shortest apex: answered", async (t) => {
  const zone = zoneOf(
    "$TTL 60\n@ SOA ns1 h 1 3600 600 86400 60\n@ NS ns1\nns1 A 192.0.2.1\n*.w A 192.0.2.2\n",
    "o.",
  );
  const of = authorityOf({ zones: [{ origin: zone.origin, zone }] });
  for (const name of [
    `${"a.".repeat(125)}o.`,
    `${"a.".repeat(120)}bbbbbbbbb.o.`,
    `${"a.".repeat(124)}w.o.`,
  ]) {
    const query = makeQuery(name, "A");
    const octets = new Uint8Array(2048);
    octets.set(query);
    const size = answerInPlace([zone], octets, 0, query.length, MAX_UDP_OCTETS, { qtype: 0 });
    const out = new Uint8Array(2048);
    t.ok(size > 0);
    t.strictSame(
      readMessage(octets.subarray(0, size)),
      readMessage(out.subarray(0, respond(of, UDP, query, out))),
      `${name.length} octets`,
    );
  }
});

t.test("an answer of any type: at most four times its query", async (t) => {
  const zone = zoneOf(
    "$TTL 60\n@ SOA ns1 hostmaster 1 3600 600 86400 60\n@ NS ns1\n@ A 192.0.2.1\nns1 A 192.0.2.1\ndockerhost A 192.0.2.1\nweb A 192.0.2.2\n_http._tcp.web SRV 0 0 80 web\n",
  );
  const of = authorityOf({ zones: [{ origin: zone.origin, zone }] });
  const out = new Uint8Array(2048);
  let worst = 0;
  for (const name of ["", "ns1.", "web.", "_http._tcp.web.", "_tcp.web.", "no."]) {
    for (let type = 1; type < 300; type++) {
      for (const edns of [undefined, { size: 4096, flags: 0x8000 }]) {
        const query = makeQuery(`${name}example.org.`, type, edns ? { edns } : {});
        worst = Math.max(worst, respond(of, UDP, query, out) / query.length);
      }
    }
  }
  t.ok(worst <= 4 && worst > 1, `at worst ${worst.toFixed(2)}`);
});
