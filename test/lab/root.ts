/** Debian roots, each built once a machine: for the lab's engines, and for packages to be installed in. */

import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { run } from "./process.ts";

const CACHE = process.env.OCDD_LAB_CACHE ?? "/var/cache/ocdd-lab";

/** The root of the machine's own release, made by engine.sh where docker.io would take the place of an installed package. */
export const UNPACKED = join(CACHE, "engine");

/** What OCDD's package needs, and no others. */
const NEEDED = ["iproute2", "iptables", "nftables", "iputils-arping", "conntrack", "util-linux"];

/** The machine's own release, with what OCDD's package needs. */
export const ownRoot = (): Promise<string> => built("own", "image-root", NEEDED);

/** Debian sid, with the same and today's Docker engine. */
export const sidRoot = (): Promise<string> =>
  built("sid", "sid", ["docker.io", "ca-certificates", ...NEEDED]);

async function built(release: string, name: string, packages: readonly string[]): Promise<string> {
  const script = fileURLToPath(new URL("root.sh", import.meta.url));
  const root = join(CACHE, name);
  await run(["sh", script, release, root, packages.join(",")], { timeout: 900_000 });
  return root;
}
