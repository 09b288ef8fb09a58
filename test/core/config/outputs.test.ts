import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import t from "tap";
import {
  foreignOutputs,
  NO_FILE,
  type OutputTexts,
  outputProblems,
} from "../../../src/core/config/outputs.ts";
import { decide } from "../../../src/core/decide.ts";
import { emptyState } from "../../../src/core/page/empty.ts";
import { BARE, config, container, NOW, observation, zoneFile } from "../make.ts";

const GOLDEN = fileURLToPath(new URL("../../golden", import.meta.url));
/** Texts of the files, by what they are for. */
interface Texts {
  readonly zone?: string;
  readonly page?: string;
  readonly services?: string;
}
const outputs = ({ zone = "", page = "", services = "" }: Texts): OutputTexts => ({
  zone: zoneFile(zone),
  page: { html: page, services },
});
const foreign = (texts: Texts): string[] => [...foreignOutputs(outputs(texts))];

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
  const prose = "Come IN, a guest. This is IN A WORD fine\n";
  for (const text of [
    hosts,
    crontab,
    prose,
    "root:x:0:0:root:/root:/bin/bash\n",
    '{"zone":1}\n',
    "\x7fELF\0",
  ]) {
    t.strictSame(foreign({ zone: text, page: text, services: text }), ["zone", "services", "page"], text);
  }
  t.strictSame(foreign({ page: "<!doctype html><html lang=en><title>Welcome to nginx!</title>" }), ["page"]);
  t.strictSame(foreign({ services: '{"services":[]}' }), ["services"]);
  const { services } = decide(config(), observation(), NOW).desired.page;
  t.strictSame(
    foreign({ services, page: "<h1>Another program's</h1>" }),
    ["page"],
    "beside our services.json",
  );
});

t.test(
  "files that a run, initialize and teardown write, with any template: recognized as OCDD's by the next run",
  async (t) => {
    const seen = observation({ containers: [container({ name: "web" })] });
    const site = { index: "<p>{{title}}{{services}}", style: "", script: "", problems: [] };
    for (const one of [seen, { ...seen, template: site }]) {
      for (const state of [decide(config(), one, NOW).desired, emptyState(config(), one, NOW)]) {
        t.strictSame([...foreignOutputs(state)], []);
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
  const texts = {
    ...BARE,
    ...outputs({ zone: "127.0.0.1 localhost\n", page: "hello", services: "[1]" }),
  };
  const messages = outputProblems(named, texts).map((p) => `${p.where} ${p.key}: ${p.message}`);
  t.strictSame(messages, [
    "ocdd.conf:7 DNS_ZONE_FILE: /etc/hosts holds something that OCDD did not write; move it away, or set DNS_ZONE_FILE to another file",
    "ocdd.conf:8 WEB_INDEX_FILE: /srv/services.json holds something that OCDD did not write; move it away, or set WEB_INDEX_FILE to another file",
    "ocdd.conf:8 WEB_INDEX_FILE: /srv/index.html holds something that OCDD did not write; move it away, or set WEB_INDEX_FILE to another file",
  ]);
  t.throws(() => decide(named, observation({ actual: texts }), NOW), { name: "ConfigError" });
  const down = emptyState(named, observation({ actual: texts }), NOW);
  t.match(down, { zone: texts.zone, page: texts.page }, "teardown leaves them alone");
});

t.test("outputs that are no files: reported as such before a run, and left alone by teardown", async (t) => {
  const named = config({ DNS_ZONE_FILE: "/dev/null", WEB_INDEX_FILE: "/srv/index.html" });
  const texts = { ...BARE, ...outputs({ zone: NO_FILE, page: NO_FILE, services: NO_FILE }) };
  const messages = outputProblems(named, texts).map((p) => `${p.where} ${p.key}: ${p.message}`);
  const what = "is a directory, device, pipe or socket and not a file; move it away, or set";
  t.strictSame(messages, [
    `ocdd.conf:7 DNS_ZONE_FILE: /dev/null ${what} DNS_ZONE_FILE to another file`,
    `ocdd.conf:8 WEB_INDEX_FILE: /srv/services.json ${what} WEB_INDEX_FILE to another file`,
    `ocdd.conf:8 WEB_INDEX_FILE: /srv/index.html ${what} WEB_INDEX_FILE to another file`,
  ]);
  t.throws(() => decide(named, observation({ actual: texts }), NOW), { name: "ConfigError" });
  const down = emptyState(named, observation({ actual: texts }), NOW);
  t.match(down, { zone: texts.zone, page: texts.page });
});
