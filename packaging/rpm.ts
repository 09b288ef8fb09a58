/** `npm run rpm [-- x86_64 aarch64]`: RPM packages with their Node inside, by rpmbuild alone: dist/ocdd-VERSION-1.ARCH.rpm. */

import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import { modes, type PackageOptions, packing, prepare, put } from "./files.ts";
import { buildFor } from "./parts.ts";
import { LICENCE, spec, ZSH } from "./rpm-text.ts";
import { ROOT, textOf } from "./surface.ts";

/** RPM's name of each processor. */
const ARCHITECTURES = { x64: "x86_64", arm64: "aarch64" } as const;

/** Builds the package into a directory; returns its path. */
export async function buildRpm(into: string, options: PackageOptions = {}): Promise<string> {
  const work = await mkdtemp(join(tmpdir(), "ocdd-rpm-"));
  try {
    const { root, surface, seconds, parts } = await prepare(work, options);
    await put(root, ZSH, textOf("packaging/completions/_ocdd"));
    await put(root, LICENCE, textOf("LICENSE"));
    await modes(root);
    const file = join(work, "ocdd.spec");
    await writeFile(file, spec(surface, root, options.compression ?? "xz"));
    await mkdir(into, { recursive: true });
    const name = `ocdd-${surface.version}-1.${ARCHITECTURES[parts.processor]}.rpm`;
    const places = { _topdir: work, _rpmdir: into, _rpmfilename: name, _tmppath: work };
    const defines = Object.entries(places).flatMap(([key, value]) => ["--define", `${key} ${value}`]);
    options.say?.(packing(name, options));
    await execa(
      "rpmbuild",
      ["--quiet", "-bb", "--target", ARCHITECTURES[parts.processor], ...defines, file],
      {
        env: { SOURCE_DATE_EPOCH: String(seconds) },
      },
    );
    return join(into, name);
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

if (import.meta.main)
  await buildFor(process.argv.slice(2), ARCHITECTURES, (parts, say) =>
    buildRpm(join(ROOT, "dist"), { parts, say }),
  );
