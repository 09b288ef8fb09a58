/** Which configuration file is used, by a process of its own in a directory of its own. */
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { execa } from "execa";
import t from "tap";
import { firstConf } from "../../packaging/first-conf.ts";
import { readConfig } from "../../src/core/config/config.ts";

const MAIN = fileURLToPath(new URL("../../src/cli/main.ts", import.meta.url));
const KEYS = "NETWORK_DEVICE=lo IP_RANGE=192.0.2.1-192.0.2.9 TOOLBOX_SUBDOMAIN_NAME=t.example".split(" ");

const place = mkdtempSync(join(tmpdir(), "ocdd-conf-"));
t.teardown(() => rmSync(place, { recursive: true }));
const conf = join(place, "ocdd.conf");

/** `ocdd zone` there, which prints the zone file and asks nothing of the host. */
async function zone(more: readonly string[] = [], mode = 0o644, env: Record<string, string> = {}) {
  writeFileSync(conf, [...KEYS, `STORAGE_DIR=${place}`, ...more].map((line) => `${line}\n`).join(""));
  chmodSync(conf, mode);
  return execa(process.execPath, [MAIN, "zone"], {
    cwd: place,
    reject: false,
    env: { OCDD_CONF: undefined, HOSTNAME: undefined, ...env },
  });
}

mkdirSync(join(place, "dns"));
writeFileSync(join(place, "dns", "t.example.zone"), "; kept\n");

t.test("./ocdd.conf, by its mode: used, or refused with status 78 and the remedy", async (t) => {
  t.match(await zone(), { exitCode: 0, stdout: "; kept" });
  const refused = await zone([], 0o666);
  t.match(refused, { exitCode: 78, stdout: "" });
  t.match(
    refused.stderr,
    /^\.\/ocdd\.conf: is not used: .*\/ocdd\.conf \(owner .*, mode 0666\) must not be writable by others: chmod go-w .*\/ocdd\.conf$/,
  );
  chmodSync(place, 0o777);
  t.match((await zone()).exitCode, 78, "nor in a directory that all users may write to");
  chmodSync(place, 0o700);
});

t.test("files that the configuration names, by their modes, are refused with status 78", async (t) => {
  const keys = join(place, "tsig.key");
  writeFileSync(keys, "");
  chmodSync(keys, 0o660);
  const site = join(place, "site");
  mkdirSync(site);
  writeFileSync(join(site, "app.js"), "");
  chmodSync(join(site, "app.js"), 0o602);
  const { exitCode, stderr } = await zone([`DNS_TSIG_KEY_FILE=${keys}`, `WEB_TEMPLATE_DIR=${site}`]);
  t.equal(exitCode, 78);
  t.match(stderr.split("\n"), [
    /^\.\/ocdd\.conf:5: DNS_TSIG_KEY_FILE: is not used: .*tsig\.key .*mode 0660/,
    /^\.\/ocdd\.conf:6: WEB_TEMPLATE_DIR: is not used: .*app\.js .*mode 0602/,
  ]);
});

t.test(
  "a configuration from a pipe, as bash gives for <(cat ocdd.conf): status 78 and what it is",
  async (t) => {
    for (const path of ["/dev/stdin", "/dev/fd/0", "/proc/self/fd/0"]) {
      // as a shell does, and not by a socket
      const { exitCode, stderr } = await execa("cat", [conf]).pipe(
        process.execPath,
        [MAIN, "--config", path, "zone"],
        { reject: false },
      );
      t.equal(exitCode, 78);
      t.match(stderr, new RegExp(`^${path}: is a (pipe|socket) and not a file; write the text to a file`));
    }
  },
);

t.test("variables that shells have without exporting them: as bash has them", async (t) => {
  const { exitCode, stderr } = await zone(["STORAGE_DIR=/nowhere/$HOSTNAME-$UID$PWD"], 0o644, {
    PWD: "/tmp",
  });
  t.equal(exitCode, 1);
  const uid = process.getuid?.();
  t.match(
    stderr,
    `there is no zone file /nowhere/${hostname()}-${uid}${realpathSync(place)}/dns/t.example.zone`,
  );
});

t.test("OCDD_CONF: names the file; empty it names none, and is as if it were not set", async (t) => {
  t.match(await zone([], 0o644, { OCDD_CONF: "" }), { exitCode: 0, stdout: "; kept" });
  const named = await zone([], 0o644, { OCDD_CONF: join(place, "other.conf") });
  t.match(named, { exitCode: 78, stderr: /other\.conf: there is no such file/ });
});

t.test(
  "initialize without a configuration and without a terminal: status 78, three lines to do, nothing is written",
  async (t) => {
    const file = join(place, "none.conf");
    const run = () =>
      execa(process.execPath, [MAIN, "--config", file, "initialize"], {
        cwd: place,
        reject: false,
        input: "y\n",
      });
    const absent = await run();
    t.equal(absent.exitCode, 78);
    t.match(absent.stderr.split("\n"), [
      /none\.conf: there is no such file$/,
      /^1\. ask IT/,
      /^2\. write to .*none\.conf/,
      /^3\. /,
    ]);
    t.notOk(existsSync(file));
    writeFileSync(file, "#IP_SUBNET=\nSTORAGE_DIR=/var/lib/ocdd\n");
    t.match(await run(), { exitCode: 78, stderr: /none\.conf: sets neither range nor zone\n1\. / });
    t.equal(readFileSync(file, "utf8"), "#IP_SUBNET=\nSTORAGE_DIR=/var/lib/ocdd\n");
  },
);

t.test(
  "a configuration that is missing, or as the package has it: every command names one remedy",
  async (t) => {
    const file = join(place, "fresh.conf");
    const list = () =>
      execa(process.execPath, [MAIN, "--config", file, "--set", "NETWORK_DEVICE=lo", "list"], {
        reject: false,
      });
    const remedy = /^remedy: run `ocdd initialize`: /;
    const absent = await list();
    t.equal(absent.exitCode, 78);
    t.match(absent.stderr.split("\n"), [/fresh\.conf: there is no such file$/, remedy]);
    writeFileSync(file, firstConf());
    const fresh = await list();
    t.equal(fresh.exitCode, 78);
    t.match(fresh.stderr.split("\n"), [
      /fresh\.conf: TOOLBOX_SUBDOMAIN_NAME: is not set$/,
      /fresh\.conf: IP_RANGE: is not set$/,
      remedy,
    ]);
  },
);

t.test("the package's configuration: one key for the range; filled in it is one that works", async (t) => {
  const text = firstConf();
  t.notMatch(text, /IP_SUBNET|IP_RANGE_START/);
  const filled = text.replace(/^#(NETWORK_DEVICE|IP_|TOOLBOX_)/gm, "$1");
  const sources = { file: "ocdd.conf", environment: new Map(), flags: [] };
  const { pool, storageDir } = readConfig({ ...sources, text: filled });
  t.same(pool, [{ first: "192.168.122.11", last: "192.168.122.30" }]);
  t.equal(storageDir, "/var/lib/ocdd");
});
