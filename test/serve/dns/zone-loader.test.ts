/** A zone that follows its file: no file stops it, the journal is bounded, and serials wrap around. */
import { mkdirSync, mkdtempSync, renameSync, rmdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import t, { type Test } from "tap";
import { serialAfter } from "../../../src/dns/message/transfer.ts";
import type { Change } from "../../../src/dns/zone/journal.ts";
import { serialOf } from "../../../src/dns/zone/zone.ts";
import { extended, type ZoneLoader, zoneLoader } from "../../../src/serve/dns/zone-loader.ts";
import { zoneOf } from "../../dns/zones.ts";
import { until } from "../../lab/process.ts";

const head = (serial: number): string =>
  `$TTL 60\n@ SOA ns1 root ${serial} 3600 600 86400 60\n@ NS ns1\nns1 A 192.0.2.1\n`;

interface Kept {
  readonly keeper: ZoneLoader;
  readonly file: string;
  readonly said: string[];
  readonly replace: (text: string) => void;
}

function kept(t: Test): Kept {
  const dir = mkdtempSync(join(tmpdir(), "ocdd-keeper-"));
  const file = join(dir, "zone");
  const said: string[] = [];
  const log = (level: string, message: string): void => void said.push(`${level}: ${message}`);
  const keeper = zoneLoader("example.org", file, log, { changed: () => undefined, settled: () => undefined });
  t.teardown(() => {
    keeper.close();
    rmSync(dir, { recursive: true });
  });
  const replace = (text: string): void => {
    writeFileSync(`${file}.new`, text, "latin1");
    renameSync(`${file}.new`, file);
  };
  return { keeper, file, said, replace };
}

const serial = ({ keeper }: Kept): number => {
  const { zone } = keeper.served();
  return zone === undefined ? -1 : serialOf(zone);
};

t.test("unexpected errors in lines: logged, and the other lines are served", async (t) => {
  const it = kept(t);
  it.replace(head(1));
  it.keeper.follow();
  t.equal(serial(it), 1);
  const bad = [
    "x HTTPS 1 . ech=!!!",
    `x HTTPS 1 . port=${"1".repeat(300_000)}`,
    `x HTTPS 1 . mandatory=${"a".repeat(300_000)}`,
    `x DNSKEY 256 3 8 ${"A".repeat(4_000_001)}`,
    `x TXT ${'"a" '.repeat(200_000)}`,
    `x ${"(".repeat(100_000)}`,
    "x EUI48 00-11",
    `x TYPE65280 \\# 65500 ${"00".repeat(65_500)}`,
  ];
  for (const [i, line] of bad.entries()) {
    it.said.length = 0;
    it.replace(`${head(10 + i)}${line}\n`);
    await until(line.slice(0, 40), () => it.said.length > 0);
    t.match(it.said, [/^warning: .*zone:5: [\s\S]*; left out$/], line.slice(0, 40));
    t.equal(serial(it), 10 + i, "the other lines are served");
  }
});

t.test(
  "problems with long texts and control characters: printable, and the consequence stays in the line",
  async (t) => {
    const it = kept(t);
    it.replace(head(1));
    it.keeper.follow();
    const bad = `$ORIGIN \u001b[2J${"\u001b]0;x\u0007".repeat(20_000)}.\nx\u009b31m A bad\u001b[31m\n`;
    it.said.length = 0;
    it.replace(`$TTL 60\n@ NS ns1\nns1 A 192.0.2.1\n${bad.repeat(9)}`);
    await until("it is refused", () => it.said.some((line) => line.startsWith("error: ")));
    for (const line of it.said) {
      t.notMatch(line, /\p{C}/u);
      t.ok(line.length < 4_096, `${line.length}`);
    }
    t.match(it.said.at(-1), /; serial 1 is still served$/);
  },
);

t.test("a problem that stays is logged once, however often the zone changes", async (t) => {
  const it = kept(t);
  const bad = "www CNAME ns1\nwww TXT x\n";
  it.replace(head(1) + bad);
  it.keeper.follow();
  for (const serialNow of [2, 3, 4]) {
    it.replace(`${head(serialNow)}more A 192.0.2.${serialNow}\n${bad}`);
    await until("it is served", () => serial(it) === serialNow);
  }
  const problems = (): string[] => it.said.filter((line) => line.includes("www.example.org."));
  t.match(problems(), [/^warning: .*zone:6: www\.example\.org\.: TXT beside CNAME.*; left out$/]);
  it.replace(head(5));
  await until("it is served", () => serial(it) === 5);
  it.replace(head(6) + bad);
  await until("it is served", () => serial(it) === 6);
  t.equal(problems().length, 2, "logged again when it has come back");
});

t.test("a version without a SOA is not served, and the last one stays", async (t) => {
  const it = kept(t);
  it.replace(head(1));
  it.keeper.follow();
  it.replace("$TTL 60\n@ NS ns1\nns1 A 192.0.2.1\n");
  await until("it is refused", () => it.said.length > 1);
  t.match(it.said[1], /^error: .*the zone has no SOA; serial 1 is still served$/);
  t.equal(serial(it), 1);
});

t.test("a file that cannot be read is waited for, with the reason", async (t) => {
  const it = kept(t);
  await execa("mkfifo", [it.file]);
  it.keeper.follow();
  t.match(it.said, [/^warning: .* is a pipe and not a file; nothing is served until it is valid$/]);
  rmSync(it.file);
  mkdirSync(it.file);
  await until("the next one is logged", () =>
    it.said.some((line) => line.includes("is a directory and not")),
  );
  rmdirSync(it.file);
  await until("its absence is logged", () => it.said.some((line) => line.includes("does not exist")));
  it.replace(head(5));
  await until("it is served", () => serial(it) === 5);
});

t.test("loads: whether the file of now is served, and how often it could not be", async (t) => {
  const it = kept(t);
  const loads = () => it.keeper.loads();
  t.same(loads(), { ok: false, failures: 0 });
  it.keeper.follow();
  t.same(loads(), { ok: false, failures: 1 }, "no file");
  it.replace(head(1));
  await until("it is served", () => serial(it) === 1);
  t.same(loads(), { ok: true, failures: 1 });
  const broken = "@ NS ns1\n";
  it.replace(broken);
  await until("it is noticed", () => loads().failures === 2);
  t.same([loads().ok, serial(it)], [false, 1]);
  it.replace(head(1));
  await until("the file that is served is back", () => loads().ok);
  it.replace(broken);
  await until("it is noticed again", () => loads().failures === 3);
  rmSync(it.file);
  await until("it is missed", () => loads().failures === 4);
  it.replace(head(2));
  await until("the next is served", () => serial(it) === 2);
  t.same(loads(), { ok: true, failures: 4 });
});

t.test("a signed zone: served, with a warning that its signatures are not sent", async (t) => {
  const it = kept(t);
  it.replace(`${head(1)}@ DNSKEY 256 3 8 AAAA\n`);
  it.keeper.follow();
  t.equal(serial(it), 1);
  t.match(it.said, [
    /^warning: .*zone:5: example\.org\.: a signed zone; no answer carries its signatures/,
    /is served/,
  ]);
});

t.test("the journal keeps so many changes, and so many records in them all", async (t) => {
  let history: readonly Change[] = [];
  let old = zoneOf(head(1));
  for (let n = 2; n < 202; n++) {
    const next = zoneOf(`${head(n)}name${n} A 192.0.2.9\n`);
    history = extended(history, old, next);
    old = next;
  }
  t.equal(history.length, 128);
  t.equal(history.at(-1)?.to, 201);
  t.equal(history[0]?.from, 201 - 128);

  // one RRset of 3 000 records, all of them in each change of its TTL
  const addresses = Array.from({ length: 3_000 }, (_, i) => `10.1.${i >> 8}.${i & 255}`);
  const crowd = (n: number, ttl: number): string =>
    head(n) + addresses.map((address) => `many ${ttl} A ${address}\n`).join("");
  history = [];
  old = zoneOf(crowd(1, 60));
  for (let n = 2; n < 12; n++) {
    const next = zoneOf(crowd(n, 60 + n));
    history = extended(history, old, next);
    old = next;
  }
  t.equal(history.length, 3, "6 000 records a change, 20 000 in all");
  t.same(extended(history, old, zoneOf(head(11))), [], "a serial that does not rise ends the journal");
});

t.test("serials that wrap around: compared as RFC 1982 §3.2 says", async (t) => {
  for (const [a, b, after] of [
    [1, 0, true],
    [0, 1, false],
    [5, 5, false],
    [0, 0xffffffff, true],
    [0xffffffff, 0, false],
    [0x7fffffff, 0, true],
    [0x80000000, 0, false],
    [0x80000001, 0, false],
    [44, 100, false],
    [10, 0xfffffff0, true],
  ] as const)
    t.equal(serialAfter(a, b), after, `${a} after ${b}`);
  const wrapped = extended([], zoneOf(head(0xffffffff)), zoneOf(`${head(1)}new A 192.0.2.9\n`));
  t.match(wrapped, [{ from: 0xffffffff, to: 1 }]);
});
