/** `npm run image -- ARGUMENT...`: the product's container image, by `docker build ARGUMENT...` on a context of its own. */

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import { layTree } from "./tree.ts";

/** Builds the image; `environment` says which engine. Throws with what docker said. */
export async function buildImage(
  args: readonly string[],
  environment: Readonly<Record<string, string>> = {},
): Promise<void> {
  const context = await mkdtemp(join(tmpdir(), "ocdd-image-"));
  try {
    await layTree(context);
    await execa("docker", ["build", ...args, context], {
      env: environment,
      stdin: "ignore",
      stdout: ["inherit", "pipe"],
      stderr: ["inherit", "pipe"],
    });
  } finally {
    await rm(context, { recursive: true, force: true });
  }
}

if (import.meta.main) {
  const args = process.argv.slice(2);
  await buildImage(args.length > 0 ? args : ["--tag", "ocdd"]);
}
