/** `ocdd doctor` on a host where a link is missing: that one is named, what depends on it is left out, all else is checked. */
import t from "tap";
import { ofHost } from "../../src/cli/doctor/doctor.ts";
import { HostError } from "../../src/core/errors.ts";
import { reconcile } from "../../src/director/reconcile.ts";
import { readTemplate } from "../../src/host/disk/page.ts";
import { config, container, NOW } from "../core/make.ts";
import { StillHost } from "../director/still-host.ts";

const ALL = { docker: "iptables", rules: true } as const;

t.test("a host that is not set up: `ocdd initialize` is the only remedy", async (t) => {
  const conf = config({ STORAGE_DIR: t.testdir({}), IP_RANGE: "192.168.123.0/28" });
  const { findings, servers } = await ofHost(conf, new StillHost(), ALL);
  t.equal(servers, null, "they are not asked");
  const said = new Map(findings.map((one) => [one.subject, one]));
  t.match(said.get("device"), { ok: true, message: "ens3, 192.168.122.200" });
  t.match(said.get("range"), { ok: null, message: /is in no network of ens3: clients need a route to it$/ });
  t.match(said.get("set-up"), { ok: false, remedy: "run `ocdd initialize`" });
  for (const subject of ["leases", "aliases", "zone file", "watch"]) t.notOk(said.has(subject), subject);
});

t.test("Docker does not answer: what needs it is not checked, the rest is", async (t) => {
  const conf = config({ STORAGE_DIR: t.testdir({ "ocdd.lock": "" }), SERVICES: "none" });
  const host = new StillHost();
  host.dockerDown = new HostError("docker", "it is not asked");
  const { findings, servers, decision } = await ofHost(conf, host, { docker: null, rules: true });
  t.same([servers, decision], ["192.168.122.200", null], "the servers are asked");
  const said = new Map(findings.map((one) => [one.subject, one]));
  t.match(said.get("rules, aliases, zone file and page"), { ok: null, message: /Docker does not answer$/ });
  for (const subject of ["device", "operator's firewall"]) t.match(said.get(subject), { ok: true }, subject);
  t.ok(said.has("watch"));
  t.notOk(said.has("aliases"), "no container does not mean that none is to be served");
  const blind = await ofHost(conf, new StillHost(), { docker: "iptables", rules: false });
  t.notOk(blind.findings.some(({ subject }) => subject === "operator's firewall"));
});

t.test("a device that is not there: said with those there are", async (t) => {
  const conf = config({ STORAGE_DIR: t.testdir({}), NETWORK_DEVICE: "eth9" });
  for (const docker of ["iptables", null] as const)
    t.match(await ofHost(conf, new StillHost(), { docker, rules: true }), {
      findings: [
        { ok: false, message: /"eth9" is no network device of this host; there are ens3/, remedy: /edit/ },
      ],
      servers: null,
    });
});

t.test("page template and TSIG keys: what is not used of them is a fault", async (t) => {
  const conf = config({
    STORAGE_DIR: t.testdir({ "ocdd.lock": "" }),
    SERVICES: "none",
    DNS_ALLOW_TRANSFER: "key:zz",
  });
  const host = new StillHost();
  const subjects = ["page template", "TSIG keys"];
  const faults = async () =>
    (await ofHost(conf, host, ALL)).findings.filter(({ subject }) => subjects.includes(subject));
  t.match(await faults(), [
    { ok: false, subject: "TSIG keys", message: /^key:zz in DNS_ALLOW_TRANSFER: no such key/ },
  ]);
  host.over = { template: await readTemplate("/nowhere") };
  t.match(await faults(), [
    { ok: false, subject: "page template", message: /\/nowhere is no directory/ },
    {},
  ]);
});

t.test("all links there: what is in force is compared with what should be", async (t) => {
  const conf = config({ STORAGE_DIR: t.testdir({ "ocdd.lock": "" }), SERVICES: "none" });
  const { findings, decision } = await ofHost(conf, new StillHost(), ALL);
  t.ok(decision);
  t.ok(findings.some(({ subject }) => subject === "aliases"));
});

t.test("nothing starts watch and serve: `ocdd initialize` is the only remedy", async (t) => {
  const conf = config({ STORAGE_DIR: t.testdir({ "ocdd.lock": "" }), SERVICES: "none" });
  const found = async (host: StillHost) => {
    const { findings, servers } = await ofHost(conf, host, { ...ALL, unstarted: true });
    t.equal(servers, null, "they are not asked");
    const failing = findings.filter(({ ok, subject }) => ok === false && subject !== "guard");
    t.match(failing, [
      { subject: "set-up", message: /systemd units/, remedy: /^run `ocdd initialize`, or set/ },
    ]);
    t.equal(failing.length, 1);
    return findings.map(({ subject }) => subject);
  };
  const host = new StillHost();
  host.containers = [container({ name: "one" })];
  t.notOk((await found(host)).includes("aliases"), "after a removal nothing is in force");
  await reconcile(conf, host, { now: () => NOW, apply: true, yes: false, confirmationMs: 0 });
  const subjects = await found(host);
  t.ok(subjects.includes("aliases"), "after a run by hand");
  for (const subject of ["watch", "sleep"]) t.notOk(subjects.includes(subject), subject);
});
