/** npm's package: packed from a fresh clone, installed without any install script, and run from where npm has put it. */

import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  realpathSync,
  rmSync,
  symlinkSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import t from "tap";
import { ROOT, readSurface } from "../../packaging/surface.ts";
import { run, spawn, until } from "../lab/process.ts";
import { makePlace } from "../serve/place.ts";

const ZONE = "toolbox.example.com";
const TEXT = "@ 60 IN SOA ns1 hostmaster 1 3600 600 86400 60\n@ 60 IN NS ns1\nns1 60 IN A 127.0.0.1\n";

t.setTimeout(1_200_000);

t.test("npm's package", async (t) => {
  const dir = mkdtempSync(join(tmpdir(), "ocdd-npm-"));
  t.teardown(() => rmSync(dir, { recursive: true }));
  const prefix = join(dir, "prefix");
  const home = join(prefix, "lib/node_modules/ocdd");

  await t.test("packed from a fresh clone: prepack builds it", async () => {
    const clone = join(dir, "clone");
    const { stdout } = await run(["git", "ls-files", "-z"], { cwd: ROOT });
    for (const path of stdout.split("\0").filter(Boolean)) {
      mkdirSync(dirname(join(clone, path)), { recursive: true });
      cpSync(join(ROOT, path), join(clone, path));
    }
    // what `npm ci` makes there
    symlinkSync(join(ROOT, "node_modules"), join(clone, "node_modules"));
    await run(["npm", "pack", "--silent", "--pack-destination", dir], { cwd: clone });
  });

  await t.test("installed: depends on Node and koffi, which it loads, and on nothing else", async (t) => {
    const tarball = join(dir, `ocdd-${readSurface().version}.tgz`);
    const flags = ["--ignore-scripts", "--prefer-offline", "--no-audit", "--no-fund"];
    await run(["npm", "install", "--global", "--prefix", prefix, ...flags, tarball], { timeout: 600_000 });
    const beside = (name: string): string[] => readdirSync(join(home, name)).filter((it) => it[0] !== ".");
    t.same(beside("node_modules").sort(), ["@koromix", "koffi", `node-linux-${process.arch}`]);
    t.same(beside("node_modules/@koromix"), [`koffi-linux-${process.arch}`]);
    t.same(
      beside("dist").filter((name) => !/\.js$|^licences\.txt$/.test(name)),
      [],
      "no other result of a build",
    );
    t.same(beside("docs").sort(), ["metrics.md", "ocdd.8", "ocdd.conf.5", "page.md", "services-json.md"]);
    for (const path of ["README.md", "SECURITY.md", "examples/dns/README.md", "templates/ocdd-watch.service"])
      t.ok(existsSync(join(home, path)), path);
  });

  await t.test("it runs: --version, --help, and a server", async (t) => {
    // no Node on PATH but the one that came with it
    const env = { PATH: "/usr/sbin:/usr/bin:/sbin:/bin" };
    const ocdd = join(prefix, "bin/ocdd");
    t.equal((await run([ocdd, "--version"], { env })).stdout, readSurface().version);
    t.match((await run([ocdd, "--help"], { env })).stdout, /^Usage: ocdd /);
    const place = await makePlace(ZONE, TEXT);
    t.teardown(() => rmSync(place.dir, { recursive: true }));
    const server = spawn(dir, "serve", [ocdd, "--config", place.conf, "serve"], { env });
    t.teardown(() => server.stop());
    await until("it listens", () => server.output().includes("listening on"));
    const page = await fetch(`http://127.0.0.1:${place.web}/`);
    t.match(await page.text(), "<title>page</title>");
    const asked = ["dig", "+short", "@127.0.0.1", "-p", String(place.dns), `ns1.${ZONE}`];
    t.equal((await run(asked)).stdout, "127.0.0.1");
    const own = join(realpathSync(home), "node_modules");
    t.equal(readlinkSync(`/proc/${server.pid}/exe`), join(own, `node-linux-${process.arch}/bin/node`));
    t.match(readFileSync(`/proc/${server.pid}/maps`, "latin1"), `${own}/@koromix/koffi-linux-`);
    t.equal(await server.stop(), 0);
  });
});
