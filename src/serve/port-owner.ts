import { readdir, readFile, readlink } from "node:fs/promises";
import { socketTable } from "./dns/socket-table.ts";

/**
 * Who holds a port: `pid 4711 (named)`, or undefined when the kernel does not let us see it
 * (other users' processes without CAP_SYS_PTRACE). Which address does not matter: the port is what is taken.
 */
export async function portHolder(protocol: "tcp" | "udp", port: number): Promise<string | undefined> {
  // a TCP socket holds its port while it listens; connections of it are not asked
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
      const program = await readFile(`/proc/${pid}/comm`, "latin1").catch(() => "unknown");
      return `pid ${pid} (${program.trim().replace(/[^ -~]/g, "?")})`;
    }
  }
  return undefined;
}
