/** Machine code that is shipped beside the bundle, Node and koffi, for the processor of this machine or for another. */

import { access, cp, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import { ROOT } from "./surface.ts";

/** As Node names processors: those that package-lock.json has a Node for. */
export type Processor = "x64" | "arm64";

/** Packages of npm for one processor. */
export interface Parts {
  /** Directory whose node_modules holds them. */
  readonly directory: string;
  readonly processor: Processor;
}

/** What `npm ci` has installed here. Throws on a processor that there is no Node for. */
export function ownParts(): Parts {
  const processor = process.arch;
  if (processor !== "x64" && processor !== "arm64") throw new Error(`there is no Node for ${processor}`);
  return { directory: ROOT, processor };
}

/**
 * The parts for a processor: those of this machine, or else installed by npm into a directory, which is there, which takes exactly what
 * package-lock.json names and checks its hashes. Throws when npm fails, or is older than 10 and takes this machine's.
 */
export async function partsFor(processor: Processor, directory: string): Promise<Parts> {
  if (process.platform === "linux" && process.arch === processor) return ownParts();
  for (const name of ["package.json", "package-lock.json", ".npmrc"])
    await cp(join(ROOT, name), join(directory, name));
  const flags = ["--ignore-scripts", "--prefer-offline", "--no-audit", "--no-fund", "--loglevel=error"];
  await execa("npm", ["ci", "--omit=dev", "--os=linux", `--cpu=${processor}`, ...flags], { cwd: directory });
  await access(join(directory, `node_modules/node-linux-${processor}/bin/node`)).catch(() => {
    throw new Error(`npm has installed no Node for ${processor}: npm 10 or later is needed`);
  });
  return { directory, processor };
}

/**
 * Builds a package for each processor that the arguments name in a distribution's words, without one for this machine's,
 * and prints what `build` gives, its path; each step goes to `say`, which prints on standard error. Throws on another word.
 */
export async function buildFor(
  words: readonly string[],
  names: Readonly<Record<Processor, string>>,
  build: (parts: Parts, say: (line: string) => void) => Promise<string>,
  say = (line: string): void => void process.stderr.write(`${line}\n`),
): Promise<void> {
  for (const word of words.length > 0 ? words : [names[ownParts().processor]]) {
    const processor = (["x64", "arm64"] as const).find((one) => names[one] === word);
    if (processor === undefined) throw new Error(`${word}: not one of ${Object.values(names).join(", ")}`);
    const directory = await mkdtemp(join(tmpdir(), "ocdd-parts-"));
    try {
      if (processor !== ownParts().processor) say(`installing Node and koffi for ${word}, by npm`);
      process.stdout.write(`${await build(await partsFor(processor, directory), say)}\n`);
    } finally {
      await rm(directory, { recursive: true, force: true });
    }
  }
}
