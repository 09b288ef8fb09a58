/** A packet queue of the kernel (NFQUEUE): packets wait in it until this process has decided about them. */
import { readFile } from "node:fs/promises";
import { Worker } from "node:worker_threads";
import type { Flow } from "../../../core/lifecycle/flow.ts";
import { type Loaded, loadNetlink, type NetlinkCalls } from "../../../platform/libc.ts";
import { NETLINK_NETFILTER, openSocket, request, send } from "../netlink.ts";
import { decode, encode, int32, type Message } from "../netlink-message.ts";
import {
  bindMessage,
  copyMessage,
  NF_ACCEPT,
  NF_DROP,
  NF_REPEAT,
  type Queued,
  readQueued,
  unbindMessage,
  verdictMessage,
} from "./message.ts";
import { FLOW_OCTETS, readFlow } from "./packet.ts";

/** The queue that OCDD's rules name. Odd and not 0: other programs take low and round numbers. */
export const QUEUE_NUMBER = 47_053;

/** Packets the kernel holds at most, each some 1 KiB of its memory; it drops those that come then. */
export const QUEUE_LENGTH = 4_096;

// not under /proc/net, which `ProcSubset=pid` hides
const QUEUES = "/proc/self/net/netfilter/nfnetlink_queue";

// linux/netlink.h
const SOL_NETLINK = 270;
const NETLINK_NO_ENOBUFS = 5;

/**
 * What becomes of a packet. `release`: it meets the nat rules of now. `refuse`: it passes the rest of the nat rules
 * undirected, and the host's INPUT refuses it. `drop`: its sender repeats it, or not.
 */
export type Verdict = "release" | "refuse" | "drop";

const NUMBERS: Readonly<Record<Verdict, number>> = { release: NF_REPEAT, refuse: NF_ACCEPT, drop: NF_DROP };

/** An open queue. */
export interface Queue {
  /** Decides about a packet; nothing happens for one that has gone, and after the end of the queue. */
  decide(id: number, verdict: Verdict): void;
  /** Gives the queue back: the kernel drops what it holds. Resolves when another reader can open it. */
  close(): Promise<void>;
}

/** What the thread is started with. */
export interface ReaderStart {
  readonly fd: number;
  /** One int32; not 0: the thread ends. */
  readonly stop: SharedArrayBuffer;
}

/**
 * Reads a queue in a thread of its own, or says why it cannot (no koffi, another platform). `arrived` is called for each
 * packet, which waits until `decide`; one that cannot be read is dropped. `failed` is called once if the queue ends by
 * itself; it can be opened again then. Throws NetlinkError without CAP_NET_ADMIN, or when another socket reads the queue
 * (both EPERM).
 */
export function openQueue(
  number: number,
  arrived: (id: number, flow: Flow) => void,
  failed: (error: Error) => void,
): Loaded<Queue> {
  const loaded = loadNetlink();
  if ("reason" in loaded) return loaded;
  const { calls } = loaded;
  const fd = openBound(calls, number);
  const stop = new Int32Array(new SharedArrayBuffer(4));
  const thread = startThread({ fd, stop: stop.buffer });
  let closing = false;
  let ended = false;
  let reason = new Error("the thread that reads the packet queue ended");
  const end = (): void => {
    Atomics.store(stop, 0, 1);
    if (ended) return;
    // its acknowledgement wakes the thread; without one the thread looks at `stop` within a second
    const wake = encode(unbindMessage(number), 0);
    calls.send(fd, wake, wake.length, 0);
  };
  const order = (message: Message): void => {
    if (ended || Atomics.load(stop, 0) !== 0) return;
    try {
      send(calls, fd, [encode(message, 0)]);
    } catch (error) {
      reason = error as Error;
      end();
    }
  };
  const decide = (id: number, verdict: Verdict): void => order(verdictMessage(number, id, NUMBERS[verdict]));
  thread.on("message", (octets: Uint8Array) => {
    for (const { id, packet } of queuedIn(octets)) {
      if (Atomics.load(stop, 0) !== 0) return;
      const flow = readFlow(packet);
      if (flow === undefined) decide(id, "drop");
      else arrived(id, flow);
    }
  });
  thread.on("error", (error) => {
    reason = error as Error;
  });
  const exited = new Promise<void>((resolve) => {
    thread.once("exit", () => {
      ended = true;
      // not before: the number of a closed descriptor may belong to another file
      calls.close(fd);
      if (!closing) failed(reason);
      resolve();
    });
  });
  order(copyMessage(number, FLOW_OCTETS));
  return {
    calls: {
      decide,
      async close() {
        closing = true;
        end();
        await exited;
      },
    },
  };
}

/** A socket that has the queue, which holds nothing yet. */
function openBound(calls: NetlinkCalls, number: number): number {
  const { fd } = openSocket(calls, NETLINK_NETFILTER, 0);
  // a packet for which the socket has no room is dropped; there is nothing to be read again
  const on = int32(1);
  calls.setsockopt(fd, SOL_NETLINK, NETLINK_NO_ENOBUFS, on, on.length);
  try {
    request(calls, fd, bindMessage(number, QUEUE_LENGTH));
  } catch (error) {
    calls.close(fd);
    throw error;
  }
  return fd;
}

function startThread(start: ReaderStart): Worker {
  const extension = import.meta.url.endsWith(".ts") ? "ts" : "js";
  return new Worker(new URL(`./queue-worker.${extension}`, import.meta.url), {
    workerData: start,
    resourceLimits: { maxYoungGenerationSizeMb: 2, maxOldGenerationSizeMb: 32 },
    stdout: false,
    stderr: false,
  });
}

/** The packets in messages that the thread has read; errors of verdicts are left out: those packets have gone. */
function* queuedIn(octets: Uint8Array): Generator<Queued> {
  const buffer = Buffer.from(octets.buffer, octets.byteOffset, octets.length);
  for (const message of decode(buffer, buffer.length)) {
    const queued = readQueued(message);
    if (queued !== undefined) yield queued;
  }
}

/**
 * Whether a process reads this queue in this network namespace. Undefined when it is not known: the kernel has no packet
 * queues, or the caller is not root.
 */
export async function queueHasReader(number: number): Promise<boolean | undefined> {
  const text = await readFile(QUEUES, "latin1").catch(() => undefined);
  return text?.split("\n").some((line) => line.trim().split(/ +/)[0] === String(number));
}
