/** The Debian package: built, checked by lintian, installed in a fresh Debian, run there, purged; nothing is left. */

import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import t from "tap";
import { buildDeb } from "../../packaging/deb.ts";
import { readSurface } from "../../packaging/surface.ts";
import { labFor } from "../lab/director.ts";
import { HOST_ADDRESS, ZONE } from "../lab/network.ts";
import { type Outcome, run, until } from "../lab/process.ts";
import { debianRoot } from "./base-image.ts";

/** The packages that OCDD needs, and no others. */
const DEPENDS = ["iproute2", "iptables", "nftables", "iputils-arping", "conntrack", "util-linux"];

t.setTimeout(600_000);

t.test("deb", async (t) => {
  const lab = await labFor(t, { name: "deb" });
  t.setTimeout(600_000);
  const script = fileURLToPath(new URL("in-root.sh", import.meta.url));
  const [root, deb] = await Promise.all([
    debianRoot("image-root", DEPENDS),
    // fast rather than small
    buildDeb(join(lab.dir, "debs"), "gzip"),
  ]);
  const enter = [...lab.enterFully("host"), "sh", script, root, lab.dir];
  const inside = (...argv: string[]): Promise<Outcome> => run([...enter, ...argv], { check: false });
  const ok = async (...argv: string[]): Promise<string> => {
    const { code, stdout, stderr } = await inside(...argv);
    if (code !== 0) throw new Error(`${argv.join(" ")}: status ${code}\n${stdout}\n${stderr}`);
    return stdout;
  };
  /** Every file with its type, mode and contents; without dpkg's database, ldconfig's cache and logs. */
  const files = async (): Promise<string> => {
    const skip = "/var/lib/dpkg /var/log /var/cache/ldconfig /proc /dev /run /tmp".split(" ");
    const prune = skip.flatMap((path) => ["-path", path, "-o"]).slice(0, -1);
    // a directory's size depends on the file system
    const say = [
      "(",
      "-type",
      "d",
      "-printf",
      "%y %m %u %g - %p\\n",
      ")",
      "-o",
      "-printf",
      "%y %m %u %g %s %p %l\\n",
    ];
    return ok("find", "/", "(", ...prune, ")", "-prune", "-o", ...say);
  };

  // systemd itself cannot run in here: its calls are recorded
  const log = join(lab.dir, "debs/systemctl");
  mkdirSync(join(lab.dir, "upper/usr/bin"), { recursive: true });
  const systemctl = '#!/bin/sh\necho "$*" >>/tmp/debs/systemctl\n';
  writeFileSync(join(lab.dir, "upper/usr/bin/systemctl"), systemctl, { mode: 0o755 });
  const told = (): string[] => {
    const lines = existsSync(log) ? readFileSync(log, "utf8").trim().split("\n") : [];
    rmSync(log, { force: true });
    return lines;
  };

  const lint = run(["lintian", "--allow-root", "--fail-on", "error", deb], {
    check: false,
    timeout: 300_000,
  });
  await lab.startContainers("web", "app");
  const [before, beforeFiles] = [await lab.snapshotHost(), (await files()).split("\n").sort()];

  await t.test("installed: nothing is started", async (t) => {
    const { stdout, stderr, code } = await inside("dpkg", "--install", `/tmp/debs/${basename(deb)}`);
    t.equal(code, 0, stderr);
    t.notMatch(`${stdout}${stderr}`, /error|warning/i);
    t.equal(await ok("ocdd", "--version"), readSurface().version);
    const unset = await inside("ocdd");
    t.equal(unset.code, 78, unset.stderr);
    t.match(unset.stderr, /TOOLBOX_SUBDOMAIN_NAME: is not set/);
    t.equal(await lab.snapshotHost(), before);
    await ok("test", "-L", "/usr/bin/ocdd");
    for (const unit of ["ocdd-watch.service", "ocdd-serve.service", "ocdd.service", "ocdd.timer"])
      t.notMatch(await ok("cat", `/lib/systemd/system/${unit}`), /@[A-Z_]+@/, unit);
    t.equal(await ok("find", "/etc/systemd", "-name", "ocdd*"), "");
    t.same(told(), ["daemon-reload"]);
  });

  await t.test("removed before it was configured: no message", async (t) => {
    const { code, stdout, stderr } = await inside("dpkg", "--remove", "ocdd");
    t.equal(code, 0, stderr);
    t.notMatch(`${stdout}${stderr}`, /ocdd: |teardown/);
    await ok("dpkg", "--install", `/tmp/debs/${basename(deb)}`);
    told();
  });

  await t.test("configured, it runs", async (t) => {
    const conf = await ok("cat", "/etc/ocdd/ocdd.conf");
    const written = conf.replace(/^#(NETWORK_DEVICE|IP_|TOOLBOX_)/gm, "$1");
    mkdirSync(join(lab.dir, "upper/etc/ocdd"), { recursive: true });
    writeFileSync(join(lab.dir, "upper/etc/ocdd/ocdd.conf"), written);
    t.match(await ok("ocdd", "initialize"), /Initializing OCDD/);
    t.match(told().join("\n"), /^enable .*ocdd-watch\.service.*ocdd-serve\.service/m);
    const unit = await ok("cat", "/etc/systemd/system/ocdd-serve.service");
    t.match(unit, /^ExecStart=\/usr\/lib\/ocdd\/bin\/ocdd --config \/etc\/ocdd\/ocdd\.conf serve$/m);
    const said = await ok("ocdd");
    t.match(said, new RegExp(`web\\.${ZONE}\\.`));
    const { services } = JSON.parse(await ok("ocdd", "list", "--json")) as {
      services: { name: string; address: string }[];
    };
    for (const { name, address } of services) t.equal(await lab.who(address), name, `${name} at ${address}`);
    t.equal(services.length, 2);
    t.equal((await inside("ocdd", "plan", "--detailed-exitcode")).code, 0);
    const server = lab.spawn("host", [...enter, "ocdd", "serve"], { full: true, label: "serve" });
    const named = async (): Promise<boolean> =>
      /^192\.168\./.test(await lab.dig(`web.${ZONE}`, `@${HOST_ADDRESS}`));
    await until("its server answers", named, 20_000);
    t.equal((await lab.curl(`http://web.${ZONE}/`)).trim(), "web", "by name, through IT's resolver");
    t.match(server.output(), /fast|is served/i);
    await server.stop();
  });

  await t.test("installed again: rules and units stay", async (t) => {
    const inForce = await lab.snapshotHost();
    const { stdout, stderr } = await inside("dpkg", "--install", `/tmp/debs/${basename(deb)}`);
    t.notMatch(`${stdout}${stderr}`, /initialize/, "its units are those of this version");
    t.equal(await lab.snapshotHost(), inForce);
    t.match(await ok("cat", "/etc/ocdd/ocdd.conf"), /^NETWORK_DEVICE=/m, "the operator's configuration");
    t.match(told().join("\n"), /try-restart .*ocdd-watch\.service/, "the new version is started");
  });

  await t.test("units of an earlier version: reported", async (t) => {
    for (const name of ["ocdd-serve.service", "ocdd-serve-dns-127.0.0.1.socket"]) {
      const file = join(lab.dir, "upper/etc/systemd/system", name);
      writeFileSync(file, readFileSync(file, "utf8").replace(/^(RestartSec|FreeBind)=.*\n/m, ""));
    }
    const { code, stderr } = await inside("dpkg", "--install", `/tmp/debs/${basename(deb)}`);
    t.equal(code, 0, stderr);
    t.match(stderr, /`ocdd initialize`: ocdd-serve-dns-127\.0\.0\.1\.socket ocdd-serve\.service$/);
  });

  await t.test("removed with an invalid configuration: it says what is left", async (t) => {
    const file = join(lab.dir, "upper/etc/ocdd/ocdd.conf");
    const conf = readFileSync(file, "utf8");
    writeFileSync(file, `${conf}\nSYNC_INTERVAL=often\n`);
    told();
    const { code, stderr } = await inside("dpkg", "--remove", "ocdd");
    t.equal(code, 0, stderr);
    t.match(stderr, /teardown has failed[\s\S]*SYNC_INTERVAL[\s\S]*fix that/);
    const calls = told();
    for (const word of ["stop", "disable"])
      t.ok(
        calls.some((line) => line.includes(`${word} `) && /ocdd-serve-dns-127\.0\.0\.1\.socket/.test(line)),
        `${word}: the sockets, which would start what is no longer there\n${calls.join("\n")}`,
      );
    t.equal(await ok("find", "/etc/systemd/system", "-name", "ocdd*"), "");
    t.match(await lab.snapshotHost(), /OCDD/, "rules and aliases stay");
    writeFileSync(file, conf);
    await ok("dpkg", "--install", `/tmp/debs/${basename(deb)}`);
  });

  await t.test("purged: nothing is left on the host's network or disk", async (t) => {
    const { code, stdout, stderr } = await inside("dpkg", "--purge", "ocdd");
    t.equal(code, 0, stderr);
    t.notMatch(`${stdout}${stderr}`, /error|warning|failed/i);
    t.match(told().join("\n"), /^stop .*ocdd-watch\.service/m, "services first");
    t.equal(await lab.snapshotHost(), before);
    t.same((await files()).split("\n").sort(), beforeFiles);
    t.notMatch(await ok("sh", "-c", "dpkg --get-selections; ls /var/lib/dpkg/info"), /ocdd/);
  });

  await t.test("lintian: no error", async (t) => {
    const { code, stdout } = await lint;
    t.equal(code, 0, stdout);
    t.notMatch(stdout, /^E:/m);
    t.ok(readFileSync(deb).length < 100e6);
  });
});
