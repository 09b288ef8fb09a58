/** `npm run deb`: one Debian package with its Node inside, built by dpkg-deb alone. Writes dist/ocdd_VERSION_ARCH.deb. */

import { chmod, lstat, mkdir, mkdtemp, readdir, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { gzipSync } from "node:zlib";
import { execa } from "execa";
import { fillTemplate } from "../src/host/install/units.ts";
import { CONF, control, copyright, debianChangelog, firstConf, HOME, maintainer, STATE } from "./deb-text.ts";
import { ROOT, readSurface, type Surface, textOf } from "./surface.ts";
import { addNode, layTree } from "./tree.ts";

/** How dpkg-deb packs: xz is small and takes a minute, gzip is quick. */
export type Compression = "xz" | "gzip";

/** Builds the package into a directory; returns its path. */
export async function buildDeb(into: string, compression: Compression = "xz"): Promise<string> {
  const root = await mkdtemp(join(tmpdir(), "ocdd-deb-"));
  try {
    const surface = readSurface();
    const seconds = Number(process.env.SOURCE_DATE_EPOCH ?? (await lastChange()));
    await layTree(join(root, HOME));
    await addNode(join(root, HOME));
    // their places on a Debian host are others
    for (const name of ["README.md", "ocdd.conf.example", "LICENSE"]) await rm(join(root, HOME, name));
    await layFiles(root, surface, seconds);
    await modes(root);
    const architecture = (await execa("dpkg", ["--print-architecture"])).stdout;
    const size = Number((await execa("du", ["-sk", "--apparent-size", root])).stdout.split("\t")[0]);
    await put(root, "DEBIAN/control", control(surface, architecture, size, maintainer(process.env)));
    await put(root, "DEBIAN/conffiles", `${CONF}\n`);
    await put(root, "DEBIAN/md5sums", await md5sums(root));
    for (const name of ["postinst", "prerm", "postrm"]) {
      await put(root, `DEBIAN/${name}`, textOf(`packaging/debian/${name}`), 0o755);
    }
    await chmod(root, 0o755);
    await mkdir(into, { recursive: true });
    const file = join(into, `ocdd_${surface.version}-1_${architecture}.deb`);
    await execa("dpkg-deb", ["--root-owner-group", `-Z${compression}`, "--build", root, file], {
      env: { SOURCE_DATE_EPOCH: String(seconds) },
    });
    return file;
  } finally {
    await rm(root, { recursive: true, force: true });
  }
}

/** Everything but the program itself. */
async function layFiles(root: string, surface: Surface, seconds: number): Promise<void> {
  const doc = "usr/share/doc/ocdd";
  await mkdir(join(root, "usr/bin"), { recursive: true });
  await symlink("../lib/ocdd/bin/ocdd", join(root, "usr/bin/ocdd"));
  await mkdir(join(root, STATE), { recursive: true });
  await put(root, CONF, firstConf());
  for (const [name, text] of await packagedUnits()) await put(root, `lib/systemd/system/${name}`, text);
  await put(root, "usr/share/man/man8/ocdd.8.gz", gzip(textOf("docs/ocdd.8")));
  await put(root, "usr/share/man/man5/ocdd.conf.5.gz", gzip(textOf("docs/ocdd.conf.5")));
  for (const [from, to] of [
    ["ocdd.bash", "bash-completion/completions/ocdd"],
    ["_ocdd", "zsh/vendor-completions/_ocdd"],
    ["ocdd.fish", "fish/vendor_completions.d/ocdd.fish"],
  ] as const) {
    await put(root, `usr/share/${to}`, textOf(`packaging/completions/${from}`));
  }
  await put(root, `${doc}/README.md.gz`, gzip(textOf("README.md")));
  await put(root, `${doc}/copyright`, copyright(join(root, HOME)));
  await put(root, `${doc}/changelog.gz`, gzip(textOf("CHANGELOG.md")));
  const changes = debianChangelog(surface, maintainer(process.env), seconds);
  await put(root, `${doc}/changelog.Debian.gz`, gzip(changes));
  const cron = textOf("templates/ocdd.cron").replace("/usr/local/bin/ocdd", "/usr/bin/ocdd");
  await put(root, `${doc}/examples/ocdd.cron`, cron);
  await put(root, `${doc}/examples/ocdd.conf`, textOf("ocdd.conf.example"));
  await put(root, "usr/share/lintian/overrides/ocdd", textOf("packaging/debian/lintian-overrides"));
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

async function put(root: string, path: string, content: string | Uint8Array, mode = 0o644): Promise<void> {
  const file = join(root, path);
  await mkdir(dirname(file), { recursive: true });
  await writeFile(file, content, { mode });
}

/** At the best level and without a date: the same text gives the same file. */
const gzip = (text: string): Uint8Array => gzipSync(text, { level: 9 });

/** Modes as Debian has them, independent of umask and npm. */
async function modes(root: string): Promise<void> {
  for (const entry of await readdir(root, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name);
    if (entry.isDirectory()) await chmod(path, 0o755);
    else if (entry.isFile()) await chmod(path, /\/bin\/(ocdd|node)$/.test(path) ? 0o755 : 0o644);
  }
}

async function md5sums(root: string): Promise<string> {
  const paths: string[] = [];
  for (const entry of await readdir(root, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name).slice(root.length + 1);
    if (entry.isFile() && !path.startsWith("DEBIAN/") && `/${path}` !== CONF) paths.push(path);
  }
  const { stdout } = await execa("md5sum", ["--", ...paths.sort()], { cwd: root });
  return `${stdout}\n`;
}

/** When what is packaged was last changed: the commit's time, or the lock file's where there is no git. */
async function lastChange(): Promise<number> {
  const { stdout, exitCode } = await execa("git", ["log", "-1", "--format=%ct"], {
    cwd: ROOT,
    reject: false,
  });
  if (exitCode === 0) return Number(stdout);
  return Math.floor((await lstat(join(ROOT, "package-lock.json"))).mtimeMs / 1000);
}

if (import.meta.main) process.stdout.write(`${await buildDeb(join(ROOT, "dist"))}\n`);
