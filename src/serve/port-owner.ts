/** The process that has a port, for the log line that names it. */
import { readdir, readFile, readlink } from "node:fs/promises";
import { socketTable } from "./dns/socket-table.ts";

/**
 * Owner of a port on any address: `pid 4711 (named -u bind)`, or undefined when the kernel hides it (other users' processes
 * without CAP_SYS_PTRACE).
 */
export async function portOwner(protocol: "tcp" | "udp", port: number): Promise<string | undefined> {
  // a TCP socket holds its port while it listens; its connections are not looked up
  const holding = (await socketTable(protocol)).filter(
    (socket) => socket.port === port && (protocol === "udp" || socket.listens),
  );
  const inodes = new Set(holding.map(({ inode }) => `socket:[${inode}]`));
  if (inodes.size === 0) return undefined;
  for (const pid of await readdir("/proc").catch(() => [])) {
    if (!/^[0-9]+$/.test(pid) || Number(pid) === process.pid) continue;
    for (const fd of await readdir(`/proc/${pid}/fd`).catch(() => [])) {
      const target = await readlink(`/proc/${pid}/fd/${fd}`).catch(() => "");
      if (!inodes.has(target)) continue;
      // The thread's name of a Node program is always MainThread: its arguments identify it.
      const argv = await readFile(`/proc/${pid}/cmdline`, "latin1").catch(() => "");
      const program = programIn(argv) || (await readFile(`/proc/${pid}/comm`, "latin1").catch(() => ""));
      return `pid ${pid} (${printable(program) || "unknown"})`;
    }
  }
  return undefined;
}

/** Characters of a program and its arguments. */
const MOST = 80;

/** The program and as many whole arguments as fit, from /proc/PID/cmdline; paths without their directories. */
export function programIn(argv: string): string {
  const words = argv
    .split("\0")
    .filter((word) => word !== "")
    .map((word) => word.replace(/^\/.*\/(?=[^/])/, ""));
  while (words.length > 1 && words.join(" ").length > MOST) words.pop();
  return words.join(" ");
}

const printable = (text: string): string =>
  text
    .trim()
    .replace(/[^ -~]/g, "?")
    .slice(0, MOST);
