import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import t from "tap";
import { rdataFits } from "../../../src/dns/text/rdata-check.ts";
import { formatRecord, parseZoneFile, readZoneFile } from "../../../src/dns/text/zonefile.ts";
import { cutLine } from "../../../src/dns/text/zonefile-line.ts";
import type { RecordStatement } from "../../../src/dns/text/zonefile-meaning.ts";
import { ROOT } from "../../../src/dns/wire/name.ts";
import { read16, read32 } from "../../../src/dns/wire/octets.ts";
import { isDataType } from "../../../src/dns/wire/types.ts";

const HEAD = "$TTL 60\n@ IN SOA ns1 hostmaster 1 3600 600 86400 60\n@ IN NS ns1\nns1 IN A 192.0.2.1\n";

/** The records of a text, as text again. */
function texts(text: string): string[] {
  const { wire } = parseZoneFile(text, "example.org");
  const out: string[] = [];
  for (let at = 0; at < wire.length; ) {
    let end = at;
    while (wire[end] !== 0) end += (wire[end] as number) + 1;
    const fixed = end + 1;
    const size = read16(wire, fixed + 8);
    const rdata = wire.subarray(fixed + 10, fixed + 10 + size);
    out.push(formatRecord(wire.subarray(at, fixed), read32(wire, fixed + 4), read16(wire, fixed), rdata));
    at = fixed + 10 + size;
  }
  return out;
}

t.test("statements: keep the file verbatim and have its meaning", async (t) => {
  const text = `; head\r\n$ORIGIN example.org.\n$TTL 1h\n@ SOA ns1 root (\n 1 ; serial\n 2 3 4 5 )\n\twww\n a 1.2.3.4\nwww 30 in a 192.0.2.7 ; ADDED-BY-OCDD-SCRIPT\n  TXT ("a ; b"\n"two")\nbad IN A 1.2.3\n$INCLUDE other`;
  const { statements, problems } = readZoneFile(text, "example.org.");
  t.equal(statements.map((s) => s.text).join(""), text);
  t.strictSame(
    statements.map((s) => [s.kind, s.line, s.lastLine]),
    [
      ["blank", 1, 1],
      ["directive", 2, 2],
      ["directive", 3, 3],
      ["record", 4, 6],
      ["unreadable", 7, 7],
      ["record", 8, 8],
      ["record", 9, 9],
      ["record", 10, 11],
      ["unreadable", 12, 12],
      ["unreadable", 13, 13],
    ],
  );
  t.match(statements[3], {
    owner: "example.org.",
    type: "SOA",
    ttl: 3600,
    ttlExplicit: false,
    comment: "serial",
  });
  t.strictSame((statements[3] as RecordStatement).rdata.slice(0, 2), [
    "ns1.example.org.",
    "root.example.org.",
  ]);
  t.match(statements[6], {
    owner: "www.example.org.",
    ttl: 30,
    ttlExplicit: true,
    comment: "ADDED-BY-OCDD-SCRIPT",
  });
  t.match(statements[7], {
    owner: "www.example.org.",
    ownerOmitted: true,
    rdata: ['"a ; b"', '"two"'],
  });
  t.match(problems, [
    { line: 7, message: "www: not an RR type" },
    { line: 12, message: "1.2.3: not an IPv4 address" },
    { line: 13, message: /^\$INCLUDE: not allowed/ },
  ]);
});

t.test("records of a file: printed in canonical form", async (t) => {
  const table: [string, string][] = [
    ["a.b A 192.0.2.1", "a.b.example.org.\t60\tIN\tA\t192.0.2.1"],
    ["@ 1h30m IN AAAA 2001:DB8::0:1", "example.org.\t5400\tIN\tAAAA\t2001:db8::1"],
    ["a AAAA ::ffff:192.0.2.1", "a.example.org.\t60\tIN\tAAAA\t::ffff:c000:201"],
    ["a IN 5 MX 10 mail", "a.example.org.\t5\tIN\tMX\t10 mail.example.org."],
    ['a TXT foo "b\\"ar" \\065\\000', 'a.example.org.\t60\tIN\tTXT\t"foo" "b\\"ar" "A\\000"'],
    ["a\\.b.c A 1.1.1.1", "a\\.b.c.example.org.\t60\tIN\tA\t1.1.1.1"],
    [
      "_http._tcp SRV 0 5 80 www.example.org.",
      "_http._tcp.example.org.\t60\tIN\tSRV\t0 5 80 www.example.org.",
    ],
    ['@ CAA 0 issue "ca.example; x=y"', 'example.org.\t60\tIN\tCAA\t0 issue "ca.example; x=y"'],
    ["a SSHFP 4 9 ab cd", "a.example.org.\t60\tIN\tSSHFP\t4 9 ABCD"],
    ["_443._tcp TLSA 3 1 1 (00\n ff)", "_443._tcp.example.org.\t60\tIN\tTLSA\t3 1 1 00FF"],
    [
      'a NAPTR 100 50 "s" "z3950" "" _z._tcp.x.',
      'a.example.org.\t60\tIN\tNAPTR\t100 50 "s" "z3950" "" _z._tcp.x.',
    ],
    ["a DS 1 RSASHA256 99 AA", "a.example.org.\t60\tIN\tDS\t1 8 99 AA"],
    ['a HINFO PC "Linux 6"', 'a.example.org.\t60\tIN\tHINFO\t"PC" "Linux 6"'],
    ["a TYPE65280 \\# 3 00ff10", "a.example.org.\t60\tIN\tTYPE65280\t\\# 3 00FF10"],
    ["a TYPE1 \\# 4 c0000201", "a.example.org.\t60\tIN\tA\t192.0.2.1"],
    ["a TYPE65281 \\# 0", "a.example.org.\t60\tIN\tTYPE65281\t\\# 0"],
    [
      "a LOC 52 22 23 N 4 53 32 E -2m 0m 10000m 10m",
      "a.example.org.\t60\tIN\tLOC\t52 22 23.000 N 4 53 32.000 E -2.00m 0m 10000m 10m",
    ],
    ["a APL 1:192.168.32.0/21 !2:fe80::/10", "a.example.org.\t60\tIN\tAPL\t1:192.168.32.0/21 !2:fe80::/10"],
    [
      "a HTTPS 1 . alpn=h2,h3 port=8443 ipv4hint=192.0.2.1",
      'a.example.org.\t60\tIN\tHTTPS\t1 . alpn="h2,h3" port=8443 ipv4hint=192.0.2.1',
    ],
    ["a DNAME b", "a.example.org.\t60\tIN\tDNAME\tb.example.org."],
    ['a URI 10 1 "ftp://x/"', 'a.example.org.\t60\tIN\tURI\t10 1 "ftp://x/"'],
    ["a NSEC b A TYPE1234 MX", "a.example.org.\t60\tIN\tNSEC\tb.example.org. A MX TYPE1234"],
    ["a EUI48 00-00-5e-00-53-2a", "a.example.org.\t60\tIN\tEUI48\t00-00-5e-00-53-2a"],
    ["a RP . .", "a.example.org.\t60\tIN\tRP\t. ."],
  ];
  for (const [line, want] of table) {
    t.strictSame(texts(`$TTL 60\n${line}\n`), [want], line);
    t.strictSame(texts(`${want}\n`), [want], `${want}, read again`);
  }
  const dir = mkdtempSync(join(tmpdir(), "ocdd-"));
  writeFileSync(
    join(dir, "zone"),
    HEAD +
      table
        .map(([, want]) => `${want}\n`)
        .filter((l) => !/NSEC|TYPE1 /.test(l))
        .join(""),
  );
  t.match(
    execFileSync("named-checkzone", ["-k", "ignore", "-i", "none", "example.org", join(dir, "zone")], {
      encoding: "utf8",
    }),
    "OK",
  );
});

t.test("invalid lines: reported with their number, the others are read", async (t) => {
  const table: [string, RegExp][] = [
    ["a A 1.2.3.4.5", /not an IPv4 address/],
    ["a A 010.1.1.1", /not an IPv4 address/],
    ["a A", /ends early: ipv4 is missing/],
    ["a A 1.1.1.1 x", /x: more than A takes/],
    ["a..b A 1.1.1.1", /empty label/],
    [`${"a".repeat(64)} A 1.1.1.1`, /label of 64 octets/],
    [`${"a.".repeat(130)} A 1.1.1.1`, /name of \d+ octets/],
    ["a CH A 1.1.1.1", /class CH: only IN/],
    ['a TXT "x', /quote is not closed on its line/],
    ['a TXT "x\\', /quote is not closed on its line/],
    ['a TXT x"', /quote is not closed on its line/],
    ['a"b A 1.1.1.1', /quote is not closed on its line/],
    ["a TXT ( ( x ) )", /second opening parenthesis before the first one is closed/],
    ["a TXT ( x", /parenthesis is never closed/],
    ["a TXT x )", /closing parenthesis/],
    ["a MX ten mail", /ten: not a number/],
    ["a MX 65536 mail", /65536: not a number up to 65535/],
    ["a TYPE1 \\# 5 c000020101", /not A RDATA/],
    ["a ANY x", /not a type that a zone can hold/],
    [`a TXT ${"x".repeat(256)}`, /256 octets/],
    ["$GENERATE 1-5 a A 1.1.1.$", /GENERATE: not supported/],
    ["$TTL x", /TTL takes/],
    ["a \\1 1.1.1.1", /not an RR type/],
    ["a resinfo qnamemin", /resinfo: write it as TYPE261 \\# LENGTH HEX/],
    ["\\1 A 1.1.1.1", /takes three digits/],
  ];
  for (const [line, message] of table) {
    const { problems, lines } = parseZoneFile(`${HEAD}${line}\nlast A 192.0.2.9\n`, "example.org");
    t.match(problems, [{ line: 5, message }], line);
    t.equal(lines.at(-1), 6, `after ${line}`);
  }
  t.match(parseZoneFile(" A 1.1.1.1", "x").problems, [{ line: 1, message: /without an owner/ }]);
  t.match(parseZoneFile("a A 1.1.1.1", "x").problems, [{ line: 1, message: /no TTL/ }]);
});

t.test(
  "a quote that its line does not close: that line is unreadable, and those behind it are read",
  async (t) => {
    const rest = 'mail A 192.0.2.6\n; the 19" rack\nb TXT x”\nftp A 192.0.2.7\n';
    for (const line of ['a TXT "one', 'a TXT “one"', 'a TXT "v=spf1 -all”', 'a TXT ( "one\n two" )', 'a"']) {
      const text = Buffer.from(`$TTL 60\n${line}\n${rest}`).toString("latin1");
      const { statements, problems } = readZoneFile(text, "example.org");
      t.equal(problems[0]?.line, 2, line);
      t.equal(statements.map((s) => s.text).join(""), text);
      t.match(texts(text).join("\n"), /^mail.*\n.*TXT.*\nftp.*$/, line);
      t.match(parseZoneFile(text, "example.org").problems, problems);
    }
    // named-checkzone: "unbalanced quotes"
    const dir = mkdtempSync(join(tmpdir(), "ocdd-"));
    for (const line of ['a TXT "one\n two"', 'a TXT ( "one\n two" )']) {
      writeFileSync(join(dir, "zone"), `${HEAD}${line}\n`);
      const { status, stdout } = spawnSync("named-checkzone", ["example.org", join(dir, "zone")], {
        encoding: "utf8",
      });
      t.equal(status, 1);
      t.match(stdout, "unbalanced quotes");
    }
  },
);

t.test("lines that open and never close: five megabytes of them are cut, each is a problem", async (t) => {
  /** Logical lines of a text, and those that cannot be cut. */
  const cut = (text: string): [lines: number, problems: number] => {
    let [lines, problems] = [0, 0];
    for (let at = 0; at < text.length; lines++) {
      const { next, problem } = cutLine(text, at);
      if (problem !== undefined) problems++;
      at = next;
    }
    return [lines, problems];
  };
  for (const line of ["x (", 'x ( "', 'x TXT "a', 'x TXT \\" (', "( ; (", '( "(" \\', '( "\\', ") ("]) {
    const count = Math.ceil(5_000_000 / (line.length + 1));
    t.strictSame(cut(`${line}\n`.repeat(count)), [count, count], line);
    const half = Math.ceil(count / 2);
    const [lines] = cut(`${line}\n`.repeat(half) + '")\n'.repeat(half));
    t.ok(lines >= count - 1, `${line}, closed behind all`);
  }
});

t.test("a BOM at the start is no part of the first line; elsewhere it is an octet of a name", async (t) => {
  const BOM = "\xef\xbb\xbf";
  for (const text of [
    "$TTL 60\na A 192.0.2.1\n",
    "a 60 A 192.0.2.1\n",
    "; comment\na 60 A 192.0.2.1",
    "bad",
    "",
  ]) {
    t.strictSame(readZoneFile(BOM + text, "example.org"), readZoneFile(text, "example.org"), text);
    t.strictSame(texts(BOM + text), texts(text), text);
  }
  t.match(texts(`$TTL 60\n${BOM}a A 192.0.2.1\n`), [/^\\239\\187\\191a\./]);
});

t.test("any text: read without an exception, and the statements join to the file", async (t) => {
  const piece = fc.oneof(
    fc.constantFrom(
      "a",
      "@",
      " ",
      "\t",
      "\n",
      "\r\n",
      "(",
      ")",
      '"',
      ";",
      "\\",
      "\\#",
      "$TTL 5",
      "$ORIGIN x.",
      "IN",
      "A",
      "TXT",
      "SOA",
      "1.2.3.4",
      "60",
      "NSEC",
      "SVCB",
      "alpn=x",
      "LOC",
      "APL",
      "4",
      "DS",
      "\xef\xbb\xbf",
    ),
    fc.string({ unit: "binary" }),
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 40 }), (pieces) => {
      const text = pieces.join(" ");
      const { statements } = readZoneFile(text, "example.org");
      return statements.map((s) => s.text).join("") === text.replace(/^\xef\xbb\xbf/, "");
    }),
    { seed: 1035, numRuns: 30_000 },
  );
  t.strictSame(readZoneFile("", "").statements, []);
  t.equal(ROOT.length, 1);
});

t.test("any RDATA: printed as text that reads back to the same octets", async () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 300 }), fc.uint8Array({ maxLength: 60 }), (type, octets) => {
      if (!isDataType(type)) return true;
      const line = formatRecord(ROOT, 1, type, octets);
      const { wire, problems } = parseZoneFile(line, "");
      if (!rdataFits(type, octets)) return problems.length === 1;
      if (problems.length > 0) throw new Error(`${line}: ${problems[0]?.message}`);
      return Buffer.from(wire.subarray(11)).equals(Buffer.from(octets));
    }),
    { seed: 3597, numRuns: 30_000 },
  );
});
