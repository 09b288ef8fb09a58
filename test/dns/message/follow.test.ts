/** Aliases of the zone that lead out of it, answered with what a forwarder says of their target. */
import fc from "fast-check";
import t from "tap";
import { answerFollowed, questionFor } from "../../../src/dns/message/follow.ts";
import { forwardable, forwardQuery, readReply } from "../../../src/dns/message/forward.ts";
import { parseQuery, type Query } from "../../../src/dns/message/query.ts";
import { parseName } from "../../../src/dns/wire/name.ts";
import { OctetWriter } from "../../../src/dns/wire/octets.ts";
import { TYPE } from "../../../src/dns/wire/types.ts";
import type { Authority } from "../../../src/dns/zone/authority.ts";
import { leadsOut } from "../../../src/dns/zone/leads-out.ts";
import { makeQuery, type ReadMessage, readMessage } from "../message.ts";
import { authorityOf, zoneOf } from "../zones.ts";

const ZONE = `$ORIGIN example.org.
$TTL 60
@ SOA ns hostmaster 7 3600 600 86400 30
@ NS ns
ns A 192.0.2.2
near CNAME ext
ext 30 CNAME www.example.net.
loop CNAME loop
other CNAME host.sub
sub NS ns.example.com.
sub NS ns.sub
ns.sub A 192.0.2.9
sub DS 1 8 2 0000000000000000000000000000000000000000000000000000000000000000
out DNAME example.net.
mail MX 10 www.example.net.
`;
const authority: Authority = authorityOf({
  zones: [{ origin: parseName("example.org."), zone: zoneOf(ZONE) }],
});
const via = { tcp: true, client: Uint8Array.of(10, 0, 0, 1), now: 0, mayTransfer: false, recursion: true };
const target = parseName("www.example.net.");
const QUESTION_END = 12 + target.length + 4;

type Section = 0 | 1 | 2;
/** Owner as octets, type, RDATA. */
type Record = readonly [Section, readonly number[], number, readonly number[]];

/** A forwarder's message for the target of `message`'s alias. */
function replyTo(message: Uint8Array, flags: number, records: readonly Record[]): Uint8Array {
  const question = questionFor(target, message, parseQuery(message) as Query);
  const out = new OctetWriter();
  out.raw(forwardQuery(question.message, question.query, 7).subarray(0, question.query.questionEnd));
  for (const [, owner, type, rdata] of records) {
    out.raw([...owner, 0, type, 0, 1, 0, 0, 0, 9, 0, rdata.length, ...rdata]);
  }
  const all = out.take();
  all.set([flags >>> 8, flags & 0xff, 0, 1], 2);
  for (const section of [0, 1, 2]) all[7 + 2 * section] = records.filter(([one]) => one === section).length;
  return all;
}

function answer(message: Uint8Array, received: Uint8Array | undefined, over = {}): ReadMessage {
  const query = parseQuery(message) as Query;
  const question = questionFor(target, message, query);
  const sent = forwardQuery(question.message, question.query, 7);
  const reply = received && readReply(sent, question.query.questionEnd, received);
  const out = new Uint8Array(2 * 65535);
  const size = answerFollowed(authority, { ...via, ...over }, message, query, target, reply, out);
  return readMessage(out.subarray(0, size));
}

const shown = ({ records }: ReadMessage) =>
  records.map(({ section, owner, type, ttl }) => `${section} ${owner} ${type} ${ttl}`);

/** `www.example.net.` and `example.net.` of the question. */
const WWW = [0xc0, 12];
const NET = [0xc0, 16];
const A = [192, 0, 2, 77];

t.test(
  "which names lead out: an alias, by way of others and of a DNAME, a delegation; not a loop",
  async (t) => {
    const may = (name: string, type = "A", options = {}): boolean =>
      forwardable(authority.zones, makeQuery(`${name}.example.org.`, type, options)) !== undefined;
    for (const name of ["ext", "near", "www.out", "EXT"]) t.ok(may(name), name);
    for (const name of ["other", "sub", "q.sub", "ns.sub", "SUB"]) t.ok(may(name), name);
    for (const name of ["loop", "ns", "no", "mail", "out"]) t.notOk(may(name), name);
    for (const type of ["CNAME", "ANY", "NS", "DS"]) t.ok(may("q.sub", type), `${type} below a delegation`);
    t.notOk(may("sub", "DS"), "the parent's side answers for DS (RFC 4035 §3.1.4.1)");
    for (const type of ["AXFR", "IXFR"]) t.notOk(may("q.sub", type), type);
    t.notOk(may("q.sub", "A", { flags: 0 }), "a referral without recursion desired");
    for (const type of ["CNAME", "ANY", "AXFR"]) t.notOk(may("ext", type), type);
    t.notOk(may("mail", "MX"));
    t.notOk(may("ext", "A", { flags: 0 }), "no recursion desired");
    const found = leadsOut(authority.zones, parseName("near.example.org."), TYPE.A);
    t.same(found?.target, target);
    const both = [...authority.zones, { origin: parseName("sub.example.org."), zone: undefined }];
    t.equal(
      leadsOut(both, parseName("other.example.org."), TYPE.A),
      undefined,
      "delegated to a zone served here",
    );
  },
);

t.test("the zone's records, then the forwarder's with their TTL; AA, RA and CD, not AD", async (t) => {
  const message = makeQuery("near.example.org.", "A", { id: 0x4321, flags: 0x0110, edns: { flags: 0x8000 } });
  const cdn = [3, 0x63, 0x64, 0x6e, ...NET];
  const received = replyTo(message, 0x81b0, [
    [0, WWW, TYPE.CNAME, cdn],
    [0, cdn, TYPE.A, A],
    [1, NET, TYPE.NS, [2, 0x6e, 0x73, ...NET]],
    [2, WWW, TYPE.A, A],
  ]);
  const found = answer(message, received);
  t.match(found, { id: 0x4321, flags: 0x8590, rcode: 0, questions: [{ name: "near.example.org." }] });
  t.match(found.opt, { ttl: 0x8000 });
  t.same(shown(found), [
    "answer near.example.org. 5 60",
    "answer ext.example.org. 5 30",
    "answer www.example.net. 5 9",
    "answer cdn.example.net. 1 9",
  ]);
  t.same([...(found.records[3]?.rdata ?? [])], A);
  t.same(Buffer.from(found.records[2]?.rdata ?? []), Buffer.from(parseName("cdn.example.net.")));
});

t.test("a target without the type, or without existence: its SOA, its RCODE", async (t) => {
  const soa: Record = [1, NET, TYPE.SOA, [1, 0x61, ...NET, 1, 0x62, 0xc0, 16, ...Array(20).fill(1)]];
  for (const [flags, rcode] of [
    [0x8180, 0],
    [0x8183, 3],
  ] as const) {
    const message = makeQuery("ext.example.org.", "AAAA");
    const found = answer(message, replyTo(message, flags, [soa]));
    t.match(found, { rcode, aa: true });
    t.same(shown(found), ["answer ext.example.org. 5 30", "authority example.net. 6 9"]);
    const owner = parseName("a.example.net.");
    t.same(found.records[1]?.rdata.subarray(0, owner.length), owner);
  }
});

t.test(
  "a delegated name, and an alias of one: the forwarder's answer, and nothing of the referral",
  async (t) => {
    for (const [name, aliases, aa] of [
      ["host.sub", [], false],
      ["other", ["answer other.example.org. 5 60"], true],
    ] as const) {
      const message = makeQuery(`${name}.example.org.`, "A", { edns: {} });
      const query = parseQuery(message) as Query;
      const to = parseName("host.sub.example.org.");
      t.same(leadsOut(authority.zones, message.slice(12, query.questionEnd - 4), TYPE.A)?.target, to);
      const asked = questionFor(to, message, query);
      const sent = forwardQuery(asked.message, asked.query, 7);
      const received = Uint8Array.from([
        ...sent.subarray(0, asked.query.questionEnd),
        0xc0,
        12,
        0,
        1,
        0,
        1,
        0,
        0,
        0,
        9,
        0,
        4,
        ...A,
      ]);
      received.set([0x81, 0x80, 0, 1, 0, 1, 0, 0, 0, 0], 2);
      for (const [octets, rcode, rest] of [
        [received, 0, ["answer host.sub.example.org. 1 9"]],
        [undefined, 2, []],
      ] as const) {
        const reply = octets && readReply(sent, asked.query.questionEnd, octets);
        if (octets !== undefined) t.ok(reply);
        const out = new Uint8Array(2 * 65535);
        const size = answerFollowed(authority, via, message, query, to, reply, out);
        const found = readMessage(out.subarray(0, size));
        t.match(found, { rcode, aa, tc: false, questions: [{ name: `${name}.example.org.` }] });
        t.equal(found.flags & 0x80, 0x80, "RA");
        t.same(shown(found), [...aliases, ...rest]);
      }
    }
  },
);

t.test("names in RDATA, also where old servers compress them: written out", async (t) => {
  const message = makeQuery("ext.example.org.", "SRV");
  const found = answer(message, replyTo(message, 0x8180, [[0, WWW, TYPE.SRV, [0, 1, 0, 2, 0, 80, ...NET]]]));
  t.same([...(found.records[1]?.rdata ?? [])], [0, 1, 0, 2, 0, 80, ...parseName("example.net.")]);
});

t.test("no reply, or one that cannot be read: SERVFAIL with the zone's records", async (t) => {
  const message = makeQuery("ext.example.org.", "A", { edns: {} });
  const replies = [
    undefined,
    replyTo(message, 0x8180, [[0, WWW, TYPE.CNAME, [0xc0, 255]]]),
    replyTo(message, 0x8180, [[0, WWW, TYPE.MX, [0]]]),
  ];
  for (const reply of replies) {
    const found = answer(message, reply);
    t.match(found, { rcode: 2, aa: true });
    t.same(shown(found), ["answer ext.example.org. 5 30"]);
    t.same([...(found.opt?.rdata ?? [])], [0, 15, 0, 2, 0, 22], "no reachable authority (RFC 8914)");
  }
});

t.test("an alias that has changed while the forwarder was asked: what the zone says now", async (t) => {
  const message = makeQuery("ns.example.org.", "A");
  const found = answer(message, replyTo(message, 0x8180, [[0, WWW, TYPE.A, A]]));
  t.same(shown(found), ["answer ns.example.org. 1 60"]);
});

t.test("over UDP: at most four times the octets of the query, then truncated", async (t) => {
  const message = makeQuery("ext.example.org.", "A", { edns: { size: 4096 } });
  const many = Array.from({ length: 20 }, (): Record => [0, WWW, TYPE.A, A]);
  t.match(answer(message, replyTo(message, 0x8180, many), { tcp: false }), { tc: true });
  t.equal(answer(message, replyTo(message, 0x8180, many)).records.length, 21);
});

t.test("replies of any octets: a whole answer, no exception", async (t) => {
  const message = makeQuery("ext.example.org.", "A");
  const good = replyTo(message, 0x8180, [
    [0, WWW, TYPE.CNAME, [3, 0x63, 0x64, 0x6e, ...NET]],
    [0, NET, TYPE.MX, [0, 1, ...WWW]],
    [1, NET, TYPE.SOA, [1, 0x61, ...NET, 1, 0x62, 0xc0, 16, ...Array(20).fill(1)]],
  ]);
  const change = fc.tuple(fc.integer({ min: QUESTION_END, max: good.length - 1 }), fc.nat(255));
  fc.assert(
    fc.property(fc.array(change, { minLength: 1, maxLength: 6 }), (changes) => {
      const octets = good.slice();
      for (const [at, value] of changes) octets[at] = value;
      const { records, rcode } = answer(message, octets);
      return records[0]?.owner === "ext.example.org." && [0, 2].includes(rcode);
    }),
    { numRuns: 5_000 },
  );
  t.pass();
});
