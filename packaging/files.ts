/** The files of OCDD on a host with systemd, the same in the package of every distribution. */

import { chmod, cp, lstat, mkdir, readdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { gzipSync } from "node:zlib";
import { execa } from "execa";
import { fillTemplate } from "../src/host/install/units.ts";
import { CONF, firstConf, HOME, STATE } from "./first-conf.ts";
import { ownParts, type Parts } from "./parts.ts";
import { ROOT, readSurface, type Surface, textOf } from "./surface.ts";
import { addNode, layTree } from "./tree.ts";

/** Where documents are. */
export const DOC = "usr/share/doc/ocdd";

/** Where in a root units, and the completions of bash and fish, are found by every distribution. */
export const UNITS = "usr/lib/systemd/system";
const COMPLETIONS = [
  ["ocdd.bash", "usr/share/bash-completion/completions/ocdd"],
  ["ocdd.fish", "usr/share/fish/vendor_completions.d/ocdd.fish"],
] as const;

/** For users of OCDD; the README names them. What is for those who change it stays in the repository. */
const DOCUMENTS = ["README.md", "SECURITY.md", "docs/metrics.md", "docs/page.md", "docs/services-json.md"];

export interface PackageOptions {
  /** Default: those for this machine. */
  readonly parts?: Parts;
  /** Default: that of package.json. */
  readonly version?: string;
  /** How it is packed: xz is small and takes a minute, gzip is quick, none is for tests. */
  readonly compression?: "xz" | "gzip" | "none";
  /** Called with each step before it is done. */
  readonly say?: Say;
}

/** Prints a line. */
export type Say = (line: string) => void;

/** What a package is made of. */
export interface Prepared {
  readonly parts: Parts;
  /** Directory that becomes the root of the host's file system. */
  readonly root: string;
  readonly surface: Surface;
  /** When what is packaged was last changed: seconds since 1970. */
  readonly seconds: number;
}

/** Lays all files that do not depend on the distribution into `work`/root. `work` is empty, and the caller's to remove. */
export async function prepare(work: string, options: PackageOptions): Promise<Prepared> {
  const root = join(work, "root");
  const own = readSurface();
  const version = options.version ?? own.version;
  // in packages a hyphen ends the version; a tilde comes before the version itself, as a pre-release should
  const surface = { ...own, version: version.replace("-", "~") };
  const parts = options.parts ?? ownParts();
  options.say?.(`laying out the files of ocdd ${version} for ${parts.processor}`);
  await layHome(join(root, HOME), parts, version);
  await mkdir(join(root, "usr/bin"), { recursive: true });
  await symlink("../lib/ocdd/bin/ocdd", join(root, "usr/bin/ocdd"));
  await mkdir(join(root, STATE), { recursive: true });
  await put(root, CONF, firstConf());
  for (const [name, text] of await packagedUnits()) await put(root, `${UNITS}/${name}`, text);
  await put(root, "usr/share/man/man8/ocdd.8.gz", gzip(textOf("docs/ocdd.8")));
  await put(root, "usr/share/man/man5/ocdd.conf.5.gz", gzip(textOf("docs/ocdd.conf.5")));
  for (const [from, to] of COMPLETIONS) await put(root, to, textOf(`packaging/completions/${from}`));
  for (const name of DOCUMENTS) await put(root, `${DOC}/${name}.gz`, gzip(textOf(name)));
  await put(root, `${DOC}/changelog.gz`, gzip(textOf("CHANGELOG.md")));
  await cp(join(ROOT, "examples"), join(root, DOC, "examples"), { recursive: true });
  await cp(join(ROOT, "contrib"), join(root, DOC, "examples/contrib"), { recursive: true });
  const cron = textOf("templates/ocdd.cron").replace("/usr/local/bin/ocdd", "/usr/bin/ocdd");
  await put(root, `${DOC}/examples/ocdd.cron`, cron);
  await put(root, `${DOC}/examples/ocdd.conf`, textOf("ocdd.conf.example"));
  const seconds = Number(process.env.SOURCE_DATE_EPOCH ?? (await lastChange()));
  return { root, surface, seconds, parts };
}

/** The program itself. What has another place on a host goes. */
async function layHome(home: string, parts: Parts, version: string): Promise<void> {
  await layTree(home, parts.directory);
  await addNode(home, parts);
  for (const name of ["README.md", "ocdd.conf.example", "LICENSE"]) await rm(join(home, name));
  const manifest = join(home, "package.json");
  const fields = JSON.parse(await readFile(manifest, "utf8")) as object;
  await writeFile(manifest, `${JSON.stringify({ ...fields, version }, null, 2)}\n`);
}

/**
 * The units with the package's paths. `ocdd initialize` writes those of the configuration to /etc/systemd/system, where
 * they come first, and the server's sockets, which need an address; these are for hosts that keep the state where the package
 * has it.
 */
export async function packagedUnits(): Promise<[string, string][]> {
  const values = new Map([
    ["HOME", HOME],
    ["CONF", CONF],
    ["STORAGE_DIR", STATE],
    ["ZONE_DIR", STATE],
    ["INDEX_DIR", STATE],
    ["SYNC_INTERVAL", "60"],
    ["PROTECT_HOME", "yes"],
  ]);
  const names = (await readdir(join(ROOT, "templates"))).filter((name) => /\.(service|timer)$/.test(name));
  return names.map((name) => {
    const text = textOf(`templates/${name}`).replace(
      /^Documentation=.*$/m,
      "Documentation=man:ocdd(8) man:ocdd.conf(5)",
    );
    return [
      name,
      fillTemplate(text, values).replace(
        /^(ReadWritePaths=\S+)( \1)*.*$/m,
        `ReadWritePaths=${STATE} -/run/xtables.lock`,
      ),
    ];
  });
}

/** The step that takes longest. */
export const packing = (name: string, { compression = "xz" }: PackageOptions): string =>
  `packing ${name}${compression === "xz" ? ", with xz: about a minute" : ""}`;

/** Writes a file of a root, with the directories above it. */
export async function put(
  root: string,
  path: string,
  content: string | Uint8Array,
  mode = 0o644,
): Promise<void> {
  const file = join(root, path);
  await mkdir(dirname(file), { recursive: true });
  await writeFile(file, content, { mode });
}

/** At the best level and without a date: the same text gives the same file. */
export const gzip = (text: string): Uint8Array => gzipSync(text, { level: 9 });

/** Modes as distributions have them, independent of umask and npm. Programs are OCDD, Node, and what an example runs. */
export async function modes(root: string): Promise<void> {
  await chmod(root, 0o755);
  for (const entry of await readdir(root, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name);
    if (entry.isDirectory()) await chmod(path, 0o755);
    if (!entry.isFile()) continue;
    const runs =
      /\/bin\/(ocdd|node)$|\/ocdd\/examples\//.test(path) && ((await lstat(path)).mode & 0o100) !== 0;
    await chmod(path, runs ? 0o755 : 0o644);
  }
}

/** The commit's time, or the lock file's where there is no git. */
async function lastChange(): Promise<number> {
  const { stdout, exitCode } = await execa("git", ["log", "-1", "--format=%ct"], {
    cwd: ROOT,
    reject: false,
  });
  if (exitCode === 0) return Number(stdout);
  return Math.floor((await lstat(join(ROOT, "package-lock.json"))).mtimeMs / 1000);
}
