/** Removes a lab, also what a crashed run of the same name left: processes, mounts, cgroups, namespaces, files. */

import { readdirSync, readFileSync, rmdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { isNamespace, namespaces, razeNetwork } from "./network.ts";
import { alive, recorded, run, signal, until } from "./process.ts";

/** Programs that the lab starts, directly or through dockerd: nothing else is ended for naming the lab's directory. */
const OURS =
  /^(dockerd|containerd|containerd-shim.*|runc|docker-proxy|docker-init|named|sleep|unshare|node.*|sh)$/;

/**
 * Leave nothing of the lab on the machine. Everything is found by what only this lab has (its record of PIDs, its
 * directory in an argument vector, its cgroup, its namespaces); no engine is asked, since it may be broken.
 */
export async function raze(prefix: string, directory: string): Promise<void> {
  // first: a process that waits for a frozen disk cannot be ended; on a disk that is not frozen the command fails
  for (const point of mounts(directory)) await run(["fsfreeze", "-u", point], { check: false });
  for (const path of cgroups(prefix)) thaw(path);
  await until("end of the lab's processes", async () => {
    const pids = await processes(prefix, directory);
    for (const pid of pids) signal(pid, "SIGKILL");
    return pids.length === 0;
  });
  for (const point of mounts(directory)) await run(["umount", "-l", point], { check: false });
  for (const path of cgroups(prefix)) {
    // The kernel empties a cgroup a moment after its last process.
    await until(`end of cgroup ${path}`, () => removeCgroup(path));
  }
  await razeNetwork(prefix);
  rmSync(directory, { recursive: true, force: true });
}

/** A paused container cannot be ended. */
function thaw(cgroup: string): void {
  for (const name of readdirSync(cgroup, { withFileTypes: true })) {
    const path = join(cgroup, name.name);
    if (name.isDirectory()) thaw(path);
    else if (name.name === "freezer.state") writeFileSync(path, "THAWED");
    else if (name.name === "cgroup.freeze") writeFileSync(path, "0");
  }
}

/** What is left of a lab, one line a thing; empty when it is gone. */
export async function remains(prefix: string, directory: string): Promise<string[]> {
  const left = [
    ...(await processes(prefix, directory)).map((pid) => `process ${pid} ${commandLine(pid).join(" ")}`),
    ...mounts(directory).map((point) => `mount ${point}`),
    ...cgroups(prefix).map((path) => `cgroup ${path}`),
    ...(await namespaces(prefix)).map((name) => `namespace ${name}`),
  ];
  for (const place of ["/etc/netns", "/run/netns", join(directory, "..")]) {
    const own = (name: string): boolean => isNamespace(prefix, name) || join(place, name) === directory;
    for (const name of list(place).filter(own)) left.push(`file ${join(place, name)}`);
  }
  return left;
}

/** The processes of a lab that run. */
export async function processes(prefix: string, directory: string): Promise<number[]> {
  const found = new Set(recorded(directory).map((who) => who.pid));
  for (const name of list("/proc")) {
    const pid = Number(name);
    if (pid > 1 && OURS.test(comm(pid)) && commandLine(pid).some((word) => names(word, directory)))
      found.add(pid);
  }
  for (const path of cgroups(prefix)) for (const pid of cgroupProcesses(path)) found.add(pid);
  for (const name of await namespaces(prefix)) {
    const { stdout } = await run(["ip", "netns", "pids", name], { check: false });
    for (const pid of stdout.split("\n").filter(Boolean)) found.add(Number(pid));
  }
  found.delete(process.pid);
  return [...found].filter(alive);
}

/** Whether an argument is the directory, something in it, or an option with such a value. */
const names = (word: string, directory: string): boolean => {
  const value = word.slice(word.indexOf("=") + 1);
  return value === directory || value.startsWith(`${directory}/`);
};

function comm(pid: number): string {
  return text(`/proc/${pid}/comm`).trimEnd();
}

function commandLine(pid: number): string[] {
  return text(`/proc/${pid}/cmdline`).split("\0").filter(Boolean);
}

/** Mount points in the directory, the deepest first. */
function mounts(directory: string): string[] {
  const points = text("/proc/self/mountinfo")
    .split("\n")
    .map((line) => line.split(" ")[4] ?? "");
  return points
    .filter((point) => names(point, directory))
    .sort()
    .reverse();
}

/** The lab's cgroup in every hierarchy: one on a machine with cgroup v2, one a controller with v1. */
function cgroups(prefix: string): string[] {
  const top = "/sys/fs/cgroup";
  return [top, ...list(top).map((name) => join(top, name))]
    .filter((path) => list(path).includes(prefix))
    .map((path) => join(path, prefix));
}

function cgroupProcesses(path: string): number[] {
  const own = text(join(path, "cgroup.procs")).split("\n").filter(Boolean).map(Number);
  return [...own, ...children(path).flatMap(cgroupProcesses)];
}

function removeCgroup(path: string): boolean {
  for (const child of children(path)) removeCgroup(child);
  try {
    rmdirSync(path);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "ENOENT";
  }
}

/** The directories in a directory. */
function children(path: string): string[] {
  try {
    const inside = readdirSync(path, { withFileTypes: true });
    return inside.filter((one) => one.isDirectory()).map((one) => join(path, one.name));
  } catch {
    return [];
  }
}

/** Names in a directory; none when it is gone, as everything here may be at any moment. */
function list(path: string): string[] {
  try {
    return readdirSync(path);
  } catch {
    return [];
  }
}

function text(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}
