/** systemd's SystemCallFilter= as a seccomp profile for Docker, to test a unit's filter where systemd does not run. */

import { run } from "../lab/process.ts";

/** The profile of a unit's text; a call that is not allowed fails with EPERM, as the unit has it. */
export async function seccompProfile(unit: string): Promise<string> {
  const lists = [...unit.matchAll(/^SystemCallFilter=(~?)(.*)$/gm)];
  if (!lists[0]?.[2]?.includes("@system-service"))
    throw new Error("the unit's filter begins with no allow list");
  const sets = await readSets();
  const allowed = new Set<string>(members("@default", sets));
  for (const [, not, names = ""] of lists) {
    for (const call of names.split(/\s+/).flatMap((name) => members(name, sets))) {
      if (not === "~") allowed.delete(call);
      else allowed.add(call);
    }
  }
  // systemd executes nothing after it has loaded the filter; runc still executes the program
  for (const call of ["execve", "capset", "setuid", "setgid", "setgroups"]) allowed.add(call);
  return JSON.stringify({
    defaultAction: "SCMP_ACT_ERRNO",
    architectures: ["SCMP_ARCH_X86_64", "SCMP_ARCH_AARCH64"],
    syscalls: [{ names: [...allowed].sort(), action: "SCMP_ACT_ALLOW" }],
  });
}

type Sets = ReadonlyMap<string, readonly string[]>;

/** systemd-analyze prints a set's name at the margin and its members below it. */
async function readSets(): Promise<Sets> {
  const { stdout } = await run(["systemd-analyze", "syscall-filter", "--no-pager"]);
  const sets = new Map<string, string[]>();
  let current: string[] = [];
  for (const line of stdout.split("\n")) {
    if (line.startsWith("@")) {
      current = [];
      sets.set(line.trim(), current);
    } else if (/^\s+[a-z_@]/.test(line)) current.push(line.trim());
  }
  return sets;
}

function members(name: string, sets: Sets): string[] {
  if (!name.startsWith("@")) return [name];
  return (sets.get(name) ?? []).flatMap((member) => members(member, sets));
}
