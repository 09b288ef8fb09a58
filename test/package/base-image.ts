/** A base image for the product's image, made without a registry: a Debian root with the programs, and Node. */

import { rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Lab } from "../lab/handle.ts";
import { run } from "../lab/process.ts";

export const BASE = "lab/node:24";

/** Directory of roots that are built once on a machine. */
export const cache = (name: string): string =>
  join(process.env.OCDD_LAB_CACHE ?? "/var/cache/ocdd-lab", name);

/** A Debian root of the machine's own release with these packages; built when it is not there yet. */
export async function debianRoot(name: string, packages: readonly string[]): Promise<string> {
  const script = fileURLToPath(new URL("root.sh", import.meta.url));
  await run(["sh", script, cache(name), packages.join(",")], { timeout: 900_000 });
  return cache(name);
}

/** Import the base image into the lab's engine. */
export async function importBase(lab: Lab): Promise<void> {
  const root = await debianRoot("image-root", [
    "iproute2",
    "iptables",
    "nftables",
    "iputils-arping",
    "conntrack",
    "util-linux",
  ]);
  const archive = join(lab.dir, "base.tar");
  const node = process.execPath;
  const put = ["--transform=flags=r;s,^node$,usr/local/bin/node,", "-C", dirname(node), "node"];
  await run(["tar", "-cf", archive, "-C", root, ".", ...put]);
  await lab.docker("import", archive, BASE);
  rmSync(archive);
}
