import t from "tap";
import { makeCookie } from "../../../src/dns/message/cookie.ts";
import { parseQuery } from "../../../src/dns/message/query.ts";
import { respond } from "../../../src/dns/message/respond.ts";
import { formatRdata } from "../../../src/dns/text/rdata-format.ts";
import { siphash } from "../../../src/dns/wire/siphash.ts";
import { RCODE, TYPE, typeName } from "../../../src/dns/wire/types.ts";
import type { Authority } from "../../../src/dns/zone/authority.ts";
import { makeQuery, type QueryOptions, type ReadMessage, readMessage } from "../message.ts";
import { authorityOf, TCP, UDP, zoneOf } from "../zones.ts";

const authority = authorityOf();
const out = new Uint8Array(65535);

function ask(
  name: string,
  type: string | number,
  options: QueryOptions = {},
  via = UDP,
  of: Authority = authority,
): ReadMessage {
  const size = respond(of, via, makeQuery(name, type, options), out);
  return readMessage(out.subarray(0, size));
}

function raw(octets: Uint8Array): ReadMessage | undefined {
  const size = respond(authority, UDP, octets, out);
  return size === 0 ? undefined : readMessage(out.subarray(0, size));
}

/** `section owner type` of every record. */
function shape(message: ReadMessage): string[] {
  return message.records.map(({ section, owner, type }) => `${section} ${owner} ${typeName(type)}`);
}

t.test("a record beside a CNAME: answered by its own type (RFC 4035 §2.5)", async (t) => {
  const zone = zoneOf(
    `$TTL 60\n@ SOA ns1 root 1 2 3 4 5\n@ NS ns1\nns1 A 192.0.2.1\nn CNAME ns1\nn NSEC ns1 CNAME NSEC\n`,
  );
  const of = { ...authority, zones: [{ origin: zone.origin, zone }] };
  const asked = (type: string): string[] => shape(ask("n.example.org.", type, {}, UDP, of));
  t.strictSame(asked("NSEC"), ["answer n.example.org. NSEC"]);
  t.strictSame(asked("A"), ["answer n.example.org. CNAME", "answer ns1.example.org. A"]);
  t.strictSame(asked("TXT"), ["answer n.example.org. CNAME", "authority example.org. SOA"]);
});

t.test("answers from a zone: sections, flags and RCODE", async (t) => {
  const table: [name: string, type: string, rcode: number, aa: boolean, records: string[]][] = [
    ["web.example.org.", "A", 0, true, ["answer web.example.org. A", "answer web.example.org. A"]],
    ["wEb.EXAMPLE.org.", "A", 0, true, ["answer wEb.EXAMPLE.org. A", "answer wEb.EXAMPLE.org. A"]],
    ["web.example.org.", "AAAA", 0, true, ["authority example.org. SOA"]],
    ["web.example.org.", "TYPE4711", 0, true, ["authority example.org. SOA"]],
    ["no.example.org.", "A", 3, true, ["authority example.org. SOA"]],
    ["below.web.example.org.", "A", 3, true, ["authority example.org. SOA"]],
    ["b.c.example.org.", "A", 0, true, ["authority example.org. SOA"]],
    [
      "www.example.org.",
      "A",
      0,
      true,
      ["answer www.example.org. CNAME", "answer web.example.org. A", "answer web.example.org. A"],
    ],
    ["www.example.org.", "CNAME", 0, true, ["answer www.example.org. CNAME"]],
    ["www.example.org.", "ANY", 0, true, ["answer www.example.org. CNAME"]],
    ["ext.example.org.", "A", 0, true, ["answer ext.example.org. CNAME"]],
    ["loop.example.org.", "A", 0, true, ["answer loop.example.org. CNAME", "answer pool.example.org. CNAME"]],
    ["deep.example.org.", "A", 3, true, ["answer deep.example.org. CNAME", "authority example.org. SOA"]],
    ["q.wild.example.org.", "A", 0, true, ["answer q.wild.example.org. A"]],
    ["q.r.wild.example.org.", "TXT", 0, true, ["answer q.r.wild.example.org. TXT"]],
    ["q.wild.example.org.", "MX", 0, true, ["authority example.org. SOA"]],
    ["x.wild.example.org.", "TXT", 0, true, ["authority example.org. SOA"]],
    ["q.x.wild.example.org.", "A", 3, true, ["authority example.org. SOA"]],
    ["*.wild.example.org.", "A", 0, true, ["answer *.wild.example.org. A"]],
    [
      "sub.example.org.",
      "A",
      0,
      false,
      ["authority sub.example.org. NS", "authority sub.example.org. NS", "additional ns.sub.example.org. A"],
    ],
    [
      "q.r.sub.example.org.",
      "NS",
      0,
      false,
      ["authority sub.example.org. NS", "authority sub.example.org. NS", "additional ns.sub.example.org. A"],
    ],
    ["sub.example.org.", "DS", 0, true, ["answer sub.example.org. DS"]],
    [
      "x.d.example.org.",
      "A",
      0,
      true,
      ["answer d.example.org. DNAME", "answer x.d.example.org. CNAME", "answer x.target.example.org. A"],
    ],
    [
      "example.org.",
      "NS",
      0,
      true,
      [
        "answer example.org. NS",
        "answer example.org. NS",
        "additional ns1.example.org. A",
        "additional ns1.example.org. AAAA",
        "additional ns2.example.org. A",
      ],
    ],
    ["example.org.", "MX", 0, true, ["answer example.org. MX", "additional mail.example.org. A"]],
    [
      "_http._tcp.example.org.",
      "SRV",
      0,
      true,
      [
        "answer _http._tcp.example.org. SRV",
        "additional web.example.org. A",
        "additional web.example.org. A",
      ],
    ],
    ["odd.example.org.", "TYPE65280", 0, true, ["answer odd.example.org. TYPE65280"]],
    ["dot.ted.example.org.", "A", 3, true, ["authority example.org. SOA"]],
    ["evilexample.org.", "A", 5, false, []],
    ["org.", "A", 5, false, []],
    [".", "NS", 5, false, []],
    ["example.org.", "MAILB", RCODE.NOTIMP, false, []],
    ["example.org.", "AXFR", 5, false, []],
  ];
  for (const [name, type, rcode, aa, records] of table) {
    for (const edns of [undefined, {}]) {
      // over TCP, where no answer is limited by the size of its query
      const got = ask(name, type, edns ? { edns } : {}, TCP);
      t.strictSame([got.rcode, got.aa, got.tc, shape(got)], [rcode, aa, false, records], `${name} ${type}`);
      t.equal(got.opt !== undefined, edns !== undefined, "one OPT in, one out; none in, none out");
    }
  }
  const any = ask("example.org.", "ANY");
  t.equal(
    new Set(any.records.filter((r) => r.section === "answer").map((r) => r.type)).size,
    1,
    "ANY: one RRset (RFC 8482)",
  );
  t.equal(ask("no.example.org.", "A").records[0]?.ttl, 30, "negative TTL is min(SOA TTL, MINIMUM)");
});

t.test("header bits, classes and opcodes: each answered with its RCODE", async (t) => {
  const rd = ask("web.example.org.", "A", { flags: 0x0100, id: 0xbeef });
  t.strictSame([rd.id, rd.flags], [0xbeef, 0x8500]);
  t.equal(ask("web.example.org.", "A", { flags: 0x0000 }).flags, 0x8400, "RD is copied");
  t.equal(
    ask("web.example.org.", "A", { flags: 0x0670 }).flags,
    0x8400,
    "AA, TC, Z, AD, CD in a query are ignored",
  );
  t.equal(
    raw(makeQuery("web.example.org.", "A", { flags: 0x8000 })),
    undefined,
    "a response is never answered",
  );
  t.equal(raw(new Uint8Array(11)), undefined);
  for (let opcode = 1; opcode < 16; opcode++) {
    const got = ask("web.example.org.", "A", { flags: opcode << 11 });
    t.strictSame(
      [got.rcode, (got.flags >>> 11) & 15, got.aa],
      [RCODE.NOTIMP, opcode, false],
      `opcode ${opcode}`,
    );
  }
  for (const qclass of [0, 2, 3, 4, 254, 255, 4096])
    t.equal(ask("web.example.org.", "A", { qclass }).rcode, RCODE.REFUSED, `class ${qclass}`);
  t.equal(ask("version.bind.", "TXT", { qclass: 3 }).rcode, RCODE.REFUSED);
  const told = ask("version.bind.", "TXT", { qclass: 3 }, UDP, authorityOf({ version: "ocdd" }));
  t.equal(formatRdata(TYPE.TXT, told.records[0]?.rdata as Uint8Array), '"ocdd"');
});

t.test("EDNS: versions, sizes and options", async (t) => {
  const version = ask("web.example.org.", "A", { edns: { version: 1 } });
  t.strictSame([version.rcode, version.opt?.type, shape(version)], [RCODE.BADVERS, TYPE.OPT, []]);
  t.equal(
    (ask("web.example.org.", "A", { edns: { flags: 0xffff } }).opt?.ttl ?? 0) & 0xffff,
    0x8000,
    "DO is copied, other flags are not",
  );
  t.equal(
    ask("web.example.org.", "A", { edns: { options: [[4711, new Uint8Array(5)]] } }).rcode,
    0,
    "unknown options are ignored",
  );
  t.equal(
    ask("no.example.", "A", { edns: {} }).opt?.rdata.join(),
    "0,15,0,2,0,20",
    "REFUSED says why (RFC 8914)",
  );
  const double = makeQuery("web.example.org.", "A", { edns: {} });
  const two = new Uint8Array([...double, ...double.subarray(-11)]);
  two[11] = 2;
  t.equal(raw(two)?.rcode, RCODE.FORMERR, "two OPT");
  const nsid = ask(
    "web.example.org.",
    "A",
    { edns: { options: [[3, new Uint8Array()]] } },
    UDP,
    authorityOf({ nsid: Uint8Array.of(1, 2) }),
  );
  t.equal(nsid.opt?.rdata.join(), "0,3,0,2,1,2");
  t.equal(
    ask("web.example.org.", "A", { edns: { options: [[11, new Uint8Array()]] } }, TCP).opt?.rdata.join(),
    "0,11,0,2,0,100",
  );
  t.equal(
    ask("web.example.org.", "A", { edns: { options: [[11, new Uint8Array()]] } }).opt?.rdata.length,
    0,
    "keepalive is for TCP",
  );
});

t.test("one OPT in, one OPT out: also for a wrong message", async (t) => {
  const cookie = { edns: { options: [[10, new Uint8Array(8)]] as [number, Uint8Array][] } };
  const odd = { options: [[10, new Uint8Array(3)]] as [number, Uint8Array][] };
  const withoutQuestion = (options: QueryOptions) => {
    const message = makeQuery(".", "A", options);
    message[5] = 0;
    return Uint8Array.from([...message.subarray(0, 12), ...message.subarray(17)]);
  };
  const lying = makeQuery("web.example.org.", "A", cookie);
  lying[lying.length - 9] = 200;
  const table: [what: string, message: Uint8Array, rcode: number][] = [
    ["no question", withoutQuestion({ edns: {} }), RCODE.FORMERR],
    ["no question, a cookie", withoutQuestion(cookie), RCODE.FORMERR],
    ["a cookie of 3 octets", makeQuery("web.example.org.", "A", { edns: odd }), RCODE.FORMERR],
    ["an option past the OPT's end", lying, RCODE.FORMERR],
    ["version 1", makeQuery("web.example.org.", "A", { edns: { version: 1 } }), RCODE.BADVERS],
    [
      "version 1, options of its own",
      makeQuery("web.example.org.", "A", { edns: { ...odd, version: 1 } }),
      RCODE.BADVERS,
    ],
    ...[1, 2, 3, 4, 5, 6, 7, 15].map((opcode): [string, Uint8Array, number] => [
      `opcode ${opcode}`,
      makeQuery("example.org.", "SOA", { ...cookie, flags: opcode << 11 }),
      RCODE.NOTIMP,
    ]),
  ];
  for (const [what, message, rcode] of table) {
    const got = raw(message);
    t.strictSame([got?.rcode, got?.opt?.type, got?.records.length], [rcode, TYPE.OPT, 0], what);
  }
  const update = makeQuery("example.org.", "SOA", { flags: 5 << 11 });
  const records = Array.from({ length: 20 }, () => [0, 0, 1, 0, 1, 0, 0, 0, 0, 0, 0]).flat();
  const many = Uint8Array.from([...update, ...records]);
  many[9] = 20;
  t.strictSame(
    [raw(many)?.rcode, parseQuery(many)?.malformed],
    [RCODE.NOTIMP, false],
    "a large UPDATE is not handled",
  );
  t.equal(raw(withoutQuestion({}))?.opt, undefined, "none in, none out");
  const told = authorityOf({ cookieSecrets: [new Uint8Array(16)] });
  const size = respond(told, UDP, withoutQuestion(cookie), out);
  t.equal(readMessage(out.subarray(0, size)).opt?.rdata.length, 4 + 24, "and a server cookie");
});

t.test("answers larger than the limit: TC, and whole records only", async (t) => {
  const of = authorityOf({ cookieSecrets: [new Uint8Array(16)] });
  const cookie = makeCookie([new Uint8Array(16)], new Uint8Array(8), UDP.client, UDP.now);
  const size = (name: string, offered: number | undefined, via = UDP) => {
    const edns = { size: offered ?? 0, options: [[10, cookie]] as [number, Uint8Array][] };
    const got = ask(name, "TXT", offered === undefined ? {} : { edns }, via, of);
    return [got.tc, shape(got).length, got.opt !== undefined];
  };
  t.strictSame(size("medium.example.org.", undefined), [true, 0, false], "512 without EDNS");
  t.strictSame(size("medium.example.org.", 100), [true, 0, true], "under 512 counts as 512, OPT is kept");
  t.strictSame(size("medium.example.org.", 1232), [false, 1, true]);
  t.strictSame(size("big.example.org.", 65535), [true, 0, true], "never above 1232 over UDP");
  t.strictSame(size("big.example.org.", undefined, TCP), [false, 1, false], "whole over TCP");
});

t.test("cookies: interoperable (RFC 9018 appendix A)", async (t) => {
  const hex = (text: string) => Uint8Array.from(Buffer.from(text.replaceAll(" ", ""), "hex"));
  t.strictSame(
    siphash(hex("000102030405060708090a0b0c0d0e0f"), hex("000102030405060708090a0b0c0d0e")),
    hex("e545be4961ca29a1"),
    "SipHash's own vector",
  );
  const cookieSecrets = [hex("e5e973e5a6b2a43f48e7dc849e37bfcf")];
  const at = { ...UDP, client: Uint8Array.of(198, 51, 100, 100), now: 1559731985 };
  const got = ask(
    "example.org.",
    "A",
    { edns: { options: [[10, hex("2464c4abcf10c957")]] } },
    at,
    authorityOf({ cookieSecrets }),
  );
  t.strictSame(got.opt?.rdata.subarray(4), hex("2464c4abcf10c957 010000005cf79f11 1f8130c3eee29480"));
  t.equal(ask("example.org.", "A", { edns: { options: [[10, new Uint8Array(9)]] } }).rcode, RCODE.FORMERR);
});

t.test("a query cut at any octet, or with wrong counts: FORMERR or no answer", async (t) => {
  const whole = makeQuery("web.example.org.", "A", { edns: { options: [[10, new Uint8Array(8)]] } });
  for (let size = 0; size < whole.length; size++) {
    const got = raw(whole.slice(0, size));
    t.ok(
      size < 12 ? got === undefined : got?.rcode === RCODE.FORMERR && got.records.length === 0,
      `${size} octets`,
    );
  }
  for (const at of [4, 5, 6, 7, 8, 9, 10, 11]) {
    const lying = whole.slice();
    lying[at] = 0xff;
    t.equal(raw(lying)?.rcode, RCODE.FORMERR, `count at ${at}`);
  }
  for (const [name, qname] of [
    ["pointer to itself", [0xc0, 12]],
    ["pointer into the header", [0xc0, 0]],
    ["pointer ahead", [0xc0, 40]],
    ["label 0x40", [0x40, 1]],
    ["label 0x80", [0x80, 1]],
    ["name above 255", Array(130).fill([1, 97]).flat().concat(0)],
  ] as [string, number[]][]) {
    const message = Uint8Array.from([0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, ...qname, 0, 1, 0, 1]);
    t.equal(raw(message)?.rcode, RCODE.FORMERR, name);
  }
  t.equal(
    raw(Uint8Array.from([...makeQuery("web.example.org.", "A"), 0]))?.rcode,
    RCODE.FORMERR,
    "octets left over",
  );
});

t.test("a zone that is not loaded: SERVFAIL with Not Ready", async (t) => {
  const waiting = authorityOf({ zones: authority.zones.map(({ origin }) => ({ origin, zone: undefined })) });
  t.equal(ask("web.example.org.", "A", {}, UDP, waiting).rcode, RCODE.SERVFAIL);
  t.equal(ask("example.net.", "A", {}, UDP, waiting).rcode, RCODE.REFUSED);
});
