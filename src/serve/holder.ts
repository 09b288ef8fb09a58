import { readdir, readFile, readlink } from "node:fs/promises";

/** Socket inodes bound to a port, from the kernel's tables. Which address does not matter: the port is what is taken. */
async function inodesOf(protocol: "tcp" | "udp", port: number): Promise<Set<string>> {
  const inodes = new Set<string>();
  const hex = port.toString(16).toUpperCase().padStart(4, "0");
  for (const family of ["", "6"]) {
    const table = await readFile(`/proc/net/${protocol}${family}`, "utf8").catch(() => "");
    for (const line of table.split("\n").slice(1)) {
      const columns = line.trim().split(/\s+/);
      // A TCP socket holds its port while it listens (state 0A); connections of it are not asked.
      if (!columns[1]?.endsWith(`:${hex}`) || (protocol === "tcp" && columns[3] !== "0A")) continue;
      if (columns[9] !== undefined && columns[9] !== "0") inodes.add(`socket:[${columns[9]}]`);
    }
  }
  return inodes;
}

/**
 * Who holds a port: `pid 4711 (named)`, or undefined when the kernel does not let us see it
 * (other users' processes without CAP_SYS_PTRACE).
 */
export async function portHolder(protocol: "tcp" | "udp", port: number): Promise<string | undefined> {
  const inodes = await inodesOf(protocol, port);
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
