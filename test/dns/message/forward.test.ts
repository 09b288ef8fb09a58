/** Which messages are a forwarder's answer, and what of them a client gets. */
import fc from "fast-check";
import t from "tap";
import {
  answerFrom,
  forwardable,
  forwardKey,
  forwardQuery,
  readReply,
} from "../../../src/dns/message/forward.ts";
import { parseQuery, type Query } from "../../../src/dns/message/query.ts";
import { makeQuery, readMessage } from "../message.ts";
import { authorityOf } from "../zones.ts";

const message = makeQuery("www.example.net.", "A", { id: 0x4321, edns: { flags: 0x8000 } });
const query = parseQuery(message) as Query;
const sent = forwardQuery(message, query, 0x1234);
const OPT = [0, 0, 41, 4, 208, 0, 0, 0, 0, 0, 0];
const A = [0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 9, 0, 4, 192, 0, 2, 1];

/** A response with these records, each in the section of its number. */
function response(flags: number, ...records: [0 | 1 | 2, number[]][]): Uint8Array {
  const head = Buffer.from(sent.subarray(0, query.questionEnd));
  head.writeUInt16BE(flags, 2);
  for (const section of [0, 1, 2])
    head.writeUInt16BE(records.filter(([in_]) => in_ === section).length, 6 + 2 * section);
  return Uint8Array.from([...head, ...records.flatMap(([, octets]) => octets)]);
}

t.test("what is sent: ID, RD, question, DO; nothing of the client's options", async (t) => {
  const cookie: [number, Uint8Array][] = [[10, new Uint8Array(8).fill(0xee)]];
  const asked = makeQuery("www.example.net.", "A", { edns: { flags: 0x8000, options: cookie } });
  t.same(forwardQuery(asked, parseQuery(asked) as Query, 0x1234), sent);
  t.match(readMessage(sent), { id: 0x1234, flags: 0x0100, opt: { class: 1232, ttl: 0x8000, rdata: [] } });
});

t.test("questions that are forwarded, and those that are not", async (t) => {
  const { zones } = authorityOf({});
  const may = (octets: Uint8Array): boolean => forwardable(zones, octets) !== undefined;
  for (const type of ["A", "MX", "PTR", "ANY", 65_280])
    t.ok(may(makeQuery("www.example.net.", type)), `${type}`);
  for (const type of ["AXFR", "IXFR", "OPT", "TSIG", "TKEY", "MAILA", 0])
    t.notOk(may(makeQuery("www.example.net.", type)), `${type}`);
  for (const name of ["example.org.", "no.example.org.", "WEB.Example.ORG."])
    t.notOk(may(makeQuery(name, "A")), name);
  t.ok(may(makeQuery("evilexample.org.", "A")), "another zone that ends alike");
  t.notOk(may(makeQuery("www.example.net.", "A", { flags: 0x2900 })), "UPDATE");
  t.notOk(may(makeQuery("www.example.net.", "A", { edns: { version: 1 } })), "EDNS 1");
  const upper = Uint8Array.from(message);
  upper.set(Buffer.from("WWW"), 13);
  t.equal(forwardKey(upper, query), forwardKey(message, query));
  t.same(upper.subarray(13, 16), Buffer.from("WWW"), "the message is not changed");
});

t.test(
  "an answer: its records up to its OPT, with the RCODE's upper bits; AA and AD are not passed on",
  async (t) => {
    const reply = readReply(
      sent,
      query.questionEnd,
      response(0x85a3, [0, A], [1, A], [2, A], [2, OPT], [2, A]),
    );
    t.match(reply, { rcode: 3, truncated: false, counts: [1, 1, 1] });
    const out = new Uint8Array(2000);
    const via = {
      tcp: true,
      client: Uint8Array.of(10, 0, 0, 1),
      now: 0,
      mayTransfer: false,
      recursion: true,
    };
    const answer = readMessage(out.subarray(0, answerFrom(authorityOf({}), via, message, query, reply, out)));
    t.match(answer, { id: 0x4321, rcode: 3, aa: false, tc: false, opt: { ttl: 0x8000 } });
    t.equal(answer.flags, 0x8183);
    t.equal(answer.records.filter(({ type }) => type === 1).length, 3);
    const failed = readMessage(
      out.subarray(0, answerFrom(authorityOf({}), via, message, query, undefined, out)),
    );
    t.match(failed, { id: 0x4321, rcode: 2, aa: false, records: [], opt: {} });
    const extended = [...OPT];
    extended[5] = 1;
    t.match(readReply(sent, query.questionEnd, response(0x8180, [2, extended])), { rcode: 16 });
    t.equal(readReply(sent, query.questionEnd, response(0x8180, [2, OPT], [2, OPT])), undefined, "two OPT");
    t.equal(readReply(sent, query.questionEnd, response(0x8180, [0, OPT])), undefined, "OPT as an answer");
  },
);

t.test("a header alone: an answer where it says that the query was not understood", async (t) => {
  const header = (flags: number, over: [at: number, value: number] = [0, 0x12]): Uint8Array => {
    const octets = Uint8Array.from([0x12, 0x34, flags >>> 8, flags & 0xff, 0, 0, 0, 0, 0, 0, 0, 0]);
    octets[over[0]] = over[1];
    return octets;
  };
  const read = (octets: Uint8Array) => readReply(sent, query.questionEnd, octets)?.rcode;
  t.same(
    [0x8181, 0x8101, 0x8184].map((flags) => read(header(flags))),
    [1, 1, 4],
  );
  for (const flags of [0x8180, 0x8182, 0x8183, 0x8185, 0x8381, 0x0101, 0xa901])
    t.equal(read(header(flags)), undefined, flags.toString(16));
  for (const over of [
    [0, 0x13],
    [5, 1],
    [7, 1],
    [11, 1],
  ] as [number, number][])
    t.equal(read(header(0x8181, over)), undefined, over.join("="));
  t.equal(read(header(0x8181).subarray(0, 11)), undefined);
  const plain = forwardQuery(message, query, 0x1234, false);
  t.same(plain, [...sent.subarray(0, 11), 0, ...sent.subarray(12, query.questionEnd)]);
});

t.test("octets of any kind: no exception, and never more records than there are octets for", async (t) => {
  const good = response(0x8180, [0, A], [2, A], [2, OPT]);
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.nat(good.length - 1), fc.nat(255)), { maxLength: 6 }),
      fc.nat(good.length),
      (changes, length) => {
        const octets = good.slice(0, length);
        for (const [at, value] of changes) if (at < length) octets[at] = value;
        const reply = readReply(sent, query.questionEnd, octets);
        if (reply === undefined) return true;
        const records = reply.counts.reduce((sum, count) => sum + count, 0);
        return records * 11 <= octets.length && reply.octets.length <= octets.length;
      },
    ),
    { numRuns: 20_000 },
  );
  t.pass();
});
