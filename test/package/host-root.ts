/** A Debian root on the lab's host, for packages to be installed in. */

import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { Lab } from "../lab/handle.ts";
import { type Daemon, type Outcome, run, until } from "../lab/process.ts";

const ENVIRONMENT = [
  "env",
  "-i",
  "PATH=/usr/sbin:/usr/bin:/sbin:/bin",
  "DEBIAN_FRONTEND=noninteractive",
  "LC_ALL=C.UTF-8",
];

export interface HostRoot {
  /** Its files, from outside of it. */
  readonly path: string;
  /** Runs a program of its own. */
  inside(...argv: string[]): Promise<Outcome>;
  /** The same; throws when it fails. Returns what it prints. */
  ok(...argv: string[]): Promise<string>;
  /** Starts a program of its own. */
  spawn(...argv: string[]): Daemon;
  /** Runs a program of this machine for which the root is at `/…/root` below the lab's directory. */
  outside(...argv: string[]): Promise<Outcome>;
}

/**
 * Mounts a root in which all can be changed and nothing is kept. One process holds its mounts until the lab ends, so that
 * programs that run in it see what an installer does. The directory `debs` is its /tmp/debs.
 */
export async function enterRoot(lab: Lab, base: string, debs: string): Promise<HostRoot> {
  const script = fileURLToPath(new URL("in-root.sh", import.meta.url));
  const { pid } = lab.spawn("host", ["sh", script, base, lab.dir, debs, "sleep", "infinity"], {
    full: true,
    label: "root",
  });
  await until("the root is mounted", () => readFileSync(`/proc/${pid}/comm`, "utf8") === "sleep\n");
  const mounts = ["nsenter", `--target=${pid}`, "--mount", "--net"];
  const there = (argv: readonly string[]): string[] => [...mounts, "--root", "--wd", ...ENVIRONMENT, ...argv];
  const inside = (...argv: string[]): Promise<Outcome> => run(there(argv), { check: false });
  return {
    path: `/proc/${pid}/root`,
    inside,
    async ok(...argv) {
      const { code, stdout, stderr } = await inside(...argv);
      if (code !== 0) throw new Error(`${argv.join(" ")}: status ${code}\n${stdout}\n${stderr}`);
      return stdout;
    },
    spawn: (...argv) => lab.spawn("host", there(argv), { label: argv[1] ?? "program" }),
    outside: (...argv) => run([...mounts, ...ENVIRONMENT, ...argv], { check: false }),
  };
}
