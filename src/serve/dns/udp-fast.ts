/** The fast UDP engine: a worker thread on sockets of the C library. */
import { isIPv6 } from "node:net";
import { setPriority } from "node:os";
import { Worker } from "node:worker_threads";
import { addressOctets } from "../../daemon/address-octets.ts";
import type { Opened } from "../../daemon/listener.ts";
import type { Authority } from "../../dns/zone/authority.ts";
import { loadSockets, type SocketCalls } from "../../platform/libc.ts";
import type { ToForward } from "./forwarding.ts";
import { BEAT_MS } from "./hang.ts";
import { SOCKET_BUFFER_OCTETS } from "./udp-portable.ts";
import {
  CONTROL,
  CONTROL_OCTETS,
  type UdpOrder,
  type UdpReport,
  type UdpThreadStart,
} from "./udp-protocol.ts";

const AF_INET = 2;
const AF_INET6 = 10;
const SOCK_DGRAM = 2;
const SOCK_CLOEXEC = 0o2000000;
const SOL_SOCKET = 1;
const SO_SNDBUF = 7;
const SO_RCVBUF = 8;
const IPPROTO_IPV6 = 41;
const IPV6_V6ONLY = 26;
const EFD_CLOEXEC_NONBLOCK = 0o2000000 | 0o4000;

/** Priority (nice) of all threads but UDP's: low enough that the woken UDP thread runs at once. */
const NICE_MAIN_THREAD = 5;

/** A thread that answers UDP by itself, also while the main thread is busy. */
export interface FastUdp {
  /** `inherited` is a socket that is bound there already; else one is made. */
  open(address: string, port: number, inherited?: number): Promise<Opened>;
  use(authority: Authority): void;
  close(): Promise<void>;
}

/** struct sockaddr_in or sockaddr_in6. */
function socketAddress(address: string, port: number): Uint8Array {
  const v6 = isIPv6(address);
  const octets = new Uint8Array(v6 ? 28 : 16);
  new DataView(octets.buffer).setUint16(0, v6 ? AF_INET6 : AF_INET, true);
  octets[2] = port >>> 8;
  octets[3] = port;
  octets.set(addressOctets(address), v6 ? 8 : 4);
  return octets;
}

function int32(value: number): Uint8Array {
  return new Uint8Array(Int32Array.of(value).buffer);
}

/** Open a socket and bind it; throws an error with the kernel's code. */
function boundSocket(calls: SocketCalls, address: string, port: number): number {
  const v6 = isIPv6(address);
  const fail = (what: string): never => {
    const code = calls.failure();
    throw Object.assign(new Error(`${what} ${code}`), { code });
  };
  const fd = calls.socket(v6 ? AF_INET6 : AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) fail("socket");
  if (v6) calls.setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, int32(1), 4);
  // The kernel cuts it to its limit.
  calls.setsockopt(fd, SOL_SOCKET, SO_RCVBUF, int32(SOCKET_BUFFER_OCTETS), 4);
  calls.setsockopt(fd, SOL_SOCKET, SO_SNDBUF, int32(SOCKET_BUFFER_OCTETS), 4);
  const name = socketAddress(address, port);
  if (calls.bind(fd, name, name.length) < 0) {
    const code = calls.failure();
    calls.close(fd);
    throw Object.assign(new Error(`bind ${code}`), { code });
  }
  return fd;
}

/**
 * Start the UDP thread, or say why not (no koffi, another platform). `failed` is called when the thread ends:
 * its sockets are closed then, and another engine must take over. `forward` gives later answers.
 */
export function startFastUdp(
  options: Omit<UdpThreadStart, "control" | "wake" | "forward">,
  failed: (reason: string) => void,
  forward?: (asked: ToForward) => Promise<Uint8Array>,
): FastUdp | { readonly reason: string } {
  const libc = loadSockets();
  if ("reason" in libc) return libc;
  const { calls } = libc;
  const control = new Int32Array(new SharedArrayBuffer(CONTROL_OCTETS));
  const wake = calls.eventfd(0, EFD_CLOEXEC_NONBLOCK);
  const extension = import.meta.url.endsWith(".ts") ? "ts" : "js";
  const start: UdpThreadStart = { ...options, forward: forward !== undefined, control: control.buffer, wake };
  const thread = new Worker(new URL(`./udp-worker.${extension}`, import.meta.url), {
    workerData: start,
    // Only the slow path makes garbage; a small heap keeps memory small.
    resourceLimits: { maxYoungGenerationSizeMb: 2, maxOldGenerationSizeMb: 128 },
    stdout: false,
    stderr: false,
  });
  // UDP answers come first: Linux counts priority by thread, and this one serves zones, TCP and the page.
  try {
    setPriority(NICE_MAIN_THREAD);
  } catch {
    // Not permitted: then both threads have the same priority.
  }
  const sockets = new Map<number, { readonly fail: (error: Error) => void; readonly inherited: boolean }>();
  const beat = setInterval(() => Atomics.add(control, CONTROL.BEATS, 1), BEAT_MS);
  beat.unref();
  let stopping = false;
  let opened = 0;
  let closed = 0;
  /** Wait until the thread has reached this state or has ended; on a busy host its start can take a while. */
  const reached = async (word: number, count: number): Promise<void> => {
    for (let now = Atomics.load(control, word); now < count && !stopping; now = Atomics.load(control, word)) {
      const waiting = Atomics.waitAsync(control, word, now, 100);
      if (waiting.async) await waiting.value;
    }
  };
  const one = new Uint8Array(BigUint64Array.of(1n).buffer);
  const send = (order: UdpOrder): void => {
    thread.postMessage(order);
    Atomics.add(control, CONTROL.SENT, 1);
    calls.write(wake, one, 8);
  };
  const fail = (reason: string): void => {
    if (stopping) return;
    stopping = true;
    clearInterval(beat);
    for (const [fd, socket] of sockets) {
      if (!socket.inherited) calls.close(fd);
      socket.fail(new Error(reason));
    }
    sockets.clear();
    failed(reason);
  };
  const sendLater = async (fd: number, message: Uint8Array, to: Uint8Array): Promise<void> => {
    const client = to[0] === AF_INET6 ? to.slice(8, 24) : to.slice(4, 8);
    const octets = await forward?.({ message, client, tcp: false });
    if (octets !== undefined && sockets.has(fd)) send({ kind: "send", fd, octets, to });
  };
  thread.on("message", (report: UdpReport) => {
    if (report.kind === "forward") {
      Atomics.add(control, CONTROL.TAKEN, 1);
      void sendLater(report.fd, report.message, report.to);
      return;
    }
    sockets.get(report.fd)?.fail(new Error(report.reason));
    sockets.delete(report.fd);
  });
  thread.on("error", (error) => fail((error as Error).message));
  thread.on("exit", () => fail("the UDP thread ended"));
  return {
    async open(address, port, inherited) {
      if (stopping) throw new Error("the UDP thread ended");
      const fd = inherited ?? boundSocket(calls, address, port);
      const failed = new Promise<Error>((fail) =>
        sockets.set(fd, { fail, inherited: inherited !== undefined }),
      );
      send({ kind: "open", fd, ipv6: isIPv6(address), inherited: inherited !== undefined });
      await reached(CONTROL.OPENED, ++opened);
      return {
        failed,
        async close() {
          if (!sockets.delete(fd) || stopping) return;
          send({ kind: "close", fd });
          await reached(CONTROL.CLOSED, ++closed);
        },
      };
    },
    use({ zones, ...authority }) {
      send({
        kind: "authority",
        authority,
        zones: zones.map(({ origin, zone }) => ({ origin, buffer: zone?.buffer })),
      });
    },
    async close() {
      if (stopping) return;
      stopping = true;
      clearInterval(beat);
      sockets.clear();
      send({ kind: "stop" });
      await new Promise<void>((resolve) => thread.once("exit", () => resolve()));
      calls.close(wake);
    },
  };
}
