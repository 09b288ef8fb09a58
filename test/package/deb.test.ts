/**
 * The packages for Debian and for RPM: built, checked, installed in a fresh Debian, run there, upgraded from the version before
 * while services are in use, removed, purged; nothing is left. RPM's own distributions cannot be had here.
 */

import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import t, { type Test } from "tap";
import { buildDeb } from "../../packaging/deb.ts";
import { buildRpm } from "../../packaging/rpm.ts";
import { readSurface } from "../../packaging/surface.ts";
import { labFor } from "../lab/director.ts";
import { HOST_ADDRESS, ZONE } from "../lab/network.ts";
import { type Outcome, run, until } from "../lab/process.ts";
import { ownRoot } from "../lab/root.ts";
import { enterRoot } from "./host-root.ts";

/** The same tree under an older number. */
const EARLIER = { version: "1.9.9", compression: "none" } as const;

interface Service {
  readonly name: string;
  readonly address: string;
}

t.setTimeout(600_000);

t.test("deb and rpm", async (t) => {
  const lab = await labFor(t, { name: "deb" });
  t.setTimeout(600_000);
  const debs = join(lab.dir, "debs");
  const base = await ownRoot();
  // fast rather than small
  const deb = await buildDeb(debs, { compression: "gzip" });
  const earlier = await buildDeb(debs, EARLIER);
  const lint = run(["lintian", "--allow-root", "--fail-on", "error", deb], {
    check: false,
    timeout: 300_000,
  });
  const { inside, ok, outside, spawn, path } = await enterRoot(lab, base);
  /** Every file with its type, mode and contents; without dpkg's database, ldconfig's cache and logs. */
  const files = async (): Promise<string> => {
    const skip = "/var/lib/dpkg /var/lib/rpm /var/log /var/cache/ldconfig /proc /dev /run /tmp".split(" ");
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
  const log = join(debs, "systemctl");
  const systemctl = '#!/bin/sh\necho "$*" >>/tmp/debs/systemctl\n';
  writeFileSync(join(path, "usr/bin/systemctl"), systemctl, { mode: 0o755 });
  const told = (): string[] => {
    const lines = existsSync(log) ? readFileSync(log, "utf8").trim().split("\n") : [];
    rmSync(log, { force: true });
    return lines;
  };

  const dpkg = (...argv: string[]): Promise<Outcome> => inside("dpkg", ...argv);
  const inTmp = (file: string): string => `/tmp/debs/${basename(file)}`;
  const conf = join(path, "etc/ocdd/ocdd.conf");
  /** What each service has, as it is on disk and as the director lists it. */
  const held = async (): Promise<unknown> => {
    const { services } = JSON.parse(await ok("ocdd", "list", "--json")) as { services: Service[] };
    const { leases } = JSON.parse(await ok("cat", "/var/lib/ocdd/leases.json")) as { leases: unknown };
    return [leases, services.map(({ name, address }) => `${name} ${address}`).sort()];
  };
  const named = async (): Promise<boolean> =>
    /^192\.168\./.test(await lab.dig(`web.${ZONE}`, `@${HOST_ADDRESS}`));

  const follows = async (): Promise<boolean> => {
    const { watch } = JSON.parse((await inside("ocdd", "status", "--json")).stdout) as {
      watch: { running: boolean | null } | null;
    };
    return watch?.running === true;
  };

  /** The package's own configuration, filled in; then a host in use. */
  const configure = async (t: Test): Promise<Service[]> => {
    const written = readFileSync(conf, "utf8").replace(/^#(NETWORK_DEVICE|IP_|TOOLBOX_)/gm, "$1");
    writeFileSync(conf, written);
    t.match(await ok("ocdd", "initialize"), /Initializing OCDD/);
    t.match(told().join("\n"), /^enable .*ocdd-watch\.service.*ocdd-serve\.service/m);
    const said = await ok("ocdd");
    t.match(said, new RegExp(`web\\.${ZONE}\\.`));
    const { services } = JSON.parse(await ok("ocdd", "list", "--json")) as { services: Service[] };
    for (const { name, address } of services) t.equal(await lab.who(address), name, `${name} at ${address}`);
    t.equal(services.length, 2);
    return services;
  };

  /**
   * An upgrade while director and server of the version before run and a service is used: leases, names and rules stay,
   * and every visit meanwhile is answered.
   */
  const upgrade = async (t: Test, [used]: Service[], install: () => Promise<Outcome>): Promise<void> => {
    const [watch, serve] = [spawn("ocdd", "watch"), spawn("ocdd", "serve")];
    await until("the server before answers", named, 20_000);
    await until("the director before runs", follows, 20_000);
    const [leases, inForce] = [await held(), await lab.snapshotHost()];
    const answers: (string | undefined)[] = [];
    let done = false;
    const visits = (async () => {
      while (!done) answers.push(await lab.who(used?.address ?? ""));
    })();
    const { code, stdout, stderr } = await install();
    t.equal(code, 0, stderr);
    t.notMatch(
      `${stdout}${stderr}`,
      /error|warning|initialize/i,
      "units and configuration are those of this version",
    );
    t.same(await held(), leases, "leases and names, before anything is started again");
    t.match(told().join("\n"), /try-restart .*ocdd-watch\.service/, "the new version is started");
    await Promise.all([watch.stop(), serve.stop()]);
    const [next, server] = [spawn("ocdd", "watch"), spawn("ocdd", "serve")];
    await until("the server after answers", named, 20_000);
    await until("the director after runs", follows, 20_000);
    done = true;
    await visits;
    t.ok(answers.length > 5, `${answers.length} visits`);
    t.same([...new Set(answers)], [used?.name], "all are answered");
    t.same(await held(), leases);
    t.equal(await lab.snapshotHost(), inForce, "rules and addresses");
    t.equal(await ok("ocdd", "--version"), readSurface().version);
    t.match(readFileSync(conf, "utf8"), /^NETWORK_DEVICE=/m, "the operator's configuration");
    t.equal((await inside("ocdd", "plan", "--detailed-exitcode")).code, 0);
    await Promise.all([next.stop(), server.stop()]);
  };

  await lab.startContainers("web", "app");
  const [before, beforeFiles] = [await lab.snapshotHost(), (await files()).split("\n").sort()];

  await t.test("installed: nothing is started", async (t) => {
    const { stdout, stderr, code } = await dpkg("--install", inTmp(earlier));
    t.equal(code, 0, stderr);
    t.notMatch(`${stdout}${stderr}`, /error|warning/i);
    t.equal(await ok("ocdd", "--version"), EARLIER.version);
    const unset = await inside("ocdd");
    t.equal(unset.code, 78, unset.stderr);
    t.match(unset.stderr, /TOOLBOX_SUBDOMAIN_NAME: is not set/);
    t.equal(await lab.snapshotHost(), before);
    await ok("test", "-L", "/usr/bin/ocdd");
    for (const name of ["prometheus.yml", "ocdd.rules.yml", "grafana-dashboard.json"])
      await ok("test", "-f", `/usr/share/doc/ocdd/examples/contrib/${name}`);
    for (const unit of ["ocdd-watch.service", "ocdd-serve.service", "ocdd.service", "ocdd.timer"])
      t.notMatch(await ok("cat", `/usr/lib/systemd/system/${unit}`), /@[A-Z_]+@/, unit);
    t.equal(await ok("find", "/etc/systemd", "-name", "ocdd*"), "");
    t.same(told(), ["daemon-reload"]);
  });

  await t.test("removed before it was configured: no message", async (t) => {
    const { code, stdout, stderr } = await dpkg("--remove", "ocdd");
    t.equal(code, 0, stderr);
    t.notMatch(`${stdout}${stderr}`, /ocdd: |teardown/);
    await ok("dpkg", "--install", inTmp(earlier));
    told();
  });

  await t.test("removed after its configuration was written and before initialize: no message", async (t) => {
    const text = readFileSync(conf, "utf8");
    writeFileSync(conf, text.replace(/^#(NETWORK_DEVICE|IP_|TOOLBOX_)/gm, "$1"));
    t.equal(await ok("ocdd", "teardown", "--yes"), "nothing of OCDD is on this host");
    const { code, stdout, stderr } = await dpkg("--remove", "ocdd");
    t.equal(code, 0, stderr);
    t.notMatch(`${stdout}${stderr}`, /ocdd: |teardown/);
    writeFileSync(conf, text);
    await ok("dpkg", "--install", inTmp(earlier));
    told();
  });

  let services: Service[] = [];
  const rpms: string[] = [];
  await t.test("configured, it runs", async (t) => {
    services = await configure(t);
    const unit = await ok("cat", "/etc/systemd/system/ocdd-serve.service");
    t.match(unit, /^ExecStart=\/usr\/lib\/ocdd\/bin\/ocdd --config \/etc\/ocdd\/ocdd\.conf serve$/m);
    t.equal((await inside("ocdd", "plan", "--detailed-exitcode")).code, 0);
    const server = spawn("ocdd", "serve");
    await until("its server answers", named, 20_000);
    t.equal((await lab.curl(`http://web.${ZONE}/`)).trim(), "web", "by name, through IT's resolver");
    t.match(server.output(), /fast|is served/i);
    await server.stop();
  });

  await t.test("upgraded while services are in use", (t) =>
    upgrade(t, services, () => dpkg("--install", inTmp(deb))),
  );

  await t.test("installed again: rules and units stay", async (t) => {
    const inForce = await lab.snapshotHost();
    const { stdout, stderr } = await dpkg("--install", inTmp(deb));
    t.notMatch(`${stdout}${stderr}`, /initialize/, "its units are those of this version");
    t.equal(await lab.snapshotHost(), inForce);
    t.match(await ok("cat", "/etc/ocdd/ocdd.conf"), /^NETWORK_DEVICE=/m, "the operator's configuration");
    t.match(told().join("\n"), /try-restart .*ocdd-watch\.service/, "the new version is started");
  });

  await t.test("units of an earlier version: reported", async (t) => {
    for (const name of ["ocdd-serve.service", "ocdd-serve-dns-127.0.0.1.socket"]) {
      const file = join(path, "etc/systemd/system", name);
      writeFileSync(file, readFileSync(file, "utf8").replace(/^(RestartSec|FreeBind)=.*\n/m, ""));
    }
    const { code, stderr } = await dpkg("--install", inTmp(deb));
    t.equal(code, 0, stderr);
    t.match(stderr, /`ocdd initialize`: ocdd-serve-dns-127\.0\.0\.1\.socket ocdd-serve\.service$/);
  });

  await t.test("removed with an invalid configuration: it says what is left", async (t) => {
    const text = readFileSync(conf, "utf8");
    writeFileSync(conf, `${text}\nSYNC_INTERVAL=often\n`);
    told();
    const { code, stderr } = await dpkg("--remove", "ocdd");
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
    writeFileSync(conf, text);
    await ok("dpkg", "--install", inTmp(deb));
  });

  await t.test("purged: nothing is left on the host's network or disk", async (t) => {
    const { code, stdout, stderr } = await dpkg("--purge", "ocdd");
    t.equal(code, 0, stderr);
    t.notMatch(`${stdout}${stderr}`, /error|warning|failed/i);
    t.match(told().join("\n"), /^stop .*ocdd-watch\.service/m, "services first");
    t.equal(await lab.snapshotHost(), before);
    t.same((await files()).split("\n").sort(), beforeFiles);
    t.notMatch(await ok("sh", "-c", "dpkg --get-selections; ls /var/lib/dpkg/info"), /ocdd/);
  });

  await t.test("rpm: what it holds and needs", async (t) => {
    const [rpm, before] = [await buildRpm(debs, { compression: "none" }), await buildRpm(debs, EARLIER)];
    rpms.push(rpm, before);
    t.match((await run(["rpm", "-K", rpm])).stdout, /: digests OK$/);
    const lines = async (...argv: string[]): Promise<string[]> =>
      (await run(["rpm", "-qp", ...argv, rpm])).stdout.split("\n");
    const listed = (await lines("--list")).filter((name) => !name.startsWith("/usr/lib/ocdd/"));
    t.ok(listed.includes("/usr/lib/systemd/system/ocdd-watch.service"));
    t.ok(listed.includes("/usr/share/doc/ocdd/examples/dns/README.md"));
    t.same(await lines("--configfiles"), ["/etc/ocdd/ocdd.conf"]);
    const needed = (await lines("--requires")).filter((name) => !/^rpmlib|^\/bin\/sh$/.test(name));
    t.same(
      needed.map((name) => name.split(" ")[0]).sort(),
      "conntrack-tools glibc iproute iputils libgcc libstdc++ nftables util-linux".split(" "),
    );
  });

  const rpm = (...argv: string[]): Promise<Outcome> =>
    outside(
      "rpm",
      "--root",
      join(lab.dir, "root"),
      "--dbpath",
      "/var/lib/rpm",
      "--force-debian",
      "--nodeps",
      ...argv,
    );

  await t.test("rpm: installed, configured, upgraded while services are in use", async (t) => {
    const { code, stdout, stderr } = await rpm("--install", rpms[1] ?? "");
    t.same([code, stderr], [0, ""]);
    t.match(stdout, "ocdd: run `ocdd initialize` on a terminal: it proposes a configuration");
    t.equal(await ok("ocdd", "--version"), EARLIER.version);
    t.same(told(), ["daemon-reload"]);
    await upgrade(t, await configure(t), () => rpm("--upgrade", rpms[0] ?? ""));
  });

  await t.test("rpm: removed; leases and the changed configuration are all that is left", async (t) => {
    const { code, stderr } = await rpm("--erase", "ocdd");
    t.equal(code, 0, stderr);
    t.match(told().join("\n"), /^stop .*ocdd-watch\.service/m, "services first");
    t.equal(await lab.snapshotHost(), before);
    const left = (await files()).split("\n").filter((line) => !beforeFiles.includes(line));
    const paths = left
      .map((line) => line.split(" ")[5] ?? "")
      .filter((name) => !name.startsWith("/var/lib/ocdd"));
    t.same(paths.sort(), ["/etc/ocdd", "/etc/ocdd/ocdd.conf.rpmsave"]);
    t.ok(existsSync(join(path, "var/lib/ocdd/leases.json")));
  });

  await t.test("lintian: no error", async (t) => {
    const { code, stdout } = await lint;
    t.equal(code, 0, stdout);
    t.notMatch(stdout, /^E:/m);
    t.ok(readFileSync(deb).length < 100e6);
  });
});
