/** The systemd units as systemd sees them: valid, and with no more power than they need. confined.test.ts runs them so. */

import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import t from "tap";
import { ROOT, textOf } from "../../packaging/surface.ts";
import { fillTemplate } from "../../src/host/services.ts";
import { run } from "../lab/process.ts";

/** Exposure in tenths, as --threshold has it; 0 is a service that can do nothing, 100 one that may do everything. */
const MOST_EXPOSED = 25;

const directory = mkdtempSync(join(tmpdir(), "ocdd-units-"));
t.teardown(() => rmSync(directory, { recursive: true }));

const values = new Map([
  ["HOME", ROOT.replace(/\/$/, "")],
  ["CONF", "/etc/ocdd/ocdd.conf"],
  ["STORAGE_DIR", "/opt/ocdd"],
  ["ZONE_DIR", "/opt/ocdd/dns"],
  ["INDEX_DIR", "/opt/ocdd/www"],
  ["SYNC_INTERVAL", "60"],
]);
const units = readdirSync(`${ROOT}templates`).filter((name) => /\.(service|timer|socket)$/.test(name));
for (const unit of units)
  writeFileSync(join(directory, unit), fillTemplate(textOf(`templates/${unit}`), values));
const services = units.filter((unit) => unit.endsWith(".service"));

t.test("every place in the templates is known", (t) => {
  t.ok(services.includes("ocdd-watch.service") && services.includes("ocdd-serve.service"));
  for (const unit of units) {
    const places = [...textOf(`templates/${unit}`).matchAll(/@([A-Z_]+)@/g)].map((found) => found[1] ?? "");
    for (const place of places) t.ok(values.has(place), `${unit}: ${place}`);
  }
  t.end();
});

t.test("systemd-analyze verify has nothing to say", async (t) => {
  const argv = ["systemd-analyze", "verify", ...units.map((unit) => join(directory, unit))];
  const { code, stdout, stderr } = await run(argv, { check: false });
  t.same([code, stdout, stderr], [0, "", ""]);
});

for (const unit of services) {
  t.test(`${unit}: exposure at most ${MOST_EXPOSED / 10}`, async (t) => {
    const options = ["--offline=yes", `--threshold=${MOST_EXPOSED}`, "--no-pager"];
    const { code, stdout } = await run(["systemd-analyze", "security", ...options, join(directory, unit)], {
      check: false,
    });
    t.equal(code, 0, stdout);
    t.match(stdout, /Overall exposure level/);
  });

  t.test(`${unit}: a stop ends the step in hand, a fault never ends the service`, (t) => {
    const text = readFileSync(join(directory, unit), "utf8");
    t.match(text, /^KillMode=mixed$/m);
    if (/^Restart=/m.test(text)) t.match(text, /^StartLimitIntervalSec=0$/m);
    t.notMatch(text, /^MemoryDenyWriteExecute=yes/m, "V8 compiles as it runs");
    t.end();
  });
}

t.test("the director may do with the network what it must, the server open low ports", (t) => {
  const bounds = (unit: string): string | undefined =>
    /^CapabilityBoundingSet=(.*)$/m.exec(readFileSync(join(directory, unit), "utf8"))?.[1];
  for (const unit of ["ocdd.service", "ocdd-watch.service"])
    t.equal(bounds(unit), "CAP_NET_ADMIN CAP_NET_RAW");
  t.equal(bounds("ocdd-serve.service"), "CAP_NET_BIND_SERVICE");
  t.end();
});

t.test("cron's line is one", (t) => {
  const lines = textOf("templates/ocdd.cron")
    .split("\n")
    .filter((line) => line !== "" && !line.startsWith("#"));
  t.equal(lines.length, 1);
  t.match(lines[0], /^(\S+ ){5}root \/\S+\/ocdd --config \/etc\/ocdd\/ocdd\.conf >\/dev\/null$/);
  t.end();
});
