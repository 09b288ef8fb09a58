/** Records in conflict: the compiler leaves out the later one and serves the rest, as named-checkzone of BIND accepts it. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import t from "tap";
import { formatRecord, parseZoneFile } from "../../../src/dns/text/zonefile.ts";
import { compileZone } from "../../../src/dns/zone/compile.ts";
import { nodeOwner, nodesOf, readSet, setsOf } from "../../../src/dns/zone/zone.ts";
import { numbers } from "../mutate.ts";

const HEAD = "$TTL 60\n@ SOA ns1 root 1 2 3 4 5\n@ NS ns1\nns1 A 192.0.2.1\n";

/** What is served of a zone file, a line a record, and what is said of the rest. */
function compiled(text: string): { served: string[]; warnings: string[]; errors: number } {
  const { zone, errors, warnings } = compileZone(parseZoneFile(text, "example.org"), "example.org", 7);
  const served: string[] = [];
  if (zone !== undefined)
    for (const node of nodesOf(zone))
      for (const set of setsOf(zone, node).map((at) => readSet(zone, at)))
        for (const rdata of set.rdata)
          served.push(formatRecord(nodeOwner(zone, node), set.ttl, set.type, rdata).replaceAll("\t", " "));
  return {
    served,
    warnings: warnings.map(({ line, message }) => `${line}: ${message}`),
    errors: errors.length,
  };
}

t.test(
  "two lines in conflict: the earlier is served, the later is not, other lines are not affected",
  async (t) => {
    const table: [lines: string, left: string[], warning: RegExp][] = [
      ["www CNAME ns1\nwww TXT x\n", ["www CNAME"], /^6: www\.example\.org\.: TXT beside CNAME/],
      ["www TXT x\nwww CNAME ns1\n", ["www TXT"], /^6: www\.example\.org\.: CNAME beside TXT/],
      ["www A 1.2.3.4\nwww CNAME ns1\nwww A 1.2.3.5\n", ["www A", "www A"], /^6: .*CNAME beside A/],
      ["www CNAME ns1\nWWW CNAME ns2\n", ["www CNAME"], /^6: .*second CNAME/],
      ["www CNAME ns1\nwww CNAME ns1\nwww NSEC ns1 CNAME\n", ["www CNAME", "www NSEC"], /^never$/],
      ["*.w NS ns1\n*.w A 1.2.3.4\n", ["*.w A"], /^5: .*NS at a wildcard/],
      ["d DNAME a\nd DNAME b\n", ["d DNAME"], /^6: .*second DNAME/],
      [`@ DS 1 8 1 ${"00".repeat(20)}\n`, [], /^5: .*DS at the zone's apex/],
      ["@ CNAME ns1\n", [], /^5: .*CNAME at the zone's apex/],
      ["@ SOA ns1 root 9 2 3 4 5\n", [], /^5: .*second SOA/],
      ["sub SOA ns1 root 9 2 3 4 5\nsub A 1.2.3.4\n", ["sub A"], /^5: .*SOA below the zone's apex/],
      ["other.example.net. A 1.2.3.4\nwww A 1.2.3.4\n", ["www A"], /^5: .*outside the zone; left out/],
      ["www A 1.2.3\nweb A 1.2.3.4\n", ["web A"], /^5: 1\.2\.3: not an IPv4 address; left out/],
      ["b..d A 1.2.3.4\n TXT x\nweb A 1.2.3.4\n", ["web A"], /^6: a record without an owner/],
      [
        "$ORIGIN b..d\nweb A 1.2.3.4\n$ORIGIN example.org.\nwww A 1.2.3.4\n",
        ["www A"],
        /^6: a \$ORIGIN before it/,
      ],
    ];
    for (const [lines, left, warning] of table) {
      const { served, warnings, errors } = compiled(HEAD + lines);
      const names = served
        .map((line) => line.replace(/^([\w.*]+)\.example\.org\. 60 IN (\w+) .*/, "$1 $2"))
        .filter((line) => !line.startsWith("example.org.") && line !== "ns1 A");
      t.strictSame(names, left, JSON.stringify(lines));
      t.equal(errors, 0);
      if (warning.source === "^never$") t.strictSame(warnings, []);
      else
        t.ok(
          warnings.some((line) => warning.test(line)),
          warnings.join("\n"),
        );
    }
    t.equal(compiled("$TTL 60\nns1 A 192.0.2.1\n").errors, 1, "without a SOA there is no zone");
    t.equal(
      compiled("$TTL 60\n@ CNAME x\n@ SOA ns1 root 1 2 3 4 5\n@ NS ns1\nns1 A 192.0.2.1\n").served.length,
      3,
    );
  },
);

t.test("any records over few owners: what is served is a zone that BIND accepts", async (t) => {
  const dir = mkdtempSync(join(tmpdir(), "ocdd-conflict-"));
  t.teardown(() => rmSync(dir, { recursive: true }));
  const pick = numbers(99);
  const owners = ["@", "a", "b", "x.a", "*.b"];
  const data = [
    "A 192.0.2.7",
    "AAAA fd00::1",
    "CNAME ns1",
    "CNAME a",
    "DNAME b",
    "DNAME ns1",
    "TXT x",
    "MX 10 ns1",
    "NS ns1",
    "SRV 0 0 1 ns1",
    "SOA ns1 root 9 2 3 4 5",
    "30 A 192.0.2.8",
  ];
  for (let round = 0; round < 60; round++) {
    let text = HEAD;
    for (let n = pick(9); n >= 0; n--) {
      const line = `${owners[pick(owners.length)]} ${data[pick(data.length)]}\n`;
      // hides the zone's own name servers, which BIND forbids and OCDD serves as written
      if (!line.startsWith("@ DNAME")) text += line;
    }
    const { served, errors } = compiled(text);
    t.equal(errors, 0, text);
    const file = join(dir, "zone");
    writeFileSync(file, `${served.join("\n")}\n`);
    const argv = ["-k", "ignore", "-i", "none", "example.org", file];
    const { status, stdout } = spawnSync("named-checkzone", argv, { encoding: "utf8" });
    if (status !== 0) t.fail(`${text}\n${served.join("\n")}\n${stdout}`);
  }
});
