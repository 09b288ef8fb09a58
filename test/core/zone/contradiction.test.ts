/** The director never writes a record that the server would leave out: both use the same check. */
import fc from "fast-check";
import t from "tap";
import { readZoneOnDisk, updateZone, type ZoneSettings } from "../../../src/core/zone/records.ts";
import { addressRecords } from "../../../src/core/zone/service-records.ts";
import { parseZoneFile } from "../../../src/dns/text/zonefile.ts";
import { compileZone } from "../../../src/dns/zone/compile.ts";
import { HOST, NOW, ZONE } from "../make.ts";

const SETTINGS: ZoneSettings = { zone: ZONE, hostName: "dockerhost", soaEmail: `it.desk@${ZONE}`, ttl: 60 };
const OURS = addressRecords([], "dockerhost", HOST);
const look = (text: string) => readZoneOnDisk(text, SETTINGS, OURS);
const update = (text: string): string => updateZone(look(text), SETTINGS, OURS, NOW).text;

/** The server's findings on a zone file. */
function served(text: string): { leftOut: string[]; errors: number } {
  const { errors, warnings } = compileZone(parseZoneFile(text, ZONE), ZONE, 7);
  return {
    errors: errors.length,
    leftOut: warnings.map(({ message }) => message).filter((message) => message.includes("left out")),
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

t.test("an owner written with an escape bars the name that it spells", async (t) => {
  t.equal(look("$TTL 60\n\\102oo IN CNAME x.\n").owners.get("foo"), "CNAME");
});

t.test("any hand-written records: the server leaves nothing out of what the director writes", async () => {
  const owner = fc.constantFrom("@", "a", "A", "\\097", "b.a", "dockerhost", "*.a", "x.example.net.", " ");
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
  fc.assert(
    fc.property(fc.array(line, { maxLength: 12 }), (list) => {
      const after = update(`$TTL 60\n${list.join("\n")}\n`);
      const { leftOut, errors } = served(after);
      return leftOut.length === 0 && errors === 0 && update(after) === after;
    }),
    { numRuns: Number(process.env.OCDD_RUNS ?? 1500) },
  );
});
