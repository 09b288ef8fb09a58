/** The life of the Debian package on a host, a step after the other: installed, configured, upgraded, removed, purged. */

import { mkdirSync, readFileSync, renameSync, rmdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Test } from "tap";
import { ZONE } from "../lab/network.ts";
import { until } from "../lab/process.ts";
import { type Built, EARLIER, type PackagedHost } from "./packaged-host.ts";

type Step = (t: Test, host: PackagedHost, deb: Built) => Promise<void>;

/** All steps on one host. */
export async function debLife(t: Test, host: PackagedHost, deb: Built): Promise<void> {
  for (const [title, step] of Object.entries(STEPS)) await t.test(title, (t) => step(t, host, deb));
}

const STEPS: Readonly<Record<string, Step>> = {
  "installed: nothing is started": async (t, host, deb) => {
    const { ok, inside } = host.root;
    const { stdout, stderr, code } = await host.dpkg("--install", host.inTmp(deb.earlier));
    t.equal(code, 0, stderr);
    t.notMatch(`${stdout}${stderr}`, /error|warning/i);
    t.equal(await ok("ocdd", "--version"), EARLIER.version);
    const unset = await inside("ocdd");
    t.equal(unset.code, 78, unset.stderr);
    t.match(unset.stderr, /TOOLBOX_SUBDOMAIN_NAME: is not set/);
    await host.asBefore(t, { files: false });
    await ok("test", "-L", "/usr/bin/ocdd");
    for (const name of ["prometheus.yml", "ocdd.rules.yml", "grafana-dashboard.json"])
      await ok("test", "-f", `/usr/share/doc/ocdd/examples/contrib/${name}`);
    for (const unit of ["ocdd-watch.service", "ocdd-serve.service", "ocdd.service", "ocdd.timer"])
      t.notMatch(await ok("cat", `/usr/lib/systemd/system/${unit}`), /@[A-Z_]+@/, unit);
    t.equal(await ok("find", "/etc/systemd", "-name", "ocdd*"), "");
    t.same(host.told(), ["daemon-reload"]);
  },

  "where systemd does not run, with a policy-rc.d: removed before it was configured, no message":
    withoutSystemd,

  "systemctl and deb-systemd-invoke are absent: removed before initialize, no message": withoutSystemctl,

  "configured, it runs": async (t, host) => {
    const { ok, inside, spawn } = host.root;
    await host.configure(t);
    const unit = await ok("cat", "/etc/systemd/system/ocdd-serve.service");
    t.match(unit, /^ExecStart=\/usr\/lib\/ocdd\/bin\/ocdd --config \/etc\/ocdd\/ocdd\.conf serve$/m);
    t.equal((await inside("ocdd", "plan", "--detailed-exitcode")).code, 0);
    const server = spawn("ocdd", "serve");
    await until("its server answers", host.named);
    t.equal((await host.lab.curl(`http://web.${ZONE}/`)).trim(), "web", "by name, through IT's resolver");
    t.match(server.output(), /fast|is served/i);
    await server.stop();
  },

  "upgraded while services are in use": (t, host, deb) =>
    host.upgrade(t, () => host.dpkg("--install", host.inTmp(deb.file))),

  "installed again, units of an earlier version: reported, rules and units stay": async (t, host, deb) => {
    const inForce = await host.lab.snapshotHost();
    const again = await host.dpkg("--install", host.inTmp(deb.file));
    t.notMatch(`${again.stdout}${again.stderr}`, /initialize/, "its units are those of this version");
    t.equal(await host.lab.snapshotHost(), inForce);
    t.match(readFileSync(host.conf, "utf8"), /^NETWORK_DEVICE=/m, "the operator's configuration");
    t.match(host.told().join("\n"), /try-restart .*ocdd-watch\.service/, "the new version is started");
    for (const name of ["ocdd-serve.service", "ocdd-serve-dns-127.0.0.1.socket"]) {
      const file = join(host.root.path, "etc/systemd/system", name);
      writeFileSync(file, readFileSync(file, "utf8").replace(/^(RestartSec|FreeBind)=.*\n/m, ""));
    }
    const { code, stderr } = await host.dpkg("--install", host.inTmp(deb.file));
    t.equal(code, 0, stderr);
    t.match(stderr, /`ocdd initialize`: ocdd-serve-dns-127\.0\.0\.1\.socket ocdd-serve\.service$/);
  },

  "removed with an invalid configuration: it says what is left": async (t, host, deb) => {
    const text = readFileSync(host.conf, "utf8");
    writeFileSync(host.conf, `${text}\nSYNC_INTERVAL=often\n`);
    host.told();
    const { code, stderr } = await host.dpkg("--remove", "ocdd");
    t.equal(code, 0, stderr);
    t.match(stderr, /teardown has failed[\s\S]*SYNC_INTERVAL[\s\S]*fix that/);
    const calls = host.told();
    for (const word of ["stop", "disable"])
      t.ok(
        calls.some((line) => line.includes(`${word} `) && /ocdd-serve-dns-127\.0\.0\.1\.socket/.test(line)),
        `${word}: the sockets, which would start what is no longer there\n${calls.join("\n")}`,
      );
    t.equal(await host.root.ok("find", "/etc/systemd/system", "-name", "ocdd*"), "");
    t.match(await host.lab.snapshotHost(), /OCDD/, "rules and aliases stay");
    writeFileSync(host.conf, text);
    const again = await host.root.ok("dpkg", "--install", host.inTmp(deb.file));
    t.match(again, /^ocdd: run `ocdd initialize`, or set SERVICES=none/m, "its units are no longer there");
  },

  "purged: nothing is left on the host's network or disk": async (t, host) => {
    const { code, stdout, stderr } = await host.dpkg("--purge", "ocdd");
    t.equal(code, 0, stderr);
    t.notMatch(`${stdout}${stderr}`, /error|warning|failed/i);
    t.match(host.told().join("\n"), /^stop .*ocdd-watch\.service/m, "services first");
    await host.asBefore(t, { files: true });
    t.notMatch(await host.root.ok("sh", "-c", "dpkg --get-selections; ls /var/lib/dpkg/info"), /ocdd/);
  },
};

/** In an image or a chroot; and on a host whose policy starts no service. */
async function withoutSystemd(t: Test, host: PackagedHost, deb: Built): Promise<void> {
  const policy = join(host.root.path, "usr/sbin/policy-rc.d");
  const running = join(host.root.path, "run/systemd/system");
  writeFileSync(policy, "#!/bin/sh\nexit 101\n", { mode: 0o755 });
  await quiet(t, host, "--install", host.inTmp(deb.earlier));
  t.same([...new Set(host.told())], ["daemon-reload"], "the policy: nothing is restarted");
  rmdirSync(running);
  await quiet(t, host, "--install", host.inTmp(deb.earlier));
  await quiet(t, host, "--remove", "ocdd");
  await quiet(t, host, "--install", host.inTmp(deb.earlier));
  const calls = host.told().filter((line) => !line.includes("disable"));
  t.same(calls, [], "systemd is asked for nothing that needs it to run");
  mkdirSync(running);
  rmSync(policy);
}

/** In a chroot that has no systemd, but the /run of a host that has: of a rescue system, or an installer. */
async function withoutSystemctl(t: Test, host: PackagedHost, deb: Built): Promise<void> {
  const text = host.fillIn();
  t.equal(await host.root.ok("ocdd", "teardown", "--yes"), "nothing of OCDD is on this host");
  const absent = ["systemctl", "deb-systemd-invoke"].map((name) => join(host.root.path, "usr/bin", name));
  for (const file of absent) renameSync(file, `${file}.absent`);
  await quiet(t, host, "--install", host.inTmp(deb.earlier));
  await quiet(t, host, "--remove", "ocdd");
  for (const file of absent) renameSync(`${file}.absent`, file);
  writeFileSync(host.conf, text);
  await host.root.ok("dpkg", "--install", host.inTmp(deb.earlier));
  host.told();
}

/** dpkg succeeds, and OCDD says nothing of what it could not do. */
async function quiet(t: Test, host: PackagedHost, ...argv: string[]): Promise<void> {
  const { code, stdout, stderr } = await host.dpkg(...argv);
  t.equal(code, 0, `${argv[0]}: ${stderr}`);
  t.notMatch(`${stdout}${stderr}`, /ocdd: (?!run `ocdd initialize`)|teardown/);
}
