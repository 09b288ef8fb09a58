/** ARP by one packet socket (packet(7)) for all addresses at once, and one that listens when that is asked for. */
import { networkInterfaces } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";
import type { Ipv4 } from "../../../core/addresses/ipv4.ts";
import { HostError } from "../../../core/errors.ts";
import { loadPackets, type PacketCalls } from "../../../platform/libc.ts";
import type { Arp } from "./arp.ts";
import { announcementFrames, type Arp as Frame, hexOf, probeFrame, readFrame } from "./frame.ts";

// <linux/if_packet.h>, <sys/socket.h>, <linux/if_ether.h>; the last in network order
const AF_PACKET = 17;
const SOCK_RAW = 3 | 0o4000 | 0o2000000; // non-blocking, closed on exec
const SOL_SOCKET = 1;
const SO_RCVBUF = 8;
const ETH_P_ARP = 0x0608;
const ARPHRD_ETHER = 1;
const SOCKADDR_LL = 20;

/** When each probe goes out, and when the answers are counted, in milliseconds: RFC 5227 §2.1.1, shortened for a LAN. */
const PROBES_MS = [0, 500, 1_000];
const ANSWERS_MS = 1_500;
/** Frames sent between two readings of replies, and milliseconds between them: no switch drops frames at this rate. */
const SLICE = 128;
const PAUSE_MS = 5;
/** Milliseconds between two readings of the listening socket, and frames read in one. */
const LISTEN_MS = 1_000;
const MOST_FRAMES = 16_384;

/** Undefined where the C library cannot be called or the device is no Ethernet device. Throws HostError without CAP_NET_RAW. */
export function openPackets(device: string): Arp | undefined {
  const loaded = loadPackets();
  if (!("calls" in loaded)) return undefined;
  const { calls } = loaded;
  const socket = openSocket(calls, device);
  if (socket === undefined) return undefined;
  const { fd, hardware } = socket;
  let listening: Listening | undefined;
  const { use, close } = closedWhenUnused(() => {
    calls.close(fd);
    listening?.close();
  });
  return {
    probe: (addresses) => use(() => probe(socket, addresses)),
    announce: (addresses) =>
      use(() =>
        send(
          calls,
          fd,
          // and a probe: a machine that took the address while it was off the device answers it
          addresses.flatMap((address) => [
            ...announcementFrames(hardware, address),
            probeFrame(hardware, address),
          ]),
          () => undefined,
        ),
      ),
    heard: (inForce) =>
      use(async () => {
        listening ??= listen(calls, device);
        return listening.heard(inForce);
      }),
    close,
  };
}

/** The number of a closed descriptor may belong to another file at once: calls in progress end before it is closed. */
function closedWhenUnused(closeNow: () => void): {
  use<T>(deed: () => Promise<T>): Promise<T>;
  close(): void;
} {
  let users = 0;
  let state: "open" | "closing" | "closed" = "open";
  const settle = (): void => {
    if (state !== "closing" || users > 0) return;
    state = "closed";
    closeNow();
  };
  return {
    async use(deed) {
      if (state !== "open") throw new HostError("command", "the packet socket is closed");
      users += 1;
      try {
        return await deed();
      } finally {
        users -= 1;
        settle();
      }
    },
    close() {
      if (state === "open") state = "closing";
      settle();
    },
  };
}

interface Socket {
  readonly calls: PacketCalls;
  readonly fd: number;
  /** The device's own hardware address. */
  readonly hardware: Uint8Array;
}

/** A socket bound to the device, or undefined when it is no Ethernet device. */
function openSocket(calls: PacketCalls, device: string): Socket | undefined {
  const index = calls.if_nametoindex(device);
  if (index === 0) return undefined;
  const fd = calls.socket(AF_PACKET, SOCK_RAW, ETH_P_ARP);
  if (fd < 0) throw refusal(calls, "open a packet socket");
  const address = new Uint8Array(SOCKADDR_LL);
  const view = new DataView(address.buffer);
  view.setUint16(0, AF_PACKET, true);
  view.setUint16(2, ETH_P_ARP, true);
  view.setInt32(4, index, true);
  // answers for thousands of addresses may come at once
  calls.setsockopt(fd, SOL_SOCKET, SO_RCVBUF, uint32(4 << 20), 4);
  const bound = calls.bind(fd, address, SOCKADDR_LL) === 0;
  if (!bound || calls.getsockname(fd, address, uint32(SOCKADDR_LL)) !== 0) {
    const error = refusal(calls, `use ${device}`);
    calls.close(fd);
    throw error;
  }
  if (view.getUint16(8, true) === ARPHRD_ETHER && address[11] === 6)
    return { calls, fd, hardware: address.slice(12, 18) };
  calls.close(fd);
  return undefined;
}

function uint32(value: number): Uint8Array {
  return new Uint8Array(Uint32Array.of(value).buffer);
}

function refusal(calls: PacketCalls, deed: string): HostError {
  const code = calls.failure();
  const denied = code === "EPERM" || code === "EACCES";
  return new HostError(denied ? "privilege" : "command", `cannot ${deed} for ARP: ${code}`, {
    ...(denied ? { remedy: "run as root, or with CAP_NET_RAW" } : {}),
  });
}

async function probe(socket: Socket, addresses: readonly Ipv4[]): Promise<Set<Ipv4>> {
  const { calls, fd, hardware } = socket;
  const asked = new Set(addresses);
  const taken = new Set<Ipv4>();
  const look = (): void => receive(socket, asked, taken);
  // frames received before this probe are no answer to it
  receive(socket, new Set(), new Set());
  const started = performance.now();
  const until = async (moment: number): Promise<void> => {
    while (performance.now() - started < moment && taken.size < asked.size) {
      await sleep(PAUSE_MS);
      look();
    }
  };
  for (const moment of PROBES_MS) {
    await until(moment);
    const open = addresses.filter((address) => !taken.has(address));
    await send(
      calls,
      fd,
      open.map((address) => probeFrame(hardware, address)),
      look,
    );
  }
  await until(ANSWERS_MS);
  return taken;
}

interface Listening {
  heard(inForce: readonly Ipv4[]): Set<Ipv4>;
  close(): void;
}

/** A socket of its own, emptied each second: the kernel keeps only some hundred frames. Throws HostError. */
function listen(calls: PacketCalls, device: string): Listening {
  const socket = openSocket(calls, device);
  let wanted: ReadonlySet<Ipv4> = new Set();
  let senders = new Set<Ipv4>();
  const collect = (): void => {
    if (socket === undefined) return;
    for (const { sender, hardware } of frames(socket))
      if (wanted.has(sender) && !senders.has(sender) && !isOwn(hardware)) senders.add(sender);
  };
  const timer = setInterval(collect, LISTEN_MS).unref();
  return {
    heard(inForce) {
      collect();
      const heard = senders;
      wanted = new Set(inForce);
      senders = new Set();
      return new Set([...heard].filter((address) => wanted.has(address)));
    },
    close() {
      clearInterval(timer);
      if (socket !== undefined) calls.close(socket.fd);
    },
  };
}

/** True for a hardware address of this host, which may send ARP for any of its addresses from any of its devices. */
function isOwn(hardware: string): boolean {
  const devices = Object.values(networkInterfaces()).flatMap((addresses) => addresses ?? []);
  return devices.some(({ mac }) => mac.replaceAll(":", "") === hardware);
}

/** The received frames of other machines; at most MOST_FRAMES, so that a flood does not keep it reading. */
function* frames({ calls, fd, hardware }: Socket): Generator<Frame> {
  const own = hexOf(hardware);
  const octets = new Uint8Array(128);
  for (let n = 0; n < MOST_FRAMES; n++) {
    const length = calls.read(fd, octets, octets.length);
    if (length <= 0) return;
    const arp = readFrame(octets, length);
    if (arp !== undefined && arp.hardware !== own) yield arp;
  }
}

/** Reads the received frames: a sender's address is in use, and one that another machine probes for is about to be. */
function receive(socket: Socket, asked: ReadonlySet<Ipv4>, taken: Set<Ipv4>): void {
  for (const arp of frames(socket)) {
    if (asked.has(arp.sender)) taken.add(arp.sender);
    // RFC 5227 §2.1.1: another machine's probe for the same address
    if (arp.request && arp.sender === "0.0.0.0" && asked.has(arp.target)) taken.add(arp.target);
  }
}

/** Sends all frames, a slice at a time; `between` reads the replies. Throws HostError. */
async function send(
  calls: PacketCalls,
  fd: number,
  frames: readonly Uint8Array[],
  between: () => void,
): Promise<void> {
  let refused = 0;
  for (let at = 0; at < frames.length; ) {
    const frame = frames[at] as Uint8Array;
    if (calls.write(fd, frame, frame.length) >= 0) {
      at++;
      refused = 0;
      if (at % SLICE !== 0) continue;
    } else {
      const code = calls.failure();
      const full = code === "EAGAIN" || code === "ENOBUFS";
      if (code === "EINTR") continue;
      if (!full || ++refused > 200) throw new HostError("command", `cannot send ARP: ${code}`);
    }
    between();
    await sleep(PAUSE_MS);
  }
}
