/** The product as it is installed: one bundle, and beside it the one package that no bundle can hold. */

import { cp, mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { bundle } from "./bundle.ts";
import { licenceFile } from "./licences.ts";
import { ownParts, type Parts } from "./parts.ts";
import { ROOT } from "./surface.ts";

/** Beside the compiled code: what it reads, and what the licence asks for. */
const FILES = [
  "bin",
  "templates",
  "LICENSE",
  "README.md",
  "ocdd.conf.example",
  "docker-compose.yml",
  "Dockerfile",
];

/** Machine code: koffi, and what it has for one processor. All other packages are within the bundle. */
const BESIDE = /^(koffi$|@koromix\/koffi-)/;

/** The licence of koffi, and of its machine code, whose packages hold no text of it. */
const KOFFI_LICENCE = "node_modules/koffi/LICENSE.txt";

/** Within packages: what is for people, for compilers, or built on this machine by an install script. */
const LEFT_OUT =
  /\.(d\.[cm]?ts|map|md|markdown|c|cc|h|gyp|gypi|o|a)$|^(\..+|docs?|tests?|examples?|vendor|musl_\w+)$/;

/** Lays the product into a directory, which is emptied, with koffi of the node_modules in `from`. */
export async function layTree(directory: string, from: string = ROOT): Promise<void> {
  await rm(directory, { recursive: true, force: true });
  await mkdir(directory, { recursive: true });
  await bundle(join(directory, "dist"));
  for (const name of FILES) await cp(join(ROOT, name), join(directory, name), { recursive: true });
  const { name, version, description, license, type, engines, optionalDependencies } = JSON.parse(
    await readFile(join(ROOT, "package.json"), "utf8"),
  ) as Record<string, unknown>;
  const own = { name, version, description, license, type, engines, optionalDependencies };
  await writeFile(join(directory, "package.json"), `${JSON.stringify(own, null, 2)}\n`);
  for (const path of await packagesBeside(from)) {
    await copyPackage(join(from, path), join(directory, path));
    if ((await licenceFile(join(directory, path))) === undefined)
      await cp(join(ROOT, KOFFI_LICENCE), join(directory, path, basename(KOFFI_LICENCE)));
  }
}

/** Copies the Node that the product is tested with, and its licences, to where `bin/ocdd` looks first. */
export async function addNode(directory: string, parts: Parts = ownParts()): Promise<void> {
  const node = `node_modules/node-linux-${parts.processor}`;
  for (const path of ["package.json", "LICENSE", "bin/node"]) {
    await cp(join(parts.directory, node, path), join(directory, node, path));
  }
}

interface Locked {
  readonly os?: readonly string[];
}

/** Paths of the packages that stay outside the bundle, as the lock file has them and as they are installed. */
async function packagesBeside(directory: string): Promise<string[]> {
  const lock = JSON.parse(await readFile(join(ROOT, "package-lock.json"), "utf8")) as {
    readonly packages: Readonly<Record<string, Locked>>;
  };
  const wanted = Object.entries(lock.packages).filter(
    ([path, { os }]) => (os?.includes("linux") ?? true) && BESIDE.test(nameOf(path)),
  );
  const there = await Promise.all(
    // an optional package of another processor is not installed
    wanted.map(([path]) =>
      readdir(join(directory, path)).then(
        () => [path],
        () => [],
      ),
    ),
  );
  return there.flat();
}

const nameOf = (path: string): string =>
  path.slice(path.lastIndexOf("node_modules/") + "node_modules/".length);

async function copyPackage(top: string, to: string): Promise<void> {
  await mkdir(dirname(to), { recursive: true });
  await cp(top, to, {
    recursive: true,
    filter: (from) => {
      if (from === top) return true;
      const within = from.slice(top.length + 1);
      // packages within have lines of their own in the lock file
      if (within === "node_modules") return false;
      return !LEFT_OUT.test(basename(from));
    },
  });
}
