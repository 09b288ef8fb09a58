/**
 * The thread that reads a packet queue. It waits in poll() itself: a main thread that is busy, or a pool of Node's that
 * waits for a disk, does not keep it from reading.
 */
import { parentPort, workerData } from "node:worker_threads";
import { loadNetlink, type NetlinkCalls } from "../../../platform/libc.ts";
import { NetlinkError } from "../netlink.ts";
import type { ReaderStart } from "./queue.ts";

const MSG_DONTWAIT = 0x40;
const POLLIN = 1;
const EINTR = 4;
const EAGAIN = 11;

/** Milliseconds of one wait: process.exit() waits for a thread that is in the kernel. */
const POLL_MS = 1_000;
/** Octets of one message at most: a packet's first octets, its devices and addresses; or an error and its cause. */
const MESSAGE = 4_096;
/** Octets that are handed over together. */
const ROOM = 1 << 16;

function run(calls: NetlinkCalls, { fd, stop }: ReaderStart): void {
  const stopped = new Int32Array(stop);
  // struct pollfd
  const polled = Buffer.alloc(8);
  polled.writeInt32LE(fd, 0);
  polled.writeInt16LE(POLLIN, 4);
  const room = Buffer.alloc(ROOM);
  while (Atomics.load(stopped, 0) === 0) {
    calls.poll(polled, 1, POLL_MS);
    const size = receive(calls, fd, room);
    if (size > 0) parentPort?.postMessage(new Uint8Array(room.subarray(0, size)));
  }
}

/** Octets of the messages that were there, one behind the other. Throws NetlinkError. */
function receive(calls: NetlinkCalls, fd: number, room: Buffer): number {
  let filled = 0;
  while (filled + MESSAGE <= room.length) {
    const size = calls.recv(fd, room.subarray(filled), MESSAGE, MSG_DONTWAIT);
    if (size < 0 && ![EAGAIN, EINTR].includes(calls.errno()))
      throw new NetlinkError(calls.errno(), "reading the packet queue failed");
    if (size <= 0) break;
    // each message begins at a multiple of four octets
    filled += (size + 3) & ~3;
  }
  return filled;
}

const libc = loadNetlink();
if ("calls" in libc) run(libc.calls, workerData as ReaderStart);
else throw new Error(libc.reason);
