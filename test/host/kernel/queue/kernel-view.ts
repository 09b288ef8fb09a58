/** What /proc tells of the queue and its socket. */
import { readFileSync } from "node:fs";
import { QUEUE_NUMBER } from "../../../../src/host/kernel/queue/queue.ts";

/** The queue; undefined when it has no reader. `last` is the number of its last packet. */
export function kernelView():
  | { readonly port: number; readonly held: number; readonly dropped: number; readonly last: number }
  | undefined {
  const lines = readFileSync("/proc/self/net/netfilter/nfnetlink_queue", "latin1").split("\n");
  const line = lines.map((line) => line.trim().split(/ +/).map(Number)).find(([n]) => n === QUEUE_NUMBER);
  if (line === undefined) return undefined;
  const [, port = 0, held = 0, , , dropped = 0, , last = 0] = line;
  return { port, held, dropped, last };
}

/** Netlink sockets to netfilter: protocol, port, octets that wait to be read, and inode are columns 1, 2, 4 and the last. */
export function netfilterSockets(): string[][] {
  const rows = readFileSync("/proc/self/net/netlink", "latin1").split("\n");
  return rows.map((row) => row.trim().split(/ +/)).filter((row) => row[1] === "12" && row[2] !== "0");
}

/** The one that reads the queue. */
export const socketRow = (): readonly string[] =>
  netfilterSockets().find((row) => row[2] === String(kernelView()?.port)) ?? [];

/** Octets that the reader has not read. */
export const unread = (): number => Number(socketRow()[4]);
