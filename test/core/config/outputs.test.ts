import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import fc from "fast-check";
import t from "tap";
import {
  foreignOutputs,
  NO_FILE,
  type OutputTexts,
  outputProblems,
  outputsSeen,
} from "../../../src/core/config/outputs.ts";
import { decide } from "../../../src/core/decide.ts";
import type { Observation, State } from "../../../src/core/model.ts";
import { emptyState } from "../../../src/core/page/empty.ts";
import { BARE, config, container, NOW, observation, zoneFile } from "../make.ts";

const GOLDEN = fileURLToPath(new URL("../../golden", import.meta.url));
/** Texts of the files, by what they are for. */
interface Texts {
  readonly zone?: string;
  readonly page?: string;
  readonly services?: string;
  readonly lastRun?: string;
}
const ZONE = "toolbox.example.com";
const actual = ({ zone = "", page = "", services = "" }: Texts): State => ({
  ...BARE,
  zone: zoneFile(zone),
  page: { html: page, services },
});
/** A host on which a run finds these. */
const seenWith = (texts: Texts): Observation =>
  observation({ actual: actual(texts), lastRun: texts.lastRun ?? "" });
const outputs = (texts: Texts): OutputTexts => outputsSeen(seenWith(texts));
const foreign = (texts: Texts): string[] => [...foreignOutputs(outputs(texts), ZONE)];

/** As the bash script leaves them. */
const ORIGINAL = {
  zone: "@       IN      SOA     dockerhost.toolbox.example.com. a.b. (\n        3\n        3600 7200 3600\n 14400 )\n",
  line: "jenkins \t IN \t A \t 192.168.122.12 \t ; ADDED-BY-OCDD-SCRIPT\n",
  page: "<Title>The ACME ToolBox server</Title>\n<H1>The ACME ToolBox server</H1>\n<HR>\n\n",
  row: "<br>* - jenkins.toolbox.example.com\n",
};

t.test("an output file, by its content: OCDD's, or must not be written over", async (t) => {
  t.strictSame(foreign({}), []);
  t.strictSame(foreign({ zone: "\n", page: " ", services: "\n" }), [], "an empty file may be written");
  t.strictSame(foreign({ zone: ORIGINAL.zone, page: ORIGINAL.page }), [], "the bash script's, fresh");
  t.strictSame(foreign({ zone: ORIGINAL.line, page: `<h1>Ours</h1>\n${ORIGINAL.row}` }), []);
  t.strictSame(
    foreign({ zone: "mail IN A 192.168.122.5\n" }),
    [],
    "records written by hand before the first run",
  );
  t.strictSame(foreign({ zone: "mail 300 IN MX 10 mx.example.com.\n; x\n" }), []);
  t.strictSame(foreign({ zone: "$TTL 60\n" }), []);
  const hosts = "127.0.0.1 localhost\n::1 ip6-localhost ip6-loopback\n";
  const crontab = "17 *	* * *	root	cd / && run-parts --report /etc/cron.hourly\n";
  const prose = "put it in a bag\nCome IN, a guest. This is IN A WORD fine\n";
  const script = "#!/bin/bash\nfor h in a b c\ndo\n ssh $h\ndone\n";
  for (const text of [
    hosts,
    crontab,
    prose,
    script,
    // the bash script's own, which looks for its mark
    `${script}sed -i '/ADDED-BY-OCDD-SCRIPT/d' $f\necho "$n IN A $ip ; ADDED-BY-OCDD-SCRIPT" >> $f\n`,
    "; a comment and no record\n",
    "root:x:0:0:root:/root:/bin/bash\n",
    '{"zone":1}\n',
    "\x7fELF\0",
  ]) {
    t.strictSame(foreign({ zone: text, page: text, services: text }), ["zone", "services", "page"], text);
  }
  t.strictSame(foreign({ page: "<!doctype html><html lang=en><title>Welcome to nginx!</title>" }), ["page"]);
  t.strictSame(foreign({ services: '{"services":[]}' }), ["services"]);
  for (const lastRun of ["", "\n", "1790000000\n", "17"]) t.strictSame(foreign({ lastRun }), [], lastRun);
  for (const lastRun of [NO_FILE, "2026-01-01\n", "17\n18\n", "build 17\n", " "])
    t.strictSame(foreign({ lastRun }), ["lastRun"], lastRun);
  const { services } = decide(config(), observation(), NOW).desired.page;
  t.strictSame(
    foreign({ services, page: "<h1>Another program's</h1>" }),
    ["page"],
    "beside our services.json",
  );
});

/** A master file as it is written for BIND, for a zone of which it tells nothing but in its SOA. */
const master = (soa: string, head = ""): string =>
  `${head}$TTL 1h\n${soa} (\n  2026010101 1h 15m 1w 1h )\n@ IN NS ns1\nns1 IN A 192.0.2.1\nwww IN A 192.0.2.2\n`;

t.test("a master file with a SOA: this zone's if the SOA or a $ORIGIN names it", async (t) => {
  for (const zone of [
    master("@ IN SOA dockerhost.toolbox.example.com. hostmaster.example.com."),
    master("Toolbox.Example.com. IN SOA ns.example.net. hostmaster.example.com."),
    master("@ IN SOA ns1 hostmaster", `$ORIGIN ${ZONE}.\n`),
    master("toolbox IN SOA ns.example.net. hostmaster", "$ORIGIN example.com.\n$TTL 60\n").replace(
      /@ IN NS[\s\S]*/,
      "",
    ),
  ])
    t.strictSame(foreign({ zone }), [], zone);
  for (const [zone, why] of [
    [master("@ IN SOA ns1.example.com. hostmaster.example.com."), /^line 2: a SOA record that does not name/],
    [master("@ IN SOA ns1 hostmaster"), /begin the file with "\$ORIGIN toolbox\.example\.com\."$/],
    [
      master("@ IN SOA ns1 hostmaster", "$ORIGIN example.com.\n"),
      /^line 3: example\.com\. is not in the zone$/,
    ],
    [master("example.com. IN SOA ns1 hostmaster"), /^line 2: example\.com\. is not in the zone$/],
  ] as const) {
    t.strictSame(foreign({ zone }), ["zone"], zone);
    t.match(outputs({ zone }).zone.foreign, why);
  }
});

const LINES = [
  "mail IN A 192.168.122.5",
  "mail 300 IN MX 10 mx.example.com.",
  "_http._tcp IN SRV 0 5 80 printer",
  '  IN TXT "3rd floor; left"',
  "$TTL 1h",
  "; the office",
  "",
];
const OTHERS = ["for host in a b c", "put it in a bag", "www.example.com. IN A 192.0.2.1", "$INCLUDE x", "x"];

t.test(
  "records written by hand before the first run: taken, if no line would become a comment",
  async (t) => {
    const records = fc
      .array(fc.constantFrom(...LINES), { maxLength: 6 })
      .map((lines) => ["web IN A 192.168.122.6", ...lines]);
    fc.assert(
      fc.property(records, (lines) => {
        t.strictSame(foreign({ zone: `${lines.join("\n")}\n` }), [], lines.join("\n"));
      }),
      { numRuns: 60 },
    );
    fc.assert(
      fc.property(records, fc.constantFrom(...OTHERS), fc.nat(6), (lines, other, at) => {
        const zone = lines.toSpliced(at, 0, other).join("\n");
        const line = Math.min(at, lines.length) + 1;
        t.strictSame(foreign({ zone }), ["zone"], zone);
        t.ok(outputs({ zone }).zone.foreign?.startsWith(`line ${line}: `), zone);
        const marked = `${zone}\n${ORIGINAL.line}`;
        t.strictSame(foreign({ zone: marked }), [], "OCDD's, with a line that cannot be served");
      }),
      { numRuns: 60 },
    );
  },
);

t.test("a page without OCDD's mark: the bash script's if a line names a service of this zone", async (t) => {
  for (const page of [
    "<ul>\n<br>* - milk\n",
    "<br>* - www.example.com\n",
    `<br>* - ${ZONE}\n`,
    "<br>* - web.xtoolbox.example.com\n",
  ])
    t.strictSame(foreign({ page }), ["page"], page);
  t.strictSame(foreign({ page: `<p>x\n<BR>* - Web.${ZONE}\r\n` }), []);
});

t.test(
  "files that a run, initialize and teardown write, with any template: recognized as OCDD's by the next run",
  async (t) => {
    const seen = observation({ containers: [container({ name: "web" })] });
    const site = { index: "<p>{{title}}{{services}}", style: "", script: "", problems: [] };
    for (const one of [seen, { ...seen, template: site }]) {
      for (const state of [decide(config(), one, NOW).desired, emptyState(config(), one, NOW)]) {
        t.strictSame([...foreignOutputs(outputsSeen(observation({ actual: state })), ZONE)], []);
      }
    }
    for (const name of readdirSync(GOLDEN)) {
      const zone = readFileSync(`${GOLDEN}/${name}/zone.txt`, "latin1");
      t.strictSame(foreign({ zone }), [], name);
    }
    for (const name of ["contract-table", "hostile"])
      t.strictSame(foreign({ page: readFileSync(`${GOLDEN}/${name}/page.html`, "utf8") }), [], name);
  },
);

t.test("foreign files: all of them are reported before a run, with their keys and the remedy", async (t) => {
  const named = config({ DNS_ZONE_FILE: "/etc/hosts", WEB_INDEX_FILE: "/srv/index.html" });
  const texts = actual({ zone: "127.0.0.1 localhost\n", page: "hello", services: "[1]" });
  const seen = observation({ actual: texts, lastRun: "build 17\n" });
  const messages = outputProblems(named, outputsSeen(seen)).map((p) => `${p.where} ${p.key}: ${p.message}`);
  t.strictSame(messages, [
    "ocdd.conf:7 DNS_ZONE_FILE: /etc/hosts holds something that OCDD did not write (line 1: localhost: not an RR type); mend that line if the file is this zone's, else move it away, or set DNS_ZONE_FILE to another file",
    "ocdd.conf:8 WEB_INDEX_FILE: /srv/services.json holds something that OCDD did not write; move it away, or set WEB_INDEX_FILE to another file",
    "ocdd.conf:8 WEB_INDEX_FILE: /srv/index.html holds something that OCDD did not write; move it away, or set WEB_INDEX_FILE to another file",
    "ocdd.conf:8 WEB_INDEX_FILE: /srv/last-run holds something that OCDD did not write; move it away, or set WEB_INDEX_FILE to another file",
  ]);
  t.throws(() => decide(named, seen, NOW), { name: "ConfigError" });
  const down = emptyState(named, seen, NOW);
  t.match(down, { zone: texts.zone, page: texts.page }, "teardown leaves them alone");
});

t.test("outputs that are no files: reported as such before a run, and left alone by teardown", async (t) => {
  const named = config({ DNS_ZONE_FILE: "/dev/null", WEB_INDEX_FILE: "/srv/index.html" });
  const texts = actual({ zone: NO_FILE, page: NO_FILE, services: NO_FILE });
  const seen = observation({ actual: texts, lastRun: NO_FILE });
  const messages = outputProblems(named, outputsSeen(seen)).map((p) => `${p.where} ${p.key}: ${p.message}`);
  const what = "is a directory, device, pipe or socket and not a file; move it away, or set";
  t.strictSame(messages, [
    `ocdd.conf:7 DNS_ZONE_FILE: /dev/null ${what} DNS_ZONE_FILE to another file`,
    `ocdd.conf:8 WEB_INDEX_FILE: /srv/services.json ${what} WEB_INDEX_FILE to another file`,
    `ocdd.conf:8 WEB_INDEX_FILE: /srv/index.html ${what} WEB_INDEX_FILE to another file`,
    `ocdd.conf:8 WEB_INDEX_FILE: /srv/last-run ${what} WEB_INDEX_FILE to another file`,
  ]);
  t.throws(() => decide(named, seen, NOW), { name: "ConfigError" });
  const down = emptyState(named, seen, NOW);
  t.match(down, { zone: texts.zone, page: texts.page });
});

t.test("the time of the last run, also what a crash of the machine has left of it, is OCDD's", (t) => {
  const isForeign = (lastRun: string): boolean =>
    outputProblems(config(), outputsSeen(observation({ lastRun }))).length > 0;
  for (const own of ["", "1800000000\n", "1800000000", "18000", "\0\0\0\0", "18000\0\0\0\0\0\0", "\n\0"])
    t.notOk(isForeign(own), JSON.stringify(own));
  for (const other of ["build 17\n", "1800000000\n1\n", "-1\n", " "]) t.ok(isForeign(other), other);
  t.end();
});
