/** A base image for the product's image, made without a registry: a Debian root with the programs, and Node. */

import { rmSync } from "node:fs";
import { dirname, join } from "node:path";
import type { Lab } from "../lab/handle.ts";
import { run } from "../lab/process.ts";
import { ownRoot } from "../lab/root.ts";

export const BASE = "lab/node:24";

/** Import the base image into the lab's engine. */
export async function importBase(lab: Lab): Promise<void> {
  const root = await ownRoot();
  const archive = join(lab.dir, "base.tar");
  const node = process.execPath;
  const put = ["--transform=flags=r;s,^node$,usr/local/bin/node,", "-C", dirname(node), "node"];
  await run(["tar", "-cf", archive, "-C", root, ".", ...put]);
  await lab.docker("import", archive, BASE);
  rmSync(archive);
}
