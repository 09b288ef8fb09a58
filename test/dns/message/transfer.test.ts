import t from "tap";
import { respond } from "../../../src/dns/message/respond.ts";
import { transfer } from "../../../src/dns/message/transfer.ts";
import { type TsigKey, tsigStream } from "../../../src/dns/message/tsig.ts";
import { nameKey, parseName } from "../../../src/dns/wire/name.ts";
import { RCODE, TYPE } from "../../../src/dns/wire/types.ts";
import type { Authority, Via } from "../../../src/dns/zone/authority.ts";
import { type Change, changeBetween } from "../../../src/dns/zone/journal.ts";
import { serialOf, soaOf } from "../../../src/dns/zone/zone.ts";
import { makeQuery, readMessage } from "../message.ts";
import { authorityOf, EXAMPLE, TCP, zoneOf } from "../zones.ts";

const ORIGIN = parseName("example.org.");
const MAY: Via = { ...TCP, mayTransfer: true };
const clock = () => TCP.now;
const long = zoneOf(
  `${EXAMPLE}${Array.from({ length: 900 }, (_, i) => `text${i} TXT "${"x".repeat(60)}"\n`).join("")}`,
);
const key: TsigKey = {
  name: parseName("transfer.key."),
  algorithm: "hmac-sha512",
  secret: new Uint8Array(64).fill(5),
};
const authority = authorityOf({
  zones: [{ origin: ORIGIN, zone: long }],
  cookieSecrets: [new Uint8Array(16)],
  keys: new Map([[nameKey(key.name), key]]),
});

function messages(query: Uint8Array, of: Authority = authority): Uint8Array[] | undefined {
  const found = transfer(of, MAY, query, clock);
  return found && [...found.messages];
}

function rcodeOf(query: Uint8Array): number {
  const out = new Uint8Array(65535);
  return readMessage(out.subarray(0, respond(authority, MAY, query, out))).rcode;
}

t.test("one OPT in, one OPT out: in every message of a transfer (RFC 5936 §2.2.5)", async (t) => {
  const cookie: [number, Uint8Array] = [10, new Uint8Array(8)];
  for (const [type, more] of [
    ["AXFR", {}],
    ["IXFR", { serial: 3 }],
  ] as const) {
    for (const signed of [false, true]) {
      const plain = makeQuery("example.org.", type, { ...more, edns: { flags: 0x8000, options: [cookie] } });
      const out = new Uint8Array(1024);
      out.set(plain);
      const query = signed
        ? out.slice(0, tsigStream(key, new Uint8Array())(out, plain.length, TCP.now))
        : plain;
      const read = (messages(query) ?? []).map((message) => {
        t.ok(message.length <= 16384);
        return readMessage(message);
      });
      t.ok(read.length > 3, "many messages");
      for (const { opt, records } of read) {
        t.strictSame([opt?.ttl, opt?.rdata.length], [0x8000, 4 + 24], "DO, and a cookie");
        t.equal(records.at(-1)?.type === TYPE.TSIG, signed, "TSIG comes last");
      }
    }
    const bare = (messages(makeQuery("example.org.", type, more)) ?? []).map(readMessage);
    t.ok(bare.length > 3 && bare.every(({ opt }) => opt === undefined), "none in, none out");
  }
});

t.test("IXFR without a serial asks for nothing (RFC 1995 §3)", async (t) => {
  const query = makeQuery("example.org.", "IXFR");
  t.equal(messages(query), undefined);
  t.equal(rcodeOf(query), RCODE.FORMERR);
});

t.test(
  "IXFR: steps from where the journal reaches, the whole zone from before it, the SOA alone for a current client (RFC 1995 §4)",
  async (t) => {
    const at = (serial: number) => zoneOf(EXAMPLE.replace(/\b7\b/, String(serial)));
    const zone = at(7);
    t.equal(serialOf(zone), 7);
    const history = [changeBetween(at(5), at(6)), changeBetween(at(6), zone)];
    const of = authorityOf({ zones: [{ origin: ORIGIN, zone, history }] });
    const asked = (serial: number) => {
      const found = transfer(of, MAY, makeQuery("example.org.", "IXFR", { serial }), clock);
      const records = [...(found?.messages ?? [])].flatMap((message) => readMessage(message).records);
      return { kind: found?.kind, types: records.map(({ type }) => type) };
    };
    const { SOA } = TYPE;
    t.same(asked(6), { kind: "IXFR", types: [SOA, SOA, SOA, SOA] });
    t.same(asked(5), { kind: "IXFR", types: [SOA, SOA, SOA, SOA, SOA, SOA] });
    for (const [serial, what] of [
      [4, "before the journal's first"],
      [4_000_000_000, "before it on the circle of serials"],
    ] as const) {
      const { kind, types } = asked(serial);
      t.equal(kind, "AXFR", what);
      t.ok(types.length > 4);
      t.same([types[0], types.at(-1), types.slice(1, -1).includes(SOA)], [SOA, SOA, false]);
    }
    for (const serial of [7, 8]) t.same(asked(serial), { kind: "IXFR", types: [SOA] });
  },
);

t.test("a record that fits no message: ends the transfer, and is not sent in part", async (t) => {
  const zone = zoneOf(EXAMPLE);
  const soa = { owner: ORIGIN, set: soaOf(zone) };
  const large = { type: 65280, ttl: 60, rdata: [new Uint8Array(65500)] };
  const change: Change = {
    from: 3,
    to: 7,
    oldSoa: soa,
    newSoa: soa,
    removed: [],
    added: [{ owner: parseName("large.example.org."), set: large }],
  };
  const of = authorityOf({ zones: [{ origin: ORIGIN, zone, history: [change] }] });
  const found = transfer(of, MAY, makeQuery("example.org.", "IXFR", { serial: 3 }), clock);
  const sent: Uint8Array[] = [];
  t.throws(() => {
    for (const message of found?.messages ?? []) sent.push(message);
  }, new RangeError("large.example.org. TYPE65280: fits no message"));
  t.ok(sent.flatMap((message) => readMessage(message).records).every(({ type }) => type === TYPE.SOA));
});
