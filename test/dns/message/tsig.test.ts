import t from "tap";
import { respond } from "../../../src/dns/message/respond.ts";
import { transfer } from "../../../src/dns/message/transfer.ts";
import { type TsigKey, tsigStream } from "../../../src/dns/message/tsig.ts";
import { parseTsigKeys } from "../../../src/dns/message/tsig-keys.ts";
import { nameKey, parseName } from "../../../src/dns/wire/name.ts";
import { read16 } from "../../../src/dns/wire/octets.ts";
import { RCODE, TYPE } from "../../../src/dns/wire/types.ts";
import type { Authority } from "../../../src/dns/zone/authority.ts";
import { makeQuery, readMessage } from "../message.ts";
import { authorityOf, EXAMPLE, TCP, UDP, zoneOf } from "../zones.ts";

const key: TsigKey = {
  name: parseName("Transfer.Key."),
  algorithm: "hmac-sha256",
  secret: new Uint8Array(32).fill(5),
};
const other: TsigKey = { ...key, name: parseName("other.") };
const authority: Authority = authorityOf({
  keys: new Map([key, other].map((each) => [nameKey(each.name), each])),
  transferKeys: new Set([nameKey(key.name)]),
});

function signed(message: Uint8Array, by: TsigKey, now = UDP.now): Uint8Array {
  const out = new Uint8Array(1024);
  out.set(message);
  return out.slice(0, tsigStream(by, new Uint8Array())(out, message.length, now));
}

const clock = () => UDP.now;

function ask(message: Uint8Array, via = UDP, of = authority) {
  const out = new Uint8Array(65535);
  const size = respond(of, via, message, out);
  const read = readMessage(out.subarray(0, size));
  const tsig = read.records.find((record) => record.type === TYPE.TSIG);
  // Algorithm, time, fudge, MAC, original ID, error.
  const at = tsig === undefined ? 0 : parseName("hmac-sha256.").length + 8;
  const macSize = tsig === undefined ? 0 : read16(tsig.rdata, at);
  return {
    rcode: read.rcode,
    records: read.records.length,
    tsig,
    macSize,
    error: tsig && read16(tsig.rdata, at + 2 + macSize + 2),
  };
}

const query = makeQuery("web.example.org.", "A", { edns: {} });

t.test("a signed query: a signed answer, TSIG last in the message", async (t) => {
  t.match(ask(signed(query, key)), { rcode: 0, records: 3, macSize: 32, error: 0 });
});

t.test("wrong key, signature, time or truncation: the error of each (RFC 8945 §5.2)", async (t) => {
  t.match(ask(signed(query, { ...key, name: parseName("nobody.") })), {
    rcode: RCODE.NOTAUTH,
    records: 1,
    macSize: 0,
    error: RCODE.BADKEY,
  });
  t.match(ask(signed(query, { ...key, algorithm: "hmac-sha512" })), { rcode: RCODE.NOTAUTH, macSize: 0 });
  t.match(ask(signed(query, { ...key, secret: new Uint8Array(32) })), {
    rcode: RCODE.NOTAUTH,
    records: 1,
    macSize: 0,
    error: RCODE.BADSIG,
  });
  t.match(ask(signed(query, key, UDP.now - 301)), {
    rcode: RCODE.NOTAUTH,
    records: 1,
    macSize: 32,
    error: RCODE.BADTIME,
  });
  t.match(ask(signed(query, key, UDP.now - 299)), { rcode: 0, error: 0 });
  const tampered = signed(query, key);
  tampered[13] = "v".charCodeAt(0);
  t.match(ask(tampered), { rcode: RCODE.NOTAUTH, error: RCODE.BADSIG });
  const bare = signed(query, key);
  t.equal(ask(Uint8Array.from([...bare, ...bare.subarray(-20)])).rcode, RCODE.FORMERR);
});

t.test("a transfer: only for its key, every message signed", async (t) => {
  const axfr = makeQuery("example.org.", "AXFR");
  t.equal(transfer(authority, TCP, axfr, clock), undefined);
  t.equal(transfer(authority, TCP, signed(axfr, other), clock), undefined, "a key that may not");
  t.equal(transfer(authority, TCP, signed(axfr, { ...key, secret: new Uint8Array(32) }), clock), undefined);
  t.equal(ask(axfr, TCP).rcode, RCODE.REFUSED);
  t.match(ask(signed(axfr, other), TCP), { rcode: RCODE.REFUSED, macSize: 32 });
  const messages = [...(transfer(authority, TCP, signed(axfr, key), clock)?.messages ?? [])].map(readMessage);
  t.ok(messages.length > 0 && messages.every((message) => message.records.at(-1)?.type === TYPE.TSIG));
  const records = messages.flatMap((message) =>
    message.records.filter((record) => record.type !== TYPE.TSIG),
  );
  t.strictSame([records.at(0)?.type, records.at(-1)?.type], [TYPE.SOA, TYPE.SOA]);
  t.equal(ask(makeQuery("web.example.org.", "AXFR"), TCP).rcode, RCODE.NOTAUTH, "not the apex");
});

t.test("a message in a Buffer: unchanged after its signature was checked", async (t) => {
  const asked = Buffer.from(signed(makeQuery("example.org.", "AXFR"), other));
  // Forwarders give it another ID, and the answer has that one (RFC 8945 §5.2).
  asked[0] = 0xbe;
  const before = Buffer.from(asked);
  t.equal(transfer(authority, TCP, asked, clock), undefined, "this key may not");
  t.strictSame(asked, before);
  const out = new Uint8Array(65535);
  const read = readMessage(out.subarray(0, respond(authority, TCP, asked, out)));
  t.strictSame([read.rcode, read.id, read.records.at(-1)?.type], [RCODE.REFUSED, 0xbe34, TYPE.TSIG]);
});

t.test("IXFR over UDP: answered only to keys that may transfer", async (t) => {
  const ixfr = makeQuery("example.org.", "IXFR", { serial: 7 });
  t.match(ask(signed(ixfr, key)), { rcode: 0, records: 2, macSize: 32 });
  t.match(ask(signed(ixfr, other)), { rcode: RCODE.REFUSED, records: 1, macSize: 32 });
  t.match(ask(ixfr), { rcode: RCODE.REFUSED, records: 0 });
  t.match(ask(signed(makeQuery("example.org.", "IXFR"), key)), { rcode: RCODE.FORMERR }, "no serial");
});

t.test("messages of a transfer: signed when they are made, also for a slow client", async (t) => {
  const zone = zoneOf(
    `${EXAMPLE}${Array.from({ length: 900 }, (_, i) => `text${i} TXT "${"x".repeat(60)}"\n`).join("")}`,
  );
  const large = { ...authority, zones: [{ origin: parseName("example.org."), zone }] };
  let now = UDP.now;
  const times: number[] = [];
  const query = signed(makeQuery("example.org.", "AXFR"), key);
  for (const message of transfer(large, TCP, query, () => now)?.messages ?? []) {
    const tsig = readMessage(message).records.at(-1);
    const rdata = Buffer.from(tsig?.rdata ?? []);
    times.push(rdata.readUIntBE(parseName("hmac-sha256.").length, 6) - UDP.now);
    now += 400;
  }
  t.ok(times.length > 3);
  t.strictSame(
    times,
    times.map((_, i) => 400 * i),
  );
});

t.test("a compressed owner: the key's name; only few pointers that point back", async (t) => {
  const mine: TsigKey = { ...key, name: parseName("Transfer.web.example.org.") };
  const of = { ...authority, keys: new Map([[nameKey(mine.name), mine]]) };
  const plain = makeQuery("web.example.org.", "A");
  const whole = signed(plain, mine);
  const rest = whole.subarray(plain.length + mine.name.length);
  const withOwner = (...owner: number[]) =>
    Uint8Array.from([...whole.subarray(0, plain.length), ...owner, ...rest]);
  const label = [8, ...Buffer.from("Transfer")];
  t.match(ask(withOwner(...label, 0xc0, 12), UDP, of), { rcode: 0, records: 3, macSize: 32, error: 0 });
  const at = plain.length;
  for (const [what, owner] of [
    ["to itself", [...label, 0xc0, at]],
    ["to its own pointer", [0xc0, at]],
    ["ahead", [...label, 0xc0, at + 40]],
    ["into the header", [...label, 0xc0, 2]],
    ["past the end", [...label, 0xff, 0xff]],
  ] as [string, number[]][])
    t.match(ask(withOwner(...owner), UDP, of), { rcode: RCODE.FORMERR, records: 0 }, what);
  // Pointers to pointers, in a record before it: each looks back, and together they are too many.
  const chain = Array.from({ length: 20 }, (_, i) => [
    0xc0,
    i === 0 ? 12 : plain.length + 11 + 2 * (i - 1),
  ]).flat();
  const record = [0, 0xff, 0x01, 0, 1, 0, 0, 0, 0, 0, chain.length, ...chain];
  const last = plain.length + record.length - 2;
  const hops = Uint8Array.from([
    ...whole.subarray(0, plain.length),
    ...record,
    ...label,
    0xc0,
    last,
    ...rest,
  ]);
  hops[11] = 2;
  t.match(ask(hops, UDP, of), { rcode: RCODE.FORMERR, records: 0 }, "too many");
});

t.test("a truncated MAC: the time is checked before the truncation (RFC 8945 §5.2)", async (t) => {
  const truncated = (now: number) => {
    const message = signed(query, key, now);
    // MAC size, MAC, original ID, error, other length: the MAC is halved.
    const macAt = message.length - 6 - 32;
    const half = Uint8Array.from([...message.subarray(0, macAt + 16), ...message.subarray(-6)]);
    half[macAt - 1] = 16;
    const rdlengthAt = macAt - 10 - parseName("hmac-sha256.").length - 2;
    half[rdlengthAt + 1] = (half[rdlengthAt + 1] as number) - 16;
    return half;
  };
  t.match(ask(truncated(UDP.now)), { rcode: RCODE.NOTAUTH, error: RCODE.BADTRUNC });
  t.match(ask(truncated(UDP.now - 301)), { rcode: RCODE.NOTAUTH, error: RCODE.BADTIME });
});

t.test("key files in BIND's syntax: read, or refused with the reason", async (t) => {
  const good = `// one\nkey "a.b" {\n algorithm hmac-sha256; # two\n secret "${"A".repeat(43)}="; };\n/* three\n */ key c { secret "${"A".repeat(43)}="; algorithm HMAC-SHA512; };\n`;
  const { keys, problems } = parseTsigKeys(good);
  t.strictSame(problems, []);
  t.strictSame(
    [...keys.values()].map((each) => each.algorithm),
    ["hmac-sha256", "hmac-sha512"],
  );
  const table: [string, RegExp][] = [
    ['key a { algorithm hmac-md5; secret "AAAA"; };', /algorithm is one of/],
    ['key a { algorithm hmac-sha256; secret "AAAA"; };', /secret is not base64 of at least 16/],
    ["zone a { };", /expected: key/],
    ["key a algorithm x;", /\{ is missing/],
    ['\n\nkey a { algorithm hmac-sha256 secret "AAAA"; };', /semicolon is missing/],
    ['key a { algorithm hmac-sha256; color "blue"; };', /color is not known/],
    ["key a {", /./],
  ];
  for (const [text, message] of table) t.match(parseTsigKeys(text).problems, [{ message }], text);
  t.equal(parseTsigKeys("\n\nzone").problems[0]?.line, 3);
});
