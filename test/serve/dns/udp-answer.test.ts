import t from "tap";
import { MAX_UDP_OCTETS } from "../../../src/dns/zone/authority.ts";
import { counterRow } from "../../../src/serve/dns/counters.ts";
import { udpResponder } from "../../../src/serve/dns/udp-answer.ts";
import { makeQuery, type QueryOptions, type ReadMessage, readMessage } from "../../dns/message.ts";
import { authorityOf, zoneOf } from "../../dns/zones.ts";

const CLIENT = Uint8Array.of(192, 0, 2, 99);
const NOW = 1_700_000_000_000;

/** Asks a responder that gives two answers of a kind a second to a network; all in one millisecond. */
function asker(): (options: QueryOptions, name?: string) => ReadMessage | undefined {
  const responder = udpResponder(counterRow(), { perSecond: 2 }, 7, { mayTransfer: () => false });
  responder.use(authorityOf({ cookieSecrets: [new Uint8Array(16).fill(9)] }));
  return (options, name = "web.example.org.") => {
    const octets = new Uint8Array(MAX_UDP_OCTETS + 16);
    const query = makeQuery(name, "A", options);
    octets.set(query, 16);
    const size = responder.answer(octets, 16, query.length, CLIENT, 0, 4, NOW);
    return size === 0 ? undefined : readMessage(octets.subarray(16, 16 + size));
  };
}

const withCookie = (cookie: Uint8Array): QueryOptions => ({
  edns: { flags: 0x8000, options: [[10, cookie]] },
});

t.test("an answer that slips keeps DO, in place and on the slow path", async (t) => {
  // The second name is an alias, which is not answered in place.
  for (const name of ["web.example.org.", "www.example.org."]) {
    for (const [edns, ttl] of [
      [{ flags: 0x8000 }, 0x8000],
      [{}, 0],
      [undefined, undefined],
    ] as const) {
      const ask = asker();
      const options = edns === undefined ? {} : { edns };
      for (let i = 0; i < 2; i++) t.strictSame([ask(options, name)?.tc], [false], "whole");
      const slipped = ask(options, name);
      t.strictSame([slipped?.tc, slipped?.records.length, slipped?.opt?.ttl], [true, 0, ttl]);
      t.equal(slipped?.opt?.rdata.length, edns === undefined ? undefined : 0);
      t.equal(ask(options, name), undefined, "and the next one is dropped");
    }
  }
});

t.test(
  "a slipped answer holds a cookie, with which the client is not limited (RFC 7873 §5.2.3)",
  async (t) => {
    const ask = asker();
    for (let i = 0; i < 2; i++) ask({});
    const slipped = ask(withCookie(new Uint8Array(8).fill(1)));
    t.strictSame([slipped?.tc, slipped?.opt?.ttl, slipped?.opt?.rdata.length], [true, 0x8000, 4 + 24]);
    const ours = slipped?.opt?.rdata.slice(4) as Uint8Array;
    for (let i = 0; i < 9; i++) t.equal(ask(withCookie(ours))?.records.length, 2);
  },
);

t.test("answers to a proved address do not count for its network's limit", async (t) => {
  const ask = asker();
  const ours = ask(withCookie(new Uint8Array(8)))?.opt?.rdata.slice(4) as Uint8Array;
  for (let i = 0; i < 9; i++) t.equal(ask(withCookie(ours))?.tc, false);
  t.equal(ask({})?.tc, false, "one of two was left");
  t.equal(ask({})?.tc, true);
});

/** A zone with large RRsets of every kind that answers are made of. */
const LARGE = `$TTL 60
@ SOA ns1 hostmaster 1 3600 600 86400 60
@ NS ns1
@ NS ns2
@ MX 10 web
ns1 A 192.0.2.1
ns2 A 192.0.2.2
${Array.from({ length: 70 }, (_, i) => `web A 10.0.0.${i}`).join("\n")}
${Array.from({ length: 28 }, (_, i) => `_x._tcp SRV 0 0 ${i + 1} web`).join("\n")}
text TXT ${Array.from({ length: 4 }, () => `"${"a".repeat(250)}"`).join(" ")}
alias CNAME web
sub NS ns.sub
${Array.from({ length: 40 }, (_, i) => `ns.sub A 10.0.1.${i}`).join("\n")}
*.wild TXT "${"b".repeat(250)}"
d DNAME wild
`;

t.test("without a proved address an answer has at most four times the octets of its query", async (t) => {
  const zone = zoneOf(LARGE);
  const responder = udpResponder(counterRow(), { perSecond: 0 }, 7, { mayTransfer: () => true });
  const nsid = Buffer.from("n".repeat(64));
  const zones = [{ origin: zone.origin, zone }];
  responder.use(
    authorityOf({ zones, cookieSecrets: [new Uint8Array(16).fill(9)], nsid, version: "v".repeat(64) }),
  );
  const octets = new Uint8Array(MAX_UDP_OCTETS);
  const ask = (query: Uint8Array): ReadMessage & { octets: number } => {
    octets.set(query);
    const size = responder.answer(octets, 0, query.length, CLIENT, 0, 4, NOW);
    return { ...readMessage(octets.subarray(0, size)), octets: size };
  };
  const edns: QueryOptions["edns"][] = [
    undefined,
    { size: 4096 },
    { size: 4096, flags: 0x8000, options: [[3, new Uint8Array()]] },
    { version: 1 },
    { size: 4096, options: [[10, new Uint8Array(8)]] },
    { size: 4096, options: [[10, new Uint8Array(24)]] },
  ];
  let worst = 0;
  for (const owner of ["", "web.", "_x._tcp.", "text.", "alias.", "a.sub.", "a.wild.", "a.d.", "no."])
    for (let type = 1; type < 300; type++)
      for (const each of edns) {
        const query = makeQuery(`${owner}example.org.`, type, each ? { edns: each } : {});
        worst = Math.max(worst, ask(query).octets / query.length);
      }
  for (const qclass of [3, 255])
    for (const each of edns) {
      const query = makeQuery("version.bind.", "TXT", { qclass, ...(each ? { edns: each } : {}) });
      worst = Math.max(worst, ask(query).octets / query.length);
    }
  t.ok(worst > 1 && worst <= 4, `at worst ${worst.toFixed(2)}`);

  const cookie = ask(makeQuery("example.org.", "SOA", withCookie(new Uint8Array(8)))).opt?.rdata.slice(4);
  const proved = { edns: { size: 1232, options: [[10, cookie as Uint8Array]] } } as QueryOptions;
  t.match(ask(makeQuery("text.example.org.", "TXT", {})), { tc: true });
  t.match(ask(makeQuery("text.example.org.", "TXT", proved)), { tc: false }, "whole with our cookie");
});
