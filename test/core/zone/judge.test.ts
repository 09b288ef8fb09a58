/** The director never writes a record that the server would leave out: both use the same check. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import t from "tap";
import { decide } from "../../../src/core/decide.ts";
import { readZoneOnDisk, updateZone, type ZoneSettings } from "../../../src/core/zone/records.ts";
import { addressRecords } from "../../../src/core/zone/service-records.ts";
import { parseZoneFile } from "../../../src/dns/text/zonefile.ts";
import { compileZone } from "../../../src/dns/zone/compile.ts";
import { config, container, HOST, NOW, observation, ZONE, zoneOnDisk } from "../make.ts";

const SETTINGS: ZoneSettings = { zone: ZONE, hostName: "dockerhost", soaEmail: `it.desk@${ZONE}`, ttl: 60 };
const OURS = addressRecords([], "dockerhost", HOST);
const look = (text: string) => readZoneOnDisk(text, SETTINGS, OURS);
const update = (text: string): string => updateZone(look(text), SETTINGS, OURS, NOW).text;

/** The server's findings on a zone file. */
function served(text: string): { leftOut: string[]; errors: number } {
  const { errors, warnings } = compileZone(parseZoneFile(text, ZONE), ZONE, 7);
  return {
    errors: errors.length,
    leftOut: warnings.map(({ message }) => message).filter((message) => /left out|TTL differs/.test(message)),
  };
}

t.test("two hand-written lines in conflict: the later becomes a comment with a warning", async (t) => {
  const table: [lines: string, comment: string, warning: RegExp][] = [
    ['www IN CNAME web\nwww IN TXT "our web"\n', '; www IN TXT "our web"', /line 3 .*TXT beside CNAME/],
    ["www IN TXT x\nwww IN CNAME web\n", "; www IN CNAME web", /line 3 .*CNAME beside TXT/],
    ["www IN CNAME web\nWWW IN CNAME a\n", "; WWW IN CNAME a", /line 3 .*second CNAME/],
    ["www IN CNAME web\n\\119ww IN TXT x\n", "; \\119ww IN TXT x", /line 3 .*TXT beside CNAME/],
    ["d IN DNAME a\nd IN DNAME b\n", "; d IN DNAME b", /line 3 .*second DNAME/],
    ["*.w IN NS a\n", "; *.w IN NS a", /line 2 .*NS at a wildcard/],
    ["@ IN CNAME a\n", "; @ IN CNAME a", /line 2 .*no CNAME is allowed at the zone's apex/],
    [`@ DS 1 8 2 ${"00".repeat(32)}\n`, `; @ DS 1 8 2 ${"00".repeat(32)}`, /line 2 .*DS at the zone's apex/],
    ["@ NS c\nc CNAME b.\n", "; @ NS c", /line 2 .*"c" is an alias/],
    ["d DNAME x.\n@ NS a.d\n", "; @ NS a.d", /line 3 .*"a.d" lies below the DNAME at "d"/],
    ["@ NS t\nt TXT x\n", "; @ NS t", /line 2 .*"t" has no A or AAAA/],
    ["@ NS ns1\n", "; @ NS ns1", /line 2 .*"ns1" has no A or AAAA/],
    ["@ NS 1.2.3.4\n", "; @ NS 1.2.3.4", /line 2 .*"1.2.3.4" is an address/],
    ["t MD last\n", "; t MD last", /line 2 .*MD: not a type/],
    ["t TYPE4 \\# 1 00\n", "; t TYPE4 \\# 1 00", /line 2 .*TYPE4: not a type/],
  ];
  for (const [lines, comment, warning] of table) {
    const text = `$TTL 60\n${lines}last IN A 10.1.1.3\n`;
    const { warnings } = look(text);
    t.equal(warnings.length, 1, lines);
    t.match(warnings[0], warning);
    const after = update(text);
    t.ok(after.includes(`\n${comment}\n`), after);
    t.ok(after.endsWith("\nlast IN A 10.1.1.3\n"), "its neighbours stay");
    t.strictSame(served(after), { leftOut: [], errors: 0 });
    t.equal(update(after), after, "and the next run changes nothing");
  }
});

t.test("records below or beside a cut: a warning as long as it is there, and the lines stay", async (t) => {
  const ds = `lab DS 1 8 1 ${"00".repeat(20)}`;
  const table: [lines: string, warning: RegExp][] = [
    [
      "lab DNAME x.\ntv.lab A 10.0.0.5\n",
      /line 3 is never answered: tv.lab: A below the DNAME record at "lab"/,
    ],
    ["tv.a.lab A 10.0.0.5\nlab DNAME x.\n", /line 2 .*A below the DNAME record at "lab"/],
    ["lab NS ns.lab\nns.lab A 10.0.0.5\nwiki.lab TXT hi\n", /line 4 .*TXT below the NS record/],
    ["wiki.lab CNAME x.\nlab NS ns.lab\n", /line 2 .*CNAME below the NS/],
    ["x.lab NS ns.x.lab\nns.x.lab A 10.0.0.5\nlab NS ns.x.lab\n", /line 2 .*NS below the NS/],
    [`lab TXT hi\nlab NS x.\n${ds}\n`, /line 2 .*TXT beside NS/],
  ];
  for (const [lines, warning] of table) {
    const text = `$TTL 60\n${lines}`;
    t.match(look(text).warnings, [warning]);
    t.equal(look(text).warnings.length, 1, lines);
    const after = update(text);
    t.ok(after.endsWith(lines), after);
    t.strictSame(served(after), { leftOut: [], errors: 0 });
    t.equal(update(after), after, "and the next run changes nothing");
  }
});

t.test("name servers of the zone that have an address, or may have one, stay", async (t) => {
  const lines = `@ NS ns1
@ NS ns.lab
@ NS a.w
@ NS @
@ NS dockerhost
@ NS ns.example.net.
@ TYPE2 \\# 5 0362796800
ns1 AAAA fd00::1
lab NS ns.example.net.
*.w A 10.0.0.1
`;
  const { warnings, nameServers } = look(lines);
  t.strictSame([warnings, nameServers], [[], []]);
  t.ok(update(lines).endsWith(lines.replace("@ NS dockerhost\n", "")));
});

t.test(
  "a name server that only a container can be: the line stays, with a note while there is none",
  async (t) => {
    const zone = zoneOnDisk(update("@ NS dns2\n"));
    t.match(zone.handwritten, /^@ NS dns2$/m);
    const notes = (name: string): string[] =>
      decide(config(), observation({ zone, containers: [container({ name })] }), NOW).warnings.filter(
        (line) => line.includes("name server"),
      );
    t.match(notes("web"), [/"dns2" of the zone has no address.*write an A record/]);
    t.strictSame(notes("dns2"), []);
  },
);

t.test("an owner with an escaped dot does not lie below what follows the dot", async (t) => {
  const lines = "lab NS x.\na\\.lab TXT hi\na\\046lab TXT hi\n";
  t.strictSame(look(lines).warnings, []);
});

t.test("an owner written with an escape bars the name that it spells", async (t) => {
  t.equal(look("$TTL 60\n\\102oo IN CNAME x.\n").owners.get("foo"), "CNAME");
});

/** Any hand-written lines. */
const owner = fc.constantFrom(
  ...[
    "@",
    "a",
    "A",
    "\\097",
    "b.a",
    "c.b.a",
    "c",
    "b\\.a",
    "dockerhost",
    "x.dockerhost",
    "*.a",
    "x.example.net.",
    " ",
  ],
);
const data = fc.constantFrom(
  "A 192.0.2.7",
  "30 A 192.0.2.8",
  "AAAA fd00::1",
  "CNAME a",
  "CNAME A",
  "DNAME b",
  "DNAME a",
  "TXT x",
  "MX 10 a",
  "NS a",
  "NS c.b.a",
  "NS dockerhost",
  "NS 1.2.3.4",
  "DS 1 8 1 0000000000000000000000000000000000000000",
  "MD a",
  "TYPE3 \\# 1 00",
  "600 TXT y",
  "SRV 0 0 1 a",
  "NSEC a A",
  "SOA a b 9 2 3 4 5",
  "A 1.2.3",
  "CNAME \\# 3 016100",
);
const line = fc.oneof(
  { arbitrary: fc.tuple(owner, data).map(([name, rest]) => `${name} ${rest}`), weight: 9 },
  {
    arbitrary: fc.constantFrom("$ORIGIN b..d", "$ORIGIN sub", `$ORIGIN ${ZONE}.`, "b..d A 1.2.3.4"),
    weight: 1,
  },
);

t.test("any hand-written records: the server leaves nothing out of what the director writes", async () => {
  fc.assert(
    fc.property(fc.array(line, { maxLength: 12 }), (list) => {
      const after = update(`$TTL 60\n${list.join("\n")}\n`);
      const { leftOut, errors } = served(after);
      return leftOut.length === 0 && errors === 0 && update(after) === after;
    }),
    { numRuns: Number(process.env.OCDD_RUNS ?? 1500) },
  );
});

t.test(
  "any hand-written records: BIND, and NSD but for what it calls occluded, load what the director writes",
  async (t) => {
    const dir = mkdtempSync(join(tmpdir(), "ocdd-judge-"));
    t.teardown(() => rmSync(dir, { recursive: true }));
    const file = join(dir, "zone");
    let loaded = 0;
    for (const list of fc.sample(fc.array(line, { maxLength: 12 }), { seed: 1995, numRuns: 80 })) {
      // NSD reads no relative $ORIGIN
      const text = list.join("\n").replaceAll("$ORIGIN sub", `$ORIGIN sub.${ZONE}.`);
      const after = update(`$TTL 60\n${text}\n`);
      // told in each run as long as no container has the name
      if (look(after).nameServers.length > 0) continue;
      loaded++;
      writeFileSync(file, after, "latin1");
      for (const [program, ...args] of [
        ["named-checkzone", "-k", "ignore", "-i", "none"],
        ["nsd-checkzone"],
      ] as const) {
        const { status, stdout, stderr } = spawnSync(program, [...args, ZONE, file], { encoding: "utf8" });
        const isOccluded = program === "nsd-checkzone" && look(after).warnings.length > 0;
        if (status !== 0 && !isOccluded) t.fail(`${program}: ${stdout}${stderr}\n${after}`);
      }
    }
    t.ok(loaded > 40, `${loaded} zones`);
  },
);
