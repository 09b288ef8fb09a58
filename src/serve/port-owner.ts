/** The process that has a port, for the log line that names it. */
import { access, readdir, readFile, readlink } from "node:fs/promises";
import { type BoundSocket, socketTable } from "./dns/socket-table.ts";

/** A process that has a port. */
export interface PortOwner {
  readonly pid: number;
  /** `pid 4711 (named -u bind)` */
  readonly text: string;
  /** Whether it is an `ocdd serve`. */
  readonly isServe: boolean;
}

/**
 * Owner of a port at an address or, where none has it there, on any; undefined when the kernel hides it (other users' processes
 * without CAP_SYS_PTRACE). An `ocdd serve` comes before others: systemd has the sockets that it hands over as well.
 */
export async function portOwner(
  protocol: "tcp" | "udp",
  address: string,
  port: number,
): Promise<PortOwner | undefined> {
  // a TCP socket holds its port while it listens; its connections are not looked up
  const holding = (await socketTable(protocol)).filter(
    (socket) => socket.port === port && (protocol === "udp" || socket.listens),
  );
  const here = holding.filter((socket) => ANY.has(address) || [...ANY, address].includes(socket.address));
  const owners = await ownersOf(here.length > 0 ? here : holding);
  return owners.find(({ isServe }) => isServe) ?? owners[0];
}

/** The addresses that stand for each address of the host. */
const ANY: ReadonlySet<string> = new Set(["0.0.0.0", "::"]);

async function ownersOf(sockets: readonly BoundSocket[]): Promise<PortOwner[]> {
  const inodes = new Set(sockets.map(({ inode }) => `socket:[${inode}]`));
  if (inodes.size === 0) return [];
  const owners: PortOwner[] = [];
  for (const name of await readdir("/proc").catch(() => [])) {
    if (!/^[0-9]+$/.test(name) || Number(name) === process.pid) continue;
    for (const fd of await readdir(`/proc/${name}/fd`).catch(() => [])) {
      if (!inodes.has(await readlink(`/proc/${name}/fd/${fd}`).catch(() => ""))) continue;
      owners.push(await ownerOf(Number(name)));
      break;
    }
  }
  return owners;
}

async function ownerOf(pid: number): Promise<PortOwner> {
  // The thread's name of a Node program is always MainThread: its arguments identify it.
  const argv = await readFile(`/proc/${pid}/cmdline`, "latin1").catch(() => "");
  const program = programIn(argv) || (await readFile(`/proc/${pid}/comm`, "latin1").catch(() => ""));
  const home = serveHomeIn(argv);
  // other programs have such paths too; the process may see another file system than this one
  const isServe =
    home !== undefined &&
    (await access(`/proc/${pid}/root${home}/bin/ocdd`).then(
      () => true,
      () => false,
    ));
  return { pid, text: `pid ${pid} (${printable(program) || "unknown"})`, isServe };
}

/** The directory of an OCDD whose arguments, as in /proc/PID/cmdline, are those of `ocdd serve`; undefined for other arguments. */
export function serveHomeIn(argv: string): string | undefined {
  const words = argv.split("\0");
  const at = words.findIndex((word) => MAIN.test(word));
  return words.slice(at + 1).includes("serve") ? MAIN.exec(words[at] ?? "")?.[1] : undefined;
}

/** What bin/ocdd starts. */
const MAIN = /^(\/.+)\/(?:dist\/cli\.js|src\/cli\/main\.ts)$/;

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
