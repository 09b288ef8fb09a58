/** The kernel's tables of bound sockets. */
import { readFile } from "node:fs/promises";
import { endianness } from "node:os";
import { addressText } from "./networks.ts";

/** A bound socket of this network namespace, as the kernel's tables have it (proc_pid_net(5)). */
export interface BoundSocket {
  /** What /proc/PID/fd shows as `socket:[INODE]`. */
  readonly inode: string;
  readonly address: string;
  readonly port: number;
  /** TCP: it listens. UDP: always false. */
  readonly listens: boolean;
}

/** State of a listening TCP socket. */
const LISTEN = "0A";

/** `0100007F`: 32-bit words in the machine's own order. */
function addressOf(hex: string): string {
  const octets = Buffer.from(hex, "hex");
  return addressText(endianness() === "LE" ? octets.swap32() : octets);
}

/** Every socket of a protocol that is bound here, of both address families. Not under /proc/net, which `ProcSubset=pid` hides. */
export async function socketTable(protocol: "tcp" | "udp"): Promise<BoundSocket[]> {
  const found: BoundSocket[] = [];
  for (const family of ["", "6"]) {
    const table = await readFile(`/proc/self/net/${protocol}${family}`, "utf8").catch(() => "");
    for (const line of table.split("\n").slice(1)) {
      const columns = line.trim().split(/\s+/);
      const [address, port] = columns[1]?.split(":") ?? [];
      const inode = columns[9];
      if (address === undefined || port === undefined || inode === undefined || inode === "0") continue;
      found.push({
        inode,
        address: addressOf(address),
        port: Number.parseInt(port, 16),
        listens: columns[3] === LISTEN,
      });
    }
  }
  return found;
}
