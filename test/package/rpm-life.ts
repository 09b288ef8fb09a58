/** The life of the RPM package on a host, a step after the other: inspected, installed, upgraded, removed. */

import { existsSync } from "node:fs";
import { join } from "node:path";
import type { Test } from "tap";
import { type Outcome, run } from "../lab/process.ts";
import { type Built, EARLIER, type PackagedHost } from "./packaged-host.ts";

const NEEDED = "conntrack-tools glibc iproute iputils libgcc libstdc++ nftables util-linux".split(" ");

/** All steps on one host, with this machine's rpm: RPM's own distributions cannot be had here. */
export async function rpmLife(t: Test, host: PackagedHost, { file, earlier }: Built): Promise<void> {
  const { ok, outside, path } = host.root;
  const there = ["--root", join(host.lab.dir, "root"), "--dbpath", "/var/lib/rpm"];
  const rpm = (...argv: string[]): Promise<Outcome> =>
    outside("rpm", ...there, "--force-debian", "--nodeps", ...argv);

  await t.test("rpm: what it holds and needs", async (t) => {
    t.match((await run(["rpm", "-K", file])).stdout, /: digests OK$/);
    const lines = async (...argv: string[]): Promise<string[]> =>
      (await run(["rpm", "-qp", ...argv, file])).stdout.split("\n");
    const listed = (await lines("--list")).filter((name) => !name.startsWith("/usr/lib/ocdd/"));
    t.ok(listed.includes("/usr/lib/systemd/system/ocdd-watch.service"));
    t.ok(listed.includes("/usr/share/doc/ocdd/examples/dns/README.md"));
    t.same(await lines("--configfiles"), ["/etc/ocdd/ocdd.conf"]);
    const needed = (await lines("--requires")).filter((name) => !/^rpmlib|^\/bin\/sh$/.test(name));
    t.same(needed.map((name) => name.split(" ")[0]).sort(), NEEDED);
  });

  await t.test("rpm: installed, configured, upgraded while services are in use", async (t) => {
    const { code, stdout, stderr } = await rpm("--install", earlier);
    t.same([code, stderr], [0, ""]);
    t.match(stdout, "ocdd: run `ocdd initialize` on a terminal: it proposes a configuration");
    t.equal(await ok("ocdd", "--version"), EARLIER.version);
    t.same(host.told(), ["daemon-reload"]);
    await host.configure(t);
    await host.upgrade(t, () => rpm("--upgrade", file));
  });

  await t.test("rpm: removed; leases and the changed configuration are all that is left", async (t) => {
    const { code, stderr } = await rpm("--erase", "ocdd");
    t.equal(code, 0, stderr);
    t.match(host.told().join("\n"), /^stop .*ocdd-watch\.service/m, "services first");
    await host.asBefore(t, { files: false });
    const left = (await host.added()).map((line) => line.split(" ")[5] ?? "");
    t.same(left.filter((name) => !name.startsWith("/var/lib/ocdd")).sort(), [
      "/etc/ocdd",
      "/etc/ocdd/ocdd.conf.rpmsave",
    ]);
    t.ok(existsSync(join(path, "var/lib/ocdd/leases.json")));
  });
}
