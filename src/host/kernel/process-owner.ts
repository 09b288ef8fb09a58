/** Which process of which boot wrote a record, and whether it still runs. */
import { readFile, readlink } from "node:fs/promises";
import { uptime } from "node:os";
import type { ProcessRecord, ProcessSeen } from "../../core/process-record.ts";

/** What a record says of this process. */
export async function thisProcess(): Promise<ProcessRecord> {
  const { pid } = process;
  const { started, ...host } = await look(pid);
  return {
    pid,
    started: started ?? "",
    pidNamespace: host.pidNamespace,
    bootId: host.bootId,
    writtenAt: host.uptime,
  };
}

/** A process as this one sees it. */
export async function look(pid: number): Promise<ProcessSeen> {
  const [stat, pidNamespace, bootId] = await Promise.all([
    readFile(`/proc/${pid}/stat`, "latin1").catch(() => undefined),
    readlink("/proc/self/ns/pid").catch(() => ""),
    // not there for a service with ProcSubset=pid
    readFile("/proc/sys/kernel/random/boot_id", "latin1").catch(() => ""),
  ]);
  // the name in parentheses may hold any character
  const [state, ...rest] = stat?.slice(stat.lastIndexOf(")") + 2).split(" ") ?? [];
  // one that has ended and waits for its parent
  const isEnded = state === "Z" || state === "X";
  return {
    exists: !isEnded && exists(pid),
    started: rest[18] ?? null,
    pidNamespace,
    bootId: bootId.trim(),
    uptime: uptime(),
  };
}

/** By kill(2), which also finds a process that /proc does not show to this one. */
function exists(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}
