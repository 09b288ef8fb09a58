/** `npm run deb [-- amd64 arm64]`: Debian packages with their Node inside, built by dpkg-deb alone: dist/ocdd_VERSION_ARCH.deb. */

import { mkdir, mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { execa } from "execa";
import { control, copyright, debianChangelog, maintainer } from "./deb-text.ts";
import { DOC, gzip, modes, type PackageOptions, packing, prepare, put } from "./files.ts";
import { CONF, HOME } from "./first-conf.ts";
import { buildFor } from "./parts.ts";
import { ROOT, textOf } from "./surface.ts";

/** Debian's name of each processor. */
const ARCHITECTURES = { x64: "amd64", arm64: "arm64" } as const;

/** Builds the package into a directory; returns its path. */
export async function buildDeb(into: string, options: PackageOptions = {}): Promise<string> {
  const work = await mkdtemp(join(tmpdir(), "ocdd-deb-"));
  try {
    const { root, surface, seconds, parts } = await prepare(work, options);
    await put(root, "usr/share/zsh/vendor-completions/_ocdd", textOf("packaging/completions/_ocdd"));
    await put(root, `${DOC}/copyright`, copyright(join(root, HOME)));
    const changes = debianChangelog(surface, maintainer(process.env), seconds);
    await put(root, `${DOC}/changelog.Debian.gz`, gzip(changes));
    await put(root, "usr/share/lintian/overrides/ocdd", textOf("packaging/debian/lintian-overrides"));
    await modes(root);
    const architecture = ARCHITECTURES[parts.processor];
    const size = Number((await execa("du", ["-sk", "--apparent-size", root])).stdout.split("\t")[0]);
    const sums = await md5sums(root);
    await put(root, "DEBIAN/control", control(surface, architecture, size, maintainer(process.env)));
    await put(root, "DEBIAN/conffiles", `${CONF}\n`);
    await put(root, "DEBIAN/md5sums", sums);
    for (const name of ["postinst", "prerm", "postrm"]) {
      await put(root, `DEBIAN/${name}`, textOf(`packaging/debian/${name}`), 0o755);
    }
    await mkdir(into, { recursive: true });
    const file = join(into, `ocdd_${surface.version}-1_${architecture}.deb`);
    const flags = ["--root-owner-group", `-Z${options.compression ?? "xz"}`];
    options.say?.(packing(basename(file), options));
    await execa("dpkg-deb", [...flags, "--build", root, file], {
      env: { SOURCE_DATE_EPOCH: String(seconds) },
    });
    return file;
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

async function md5sums(root: string): Promise<string> {
  const paths: string[] = [];
  for (const entry of await readdir(root, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name).slice(root.length + 1);
    if (entry.isFile() && `/${path}` !== CONF) paths.push(path);
  }
  const { stdout } = await execa("md5sum", ["--", ...paths.sort()], { cwd: root });
  return `${stdout}\n`;
}

if (import.meta.main)
  await buildFor(process.argv.slice(2), ARCHITECTURES, (parts, say) =>
    buildDeb(join(ROOT, "dist"), { parts, say }),
  );
