/** A range that leaves out active leases: doctor, status and plan say that a run refuses it, and what helps. */
import t from "tap";
import { runPlan } from "../../src/cli/commands.ts";
import { ofHost } from "../../src/cli/doctor/doctor.ts";
import { statusOf } from "../../src/cli/status.ts";
import type { Config } from "../../src/core/config/config.ts";
import { statusDocument, statusText } from "../../src/core/report/status.ts";
import { reconcile } from "../../src/director/reconcile.ts";
import { config, container, NOW } from "../core/make.ts";
import { StillHost } from "../director/still-host.ts";

const TWO =
  /2 active leases would end, outside of the range .*: 192\.168\.122\.11 \w+, 192\.168\.122\.12 \w+/;

async function moved(directory: string): Promise<{ host: StillHost; conf: Config }> {
  const keys = { STORAGE_DIR: directory, SERVICES: "none" };
  const host = new StillHost();
  host.containers = [
    container({ name: "one", at: "172.17.0.2" }),
    container({ name: "two", at: "172.17.0.3" }),
  ];
  await reconcile(config(keys), host, { now: () => NOW, apply: true, yes: false, confirmationMs: 0 });
  return { host, conf: config({ ...keys, IP_RANGE: "192.168.122.21-192.168.122.30" }) };
}

t.test("doctor: one finding with the remedy of the refusal, and no drift", async (t) => {
  const { host, conf } = await moved(t.testdir({ "ocdd.lock": "" }));
  const { findings, decision } = await ofHost(conf, host, { docker: "iptables", rules: true });
  const failing = findings.filter(({ ok }) => ok === false);
  t.match(failing, [{ subject: "range", message: TWO, remedy: /^restore the range .*`ocdd --yes`/ }]);
  t.equal(failing.length, 1);
  const state = findings.find(({ subject }) => subject === "rules, aliases, zone file and page");
  t.match(state, { ok: null, message: "not checked: a run is refused until then" });
  t.equal(decision, null, "a service is not checked by what is not in force");
});

t.test("status: its row says it, and no change is announced", async (t) => {
  const { host, conf } = await moved(t.testdir({ "ocdd.lock": "" }));
  const docker = { about: async () => new Map(), stats: async () => undefined };
  const { report } = await statusOf(conf, { host, docker, root: true, version: "2.0.0", now: NOW });
  const text = statusText(conf, report);
  t.match(text, new RegExp(`^drift +a run is refused: ${TWO.source}.*\n +remedy: restore the range`, "m"));
  t.notMatch(text, /for the next run|^drift:/m);
  t.match(statusDocument(conf, report), { drift: null });
});

t.test("plan: shows the changes, and says that a run refuses them; with --yes it does not", async (t) => {
  const { host, conf } = await moved(t.testdir());
  const { actual } = host;
  const plan = (yes: boolean, detailed: boolean) => runPlan(conf, { json: false, yes }, detailed, host);
  t.match(await plan(false, false), {
    out: /^\+ address 192\.168\.122\.2\d/m,
    warnings: [new RegExp(`^without --yes a run refuses these changes: ${TWO.source}`)],
    status: 0,
  });
  t.match(await plan(true, true), { warnings: { length: 0 }, status: 2 });
  t.equal(host.actual, actual, "nothing is changed");
});
