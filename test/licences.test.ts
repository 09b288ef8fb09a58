/** Every form of OCDD contains the licences of all its parts: the Debian package, the image, and npm's package. */

import { cpSync, globSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import t from "tap";
import { copyright } from "../packaging/deb-text.ts";
import { licences } from "../packaging/licences.ts";
import { ROOT } from "../packaging/surface.ts";
import { addNode, layTree } from "../packaging/tree.ts";
import { run } from "./lab/process.ts";

const tree = mkdtempSync(join(tmpdir(), "ocdd-licences-"));
t.teardown(() => rmSync(tree, { recursive: true }));
await layTree(tree);
await addNode(tree);

/** Each package's part of the list, by the first line: name, version, licence. */
const parts = new Map(
  readFileSync(join(tree, "dist/licences.txt"), "utf8")
    .split(`\n${"-".repeat(72)}\n\n`)
    .map((part) => [part.slice(0, part.indexOf(" ")), part]),
);

t.test("licences.txt: the terms of each package whose code is in the bundle", (t) => {
  // esbuild writes above each module which file it was
  const within = globSync(join(tree, "dist/*.js")).flatMap((file) =>
    [...readFileSync(file, "utf8").matchAll(/^ *\/\/ .*node_modules\/((?:@[^/\n]+\/)?[^/\n]+)\/\S+$/gm)].map(
      (match) => match[1] ?? "",
    ),
  );
  const names = [...new Set(within)].sort();
  t.ok(names.includes("commander") && names.length > 20, "packages are found");
  for (const name of names) {
    const part = parts.get(name) ?? "";
    t.match(part, new RegExp(`^${name} \\d\\S* \\(.+\\)\n`), `${name} is listed`);
    t.match(part.slice(part.indexOf("\n")), /copyright[\s\S]{400}/i, `${name}: the terms`);
  }
  t.end();
});

t.test("each package beside the bundle, Node included, has its licence in its directory", (t) => {
  const packages = globSync("node_modules/{*,@*/*}/package.json", { cwd: tree }).map(dirname).sort();
  const [processor, list] = [process.arch, copyright(tree)];
  t.same(packages, [
    `node_modules/@koromix/koffi-linux-${processor}`,
    "node_modules/koffi",
    `node_modules/node-linux-${processor}`,
  ]);
  for (const path of packages) {
    const texts = globSync(`${path}/LICENSE*`, { cwd: tree }).map((file) =>
      readFileSync(join(tree, file), "utf8"),
    );
    t.equal(texts.length, 1, path);
    t.match(texts[0], /copyright/i, path);
    t.match(list, path, "the Debian package's copyright file names it");
  }
  const node = readFileSync(join(tree, `node_modules/node-linux-${processor}/LICENSE`), "utf8");
  t.match(node, /OpenSSL/, "with those of what Node contains");
  t.end();
});

t.test("a package whose terms are not known: not bundled", async (t) => {
  const directory = t.testdir({ "package.json": '{"name":"nameless","version":"1.0.0"}' });
  await t.rejects(licences([directory]), /nameless: no licence file/);
});

t.test("npm's package holds OCDD's licence and the list, and no other result of a build", async (t) => {
  for (const name of ["package.json", "CHANGELOG.md"]) cpSync(join(ROOT, name), join(tree, name));
  writeFileSync(join(tree, "dist/ocdd_1_amd64.deb"), "");
  const { stdout } = await run(["npm", "pack", "--dry-run", "--ignore-scripts", "--json"], { cwd: tree });
  const [packed] = JSON.parse(stdout) as [{ files: { path: string }[] }];
  const paths = packed.files.map(({ path }) => path);
  for (const path of [
    "LICENSE",
    "dist/licences.txt",
    "dist/cli.js",
    "dist/udp-worker.js",
    "dist/queue-worker.js",
    "bin/ocdd",
  ])
    t.ok(paths.includes(path), path);
  t.same(
    paths.filter((path) => /\.deb$|node_modules/.test(path)),
    [],
  );
});
