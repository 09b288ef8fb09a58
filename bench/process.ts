/** Processor time and memory of a running process, from /proc. */

import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";

/** Ticks a second in /proc: USER_HZ, the same on every Linux that Node runs on. */
const TICKS = 100;

/** Milliseconds of processor time that a process and its children that have ended have used; in steps of a tick. */
export function cpuMs(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, "latin1")
    .replace(/^.*\) /, "")
    .split(" ");
  const ticks = fields.slice(11, 15).reduce((sum, field) => sum + Number(field), 0);
  return (ticks * 1000) / TICKS;
}

/** MiB of memory (PSS: shared pages by their share). */
export const pssMiB = (pid: number): number =>
  Number(/^Pss:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, "utf8"))?.[1] ?? 0) / 1024;

/** Returns when a process has used no processor time for `quietMs`, or after `longestMs`. */
export async function untilIdle(pid: number, quietMs = 400, longestMs = 30_000): Promise<void> {
  const end = performance.now() + longestMs;
  let [since, before] = [performance.now(), cpuMs(pid)];
  while (performance.now() - since < quietMs && performance.now() < end) {
    await sleep(25);
    const now = cpuMs(pid);
    if (now !== before) since = performance.now();
    before = now;
  }
}
