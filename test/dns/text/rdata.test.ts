/** RDATA of every type: valid forms are read, RDATA that no secondary could read is refused, and the reader never fails. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import t from "tap";
import { parseZoneFile, readZoneFile, UNEXPECTED } from "../../../src/dns/text/zonefile.ts";
import { numbers } from "../mutate.ts";

const HEAD = "$TTL 60\n@ SOA ns1 root 1 2 3 4 5\n@ NS ns1\nns1 A 192.0.2.1\n";
const problems = (line: string): string[] =>
  parseZoneFile(`${HEAD}${line}\n`, "example.org").problems.map(({ message }) => message);

const SHA1 = "2bb183af5f22588179a53b0a98631fd1a292118a"; // 20 octets
const SHA256 = SHA1 + "0".repeat(24);

/** Valid, and which of the three checkers of Debian's read it too. */
const VALID: readonly (readonly [string, string])[] = [
  ["a IPSECKEY 10 0 2 . AQNRU3mG7TVTO2BkR47usntb102uFJtugbo6BSGvgqt4AQ==", "bind nsd knot"],
  ["a IPSECKEY 10 1 2 192.0.2.38 AQNRU3mG7TVTO2BkR47usntb102uFJtugbo6BSGvgqt4AQ==", "bind nsd knot"],
  ["a IPSECKEY 10 2 2 2001:db8::1 AQNRU3mG7TVTO2BkR47usntb102uFJtugbo6BSGvgqt4AQ==", "bind nsd knot"],
  ["a IPSECKEY 10 3 2 gateway AQNRU3mG7TVTO2BkR47usntb102uFJtugbo6BSGvgqt4AQ==", "bind nsd knot"],
  ["a HTTPS 1 . alpn=h2 dohpath=/q{?dns} mandatory=alpn", "bind nsd"],
  ["a SVCB 1 svc mandatory=port,alpn alpn=h2 port=853 no-default-alpn", "bind nsd knot"],
  ["a SVCB 0 other", "bind nsd knot"],
  ["a HTTPS 1 . alpn=h2 ohttp tls-supported-groups=29,4588", ""],
  ["a LOC 52 22 23 N 4 53 32 E -2m 0m 10000m 10m", "bind nsd knot"],
  ["a LOC 1 N 1 E -100000.00m", "bind nsd"],
  ["a LOC 1 N 1 E 42849672.95m", "bind nsd knot"],
  [`a DS 1 8 1 ${SHA1}`, "bind nsd knot"],
  [`a DS 1 8 2 ${SHA256}`, "bind nsd knot"],
  ["a CDS 0 0 0 00", "bind nsd knot"],
  ["a EUI48 00-11-22-33-44-55", "bind nsd knot"],
  ["a EUI64 00-11-22-33-44-55-66-77", "bind nsd knot"],
  ["a AVC some words", "bind nsd"],
  ["a NINFO some words", "bind"],
  ["a GPOS -32.6882 116.8652 10.0", "bind"],
  ["a APL", "bind nsd knot"],
  ["a APL 1:0.0.0.0/0 !2:::/0", "bind nsd knot"],
  ["a NSEC \\# 9 00 0006 40 01 00 00 00 03", ""],
];

/** Not valid: lengths add up, but no other server could read them. */
const INVALID: readonly string[] = [
  "a EUI48 00-11",
  "a EUI48 0011-22-33-44-55-",
  "a EUI64 00-11-22-33-44-55",
  "a SVCB 1 . mandatory=alpn",
  "a SVCB 1 . mandatory=mandatory",
  "a SVCB 1 . mandatory=alpn,alpn alpn=h2",
  "a SVCB 1 . no-default-alpn",
  "a SVCB 1 . ohttp=x",
  "a SVCB 1 . key8=x",
  "a SVCB 1 . tls-supported-groups",
  "a SVCB 1 . tls-supported-groups=29,x",
  'a SVCB 1 . ech=""',
  "a SVCB 1 . ech",
  "a HTTPS 1 . ech=!!!",
  "a HTTPS 1 . ech=AAA",
  `a HTTPS 1 . port=${"1".repeat(300_000)}`,
  `a HTTPS 1 . mandatory=${"a".repeat(300_000)}`,
  `a HTTPS 1 . ech=${"A".repeat(300_000)}`,
  `a HTTPS 1 . key99=${"A".repeat(70_000)}`,
  "a HTTPS 1 . alpn",
  "a HTTPS 1 . ipv4hint=",
  "a HTTPS \\# 7 0001 00 0003 0001",
  "a HTTPS \\# 9 0001 00 0003 0002 0050 00",
  "a HTTPS \\# 15 0001 00 0003 0002 0050 0003 0002 0050",
  "a NSEC \\# 3 000100",
  "a NSEC \\# 4 00 00 01 00",
  "a NSEC \\# 7 00 01 01 40 00 01 40",
  "a DS 1 8 2 00",
  `a DS 1 8 1 ${SHA256}`,
  "a DS \\# 5 0001 08 02 00",
  "a ZONEMD 1 1 1 00",
  "a APL \\# 1 ff",
  "a APL \\# 4 0001 21 00",
  "a APL \\# 8 0001 20 04 c0000200",
  "a LOC \\# 16 00 fa 16 13 80000000 80000000 00989680",
  "a LOC 1 N 1 E -200000m",
  "a LOC 1 N 1 E 42849672.96m",
  "a IPSECKEY 10 4 2 192.0.2.38 AQNR",
  "a IPSECKEY 10 0 2 192.0.2.38 AQNR",
  "a IPSECKEY 10 1 2 2001:db8::1 AQNR",
  "a IPSECKEY 10 1",
  `a TYPE65280 \\# 64001 ${"00".repeat(64_001)}`,
  `a DNSKEY 256 3 8 ${"AAAA".repeat(30_000)}`,
  `a DNSKEY 256 3 8 ${"A".repeat(4_000_001)}`,
];

t.test("valid RDATA: read, and read back from its printed form", async (t) => {
  for (const [line] of VALID) {
    t.strictSame(problems(line), [], line);
    const { statements } = readZoneFile(`${HEAD}${line}\n`, "example.org");
    t.equal(statements.at(-1)?.kind, "record", line);
  }
  t.strictSame(
    problems("@ SOA ns1 root 1 4294967295 4294967295 4294967295 4294967295").filter(
      (one) => !/SOA/.test(one),
    ),
    [],
    "the numbers of a SOA are 32 bits",
  );
});

t.test("valid RDATA: accepted by the checkers of BIND, NSD and Knot", async (t) => {
  const dir = mkdtempSync(join(tmpdir(), "ocdd-rdata-"));
  t.teardown(() => rmSync(dir, { recursive: true }));
  const checkers: Record<string, (file: string) => [string, ...string[]]> = {
    bind: (file) => ["named-checkzone", "-k", "ignore", "-i", "none", "example.org", file],
    nsd: (file) => ["nsd-checkzone", "example.org", file],
    knot: (file) => ["kzonecheck", "-o", "example.org", file],
  };
  for (const [name, argv] of Object.entries(checkers)) {
    const file = join(dir, name);
    const lines = VALID.filter(([, who]) => who.includes(name)).map(([line]) => line);
    writeFileSync(file, `${HEAD}${lines.map((line, i) => line.replace(/^a /, `a${i} `)).join("\n")}\n`);
    const [program, ...args] = argv(file);
    const { exitCode, stdout, stderr } = await execa(program, args, { reject: false });
    t.equal(exitCode, 0, `${name}: ${stdout}${stderr}`);
  }
});

t.test("invalid RDATA: refused with its line and a reason", async (t) => {
  for (const line of INVALID) {
    const [message, ...more] = problems(line);
    t.strictSame(more, []);
    t.ok(
      message !== undefined && !message.startsWith(UNEXPECTED) && message.length < 250,
      `${line.slice(0, 60)}: ${message?.slice(0, 80)}`,
    );
  }
});

/** Cases of the next test; FUZZ_CASES for a longer run. */
const CASES = Number(process.env.FUZZ_CASES ?? 200_000);

t.test(`${CASES} damaged records of every type`, { timeout: 60_000 + CASES }, async (t) => {
  const pick = numbers(Number(process.env.FUZZ_SEED ?? 20_260_101) + 2);
  const whole = [
    ...VALID.map(([line]) => line),
    ...INVALID.filter((line) => line.length < 200),
    "a MX 10 mail",
    "a SRV 0 5 80 www",
    'a TXT "some words" more "\\"quoted\\"" \\000\\255',
    'a NAPTR 100 50 "s" "z3950" "" _z._tcp',
    'a CAA 0 issue "ca.example.org; account=1"',
    "a TLSA 3 1 1 00aabb",
    "a SSHFP 1 1 00aabb",
    "a RRSIG A 8 2 60 20300101000000 20200101000000 1 example.org. AAAA",
    "a NSEC3 1 0 10 aabb 0p9mhaveqvm6t7vbl5lop2u3t2rp3tom A MX TYPE1234",
    "a CERT PGP 0 0 AAAA",
    "a L64 10 2001:db8:1:2",
    'a URI 10 1 "ftp://x/"',
  ];
  const words = [...new Set(whole.flatMap((line) => line.split(/(?<=[ =,:.-])/)))];
  const junk = [
    "\\",
    "\\#",
    '"',
    "(",
    ")",
    ";",
    "=",
    ",",
    "!",
    ":",
    "-",
    "4294967296",
    "\\256",
    "\0",
    "\xff",
    "@",
  ];
  let read = 0;
  for (let i = 0; i < CASES; i++) {
    const parts = (whole[pick(whole.length)] as string).split(/(?<=[ =,:.-])/);
    for (let times = pick(3); times > 0; times--) {
      const from = pick(4) === 0 ? junk : words;
      parts.splice(1 + pick(parts.length), pick(3), from[pick(from.length)] as string);
    }
    const line = parts.join("");
    const { problems, starts } = parseZoneFile(`$TTL 60\n${line}\n`, "example.org");
    if (problems.some(({ message }) => message.startsWith(UNEXPECTED)))
      t.fail(`${JSON.stringify(line)}: ${problems[0]?.message}`);
    if (problems.length === 0) read += starts.length;
  }
  t.ok(read > CASES / 10 && read < CASES, `${read} were read`);
});

t.test("NAPTR: the expressions of RFC 2915, 3402 and 3761 are read, what is none is refused", async (t) => {
  const naptr = (regexp: string): string[] => problems(`a NAPTR 100 10 "u" "E2U+sip" "${regexp}" .`);
  for (const good of [
    "",
    "!^.*$!sip:info@example.com!",
    "/urn:cid:.+@([^\\\\.]+\\\\.)(.*)$/\\\\2/i",
    "!^(\\\\+441632960083)$!sip:\\\\1@example.com!",
    "!^http://([^/:]+)!\\\\1!i",
    "!(a|b[c-e-])+x{2,3}[[:digit:]_]!\\\\1!",
  ])
    t.strictSame(naptr(good), [], good);
  for (const bad of [
    "!(!a!",
    "!a)!a!",
    "!a",
    "!a!b",
    "!a!b!x",
    "!a!\\\\1!",
    "!a!\\\\0!",
    "!*!a!",
    "!a**!a!",
    "![]!a!",
    "![b-a]!a!",
    "!a{3,2}!a!",
    "1a1b1",
  ])
    t.equal(naptr(bad).length, 1, bad);
});
