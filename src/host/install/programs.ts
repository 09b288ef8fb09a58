/** Which of the programs the director calls are installed. */
import { access, constants } from "node:fs/promises";
import { HostError } from "../../core/errors.ts";
import { PACKAGE_OF, SEARCH_PATH } from "../kernel/run.ts";

/** Where rules are written that a run cannot do without. */
export type Writes = "iptables" | "nft";

const WRITERS: Readonly<Record<Writes, readonly string[]>> = {
  iptables: ["iptables", "iptables-save", "iptables-restore"],
  nft: ["nft"],
};

/** What a run calls; `writes` is null where that is not known yet. */
export function programsOf(writes: Writes | null): string[] {
  return ["ip", ...(writes === null ? [] : WRITERS[writes]), "arping", "conntrack", "flock"];
}

/** Those that are not on the search path. */
export async function missingPrograms(programs: readonly string[]): Promise<string[]> {
  const found = await Promise.all(programs.map(isInstalled));
  return programs.filter((_, i) => !found[i]);
}

/** Throws one HostError that names every missing program and its Debian package. */
export async function requirePrograms(programs: readonly string[]): Promise<void> {
  const absent = await missingPrograms(programs);
  if (absent.length === 0) return;
  const packages = [...new Set(absent.map((program) => PACKAGE_OF.get(program) ?? program))];
  throw new HostError("missing", `not installed: ${absent.join(", ")}`, {
    remedy: `apt-get install ${packages.join(" ")}`,
  });
}

async function isInstalled(program: string): Promise<boolean> {
  for (const directory of SEARCH_PATH.split(":")) {
    try {
      await access(`${directory}/${program}`, constants.X_OK);
      return true;
    } catch {
      // the next directory may have it
    }
  }
  return false;
}
