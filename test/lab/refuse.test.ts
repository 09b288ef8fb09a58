/** Invalid input: each kind has its message and its status, and nothing is changed or lost. */

import { mkdirSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import t, { type Test } from "tap";
import { addresses, aliasOf, apply, initializedLab, succeed } from "./director.ts";
import { type OcddOptions, storage } from "./ocdd.ts";
import { type Outcome, run } from "./process.ts";
import { tree } from "./tree.ts";

t.setTimeout(1_200_000);

const WITHOUT = fileURLToPath(new URL("without.sh", import.meta.url));

t.test("refusals", async (t) => {
  const lab = await initializedLab(t, { name: "refuse" });
  await lab.startContainers("one", "two");
  await apply(lab);
  const table = await addresses(lab);
  const host = await lab.snapshotHost();
  const files = await tree(storage(lab));

  /** A refused run: its status, its message without a stack, and everything as it was. */
  const refused = async (
    t: Test,
    what: string,
    code: number,
    says: RegExp | string,
    options: OcddOptions = {},
    args: readonly string[] = [],
  ): Promise<Outcome> => {
    const outcome = await lab.ocdd(args, options);
    t.equal(outcome.code, code, `${what}: ${outcome.stderr}`);
    t.match(outcome.stderr, says, what);
    t.notMatch(outcome.stderr, /^\s+at .*:\d+:\d+\)?$/m, "no stack");
    t.equal(await lab.snapshotHost(), host, "the host is as it was");
    t.same(await tree(storage(lab)), files, "so is the storage");
    return outcome;
  };

  t.test("invalid arguments: status 64", async (t) => {
    await refused(t, "an unknown command", 64, /frobnicate/, {}, ["frobnicate"]);
    await refused(t, "an unknown flag", 64, /--frobnicate/, {}, ["--frobnicate"]);
  });

  t.test("an invalid configuration: all problems at once, each with its line", async (t) => {
    const text = [
      "DEBUG=2",
      "NETWORK_DEVISE='ens3'",
      "IP_SUBNET='192.168'",
      "IP_RANGE_START=300",
      "STORAGE_DIR=$(pwd)",
      "",
    ].join("\n");
    const { stderr } = await refused(t, "five mistakes", 78, /:1: DEBUG: /, { text });
    t.match(stderr, /:2: .*NETWORK_DEVISE.*NETWORK_DEVICE/, "the nearest key is named");
    for (const [line, key] of [
      [3, "IP_SUBNET"],
      [4, "IP_RANGE_START"],
      [5, "STORAGE_DIR"],
    ]) {
      t.match(stderr, new RegExp(`:${line}: ${key}: `));
    }
    await refused(t, "a reversed range", 78, /IP_RANGE/, {
      conf: { IP_RANGE_START: "30", IP_RANGE_END: "11" },
    });
    await refused(t, "a value beyond 255", 78, /IP_RANGE_END/, { conf: { IP_RANGE_END: "256" } });
    const missing = await lab.ocdd(["--config", "/nowhere/ocdd.conf"]);
    t.equal(missing.code, 78, missing.stderr);
    t.match(missing.stderr, "/nowhere/ocdd.conf");
  });

  t.test("an impossible range: status 78, with the reason", async (t) => {
    const pool = (IP_RANGE: string): OcddOptions => ({ conf: { IP_RANGE } });
    await refused(t, "a Docker network's", 78, /172\.17\.0/, pool("172.17.0.10-172.17.0.20"), ["initialize"]);
    await refused(t, "an unknown device", 78, "nosuch0", { conf: { NETWORK_DEVICE: "nosuch0" } });
  });

  t.test("Docker's socket absent, closed or no socket: status 69, with the remedy", async (t) => {
    const socket = (DOCKER_SOCKET: string): OcddOptions => ({ conf: { DOCKER_SOCKET }, timeout: 600_000 });
    await refused(t, "missing", 69, "/nowhere.sock", socket("/nowhere.sock"));
    const file = join(lab.dir, "plain-file");
    writeFileSync(file, "");
    await refused(t, "refusing", 69, file, socket(file));
    const path = join(lab.dir, "silent.sock");
    const silent = createServer(() => {}).listen(path);
    await refused(t, "hanging", 69, path, socket(path));
    silent.close();
  });

  t.test("without privilege: status 77", async (t) => {
    const argv = lab.ocddCommand([]);
    const enter = lab.enterFully("host").length;
    const drop = ["setpriv", "--bounding-set=-all", "--inh-caps=-all"];
    const outcome = await run([...argv.slice(0, enter), ...drop, ...argv.slice(enter)], {
      check: false,
      cwd: "/",
    });
    t.equal(outcome.code, 77, outcome.stderr);
    t.match(outcome.stderr, /root|privilege|NET_ADMIN/i);
    t.equal(await lab.snapshotHost(), host);
  });

  t.test("a missing program: named with its package", async (t) => {
    for (const [program, debian] of [
      ["iptables-restore", "iptables"],
      ["ip", "iproute2"],
      ["arping", "iputils-arping"],
      ["conntrack", "conntrack"],
    ] as const) {
      const argv = lab.ocddCommand(["initialize"]);
      const enter = lab.enterFully("host").length;
      const without = ["sh", WITHOUT, join(lab.dir, `without-${program}`), program];
      const whole = [...argv.slice(0, enter), ...without, ...argv.slice(enter)];
      const outcome = await run(whole, { check: false, cwd: lab.dir });
      t.not(outcome.code, 0, program);
      t.match(
        outcome.stderr,
        new RegExp(`${program.split("-")[0]}[\\s\\S]*${debian}`),
        `${program}: apt package ${debian}`,
      );
      t.equal(await lab.snapshotHost(), host);
    }
  });

  t.test("storage that cannot be written: reported, nothing is lost", async (t) => {
    const conf = { STORAGE_DIR: join(lab.dir, "plain-file") };
    await refused(t, "a file in its place", 1, conf.STORAGE_DIR, { conf });
    const full = join(lab.dir, "full");
    mkdirSync(full);
    await run(["mount", "-t", "tmpfs", "-o", "size=256k", "full", full]);
    t.teardown(() => run(["umount", full], { check: false }));
    await run(["cp", "-a", `${storage(lab)}/.`, full]);
    await run(["dd", "if=/dev/zero", `of=${full}/filler`, "bs=4k"], { check: false });
    await lab.docker("stop", "two");
    const outcome = await lab.ocdd([], { conf: { STORAGE_DIR: full } });
    t.equal(outcome.code, 1, outcome.stderr);
    t.match(outcome.stderr, /ENOSPC|no space/i);
    t.equal(await lab.who(aliasOf(table, "one")), "one");
    await run(["rm", `${full}/filler`]);
    await apply(lab, { conf: { STORAGE_DIR: full } });
    t.same(await addresses(lab, { conf: { STORAGE_DIR: full } }), { one: table.one });
    await lab.docker("start", "two");
    succeed(await lab.ocdd([], { conf: { STORAGE_DIR: full } }), "the next run");
    t.same(await addresses(lab, { conf: { STORAGE_DIR: full } }), table, "no lease was lost");
  });
});
