// The few calls of the C library that Node lacks, in groups; the one importer of koffi, which is optional.
import { createRequire } from "node:module";

/** What of koffi is used here. */
interface Koffi {
  load(path: null): { func(declaration: string): (...args: unknown[]) => number };
  address(value: Uint8Array): bigint;
  errno(): number;
  os: { errno: Record<string, number> };
}

/** A library that is loaded, or why it is not. */
export type Loaded<Calls> = { readonly calls: Calls } | { readonly reason: string };

let loaded: Koffi | undefined;

function koffi(): Koffi {
  loaded ??= createRequire(import.meta.url)("koffi") as Koffi;
  return loaded;
}

function load<Calls>(bind: (koffi: Koffi) => Calls): Loaded<Calls> {
  // Constants and structure layouts below are those of 64-bit little-endian Linux.
  if (process.platform !== "linux" || !["x64", "arm64"].includes(process.arch)) {
    return { reason: `not known on ${process.platform} ${process.arch}` };
  }
  try {
    return { calls: bind(koffi()) };
  } catch (error) {
    return { reason: (error as Error).message.split("\n")[0] ?? "" };
  }
}

/** Datagram sockets, many messages a call. Calls return -1 for failure; `failure` says which. */
export interface SocketCalls {
  socket(domain: number, type: number, protocol: number): number;
  setsockopt(fd: number, level: number, option: number, value: Uint8Array, size: number): number;
  bind(fd: number, address: Uint8Array, size: number): number;
  close(fd: number): number;
  /** `messages` is an array of struct mmsghdr. */
  recvmmsg(fd: number, messages: Uint8Array, count: number, flags: number, timeout: null): number;
  sendmmsg(fd: number, messages: Uint8Array, count: number, flags: number): number;
  /** `address` is a struct sockaddr. */
  sendto(
    fd: number,
    octets: Uint8Array,
    size: number,
    flags: number,
    address: Uint8Array,
    length: number,
  ): number;
  /** `fds` is an array of struct pollfd; milliseconds. */
  poll(fds: Uint8Array, count: number, timeout: number): number;
  eventfd(initial: number, flags: number): number;
  write(fd: number, octets: Uint8Array, size: number): number;
  read(fd: number, octets: Uint8Array, size: number): number;
  /** Name of the error of the last call that failed, such as EADDRINUSE. */
  failure(): string;
  /**
   * Where the octets are. A number is no reference: code that stores it in other memory must keep the octets
   * in a reachable variable for as long as that memory is used.
   */
  address(octets: Uint8Array): bigint;
}

/** Load the socket calls. */
export function loadSockets(): Loaded<SocketCalls> {
  return load((koffi) => {
    const libc = koffi.load(null);
    return {
      socket: libc.func("int socket(int, int, int)"),
      setsockopt: libc.func("int setsockopt(int, int, int, void *, uint32_t)"),
      bind: libc.func("int bind(int, void *, uint32_t)"),
      close: libc.func("int close(int)"),
      recvmmsg: libc.func("int recvmmsg(int, void *, uint32_t, int, void *)"),
      sendmmsg: libc.func("int sendmmsg(int, void *, uint32_t, int)"),
      sendto: libc.func("long sendto(int, void *, size_t, int, void *, uint32_t)"),
      poll: libc.func("int poll(void *, unsigned long, int)"),
      eventfd: libc.func("int eventfd(uint32_t, int)"),
      write: libc.func("long write(int, void *, size_t)"),
      read: libc.func("long read(int, void *, size_t)"),
      failure: errorNames(koffi),
      address: (octets) => koffi.address(octets),
    };
  });
}

/** Calls on sockets of any family. They return -1 for failure. */
interface BoundSocketCalls {
  socket(domain: number, type: number, protocol: number): number;
  setsockopt(fd: number, level: number, option: number, value: Uint8Array, size: number): number;
  bind(fd: number, address: Uint8Array, size: number): number;
  /** `size` is a uint32 in host order: room before, length after. */
  getsockname(fd: number, address: Uint8Array, size: Uint8Array): number;
}

function socketCalls(libc: ReturnType<Koffi["load"]>): BoundSocketCalls {
  return {
    socket: libc.func("int socket(int, int, int)"),
    setsockopt: libc.func("int setsockopt(int, int, int, void *, uint32_t)"),
    bind: libc.func("int bind(int, void *, uint32_t)"),
    getsockname: libc.func("int getsockname(int, void *, void *)"),
  };
}

/** Packet sockets (packet(7)): frames as they are on the wire. Calls return -1 for failure; `failure` says which. */
export interface PacketCalls extends BoundSocketCalls {
  /** Number of a network device in this process's network namespace; 0 when there is none. */
  if_nametoindex(name: string): number;
  close(fd: number): number;
  write(fd: number, octets: Uint8Array, size: number): number;
  read(fd: number, octets: Uint8Array, size: number): number;
  /** Name of the error of the last call that failed, such as EPERM. */
  failure(): string;
}

/** Load the packet socket calls. */
export function loadPackets(): Loaded<PacketCalls> {
  return load((koffi) => {
    const libc = koffi.load(null);
    return {
      ...socketCalls(libc),
      if_nametoindex: libc.func("unsigned int if_nametoindex(const char *)"),
      close: libc.func("int close(int)"),
      write: libc.func("long write(int, void *, size_t)"),
      read: libc.func("long read(int, void *, size_t)"),
      failure: errorNames(koffi),
    };
  });
}

/** Returns the name of the error of the last call that failed. */
function errorNames(koffi: Koffi): () => string {
  const names = new Map(Object.entries(koffi.os.errno).map(([name, code]) => [code, name]));
  // Two names, one number.
  names.set(koffi.os.errno.EAGAIN as number, "EAGAIN");
  return () => names.get(koffi.errno()) ?? `errno ${koffi.errno()}`;
}

/** The allocator. */
export interface MemoryCalls {
  /** Give freed memory back to the kernel, all but `keep` octets at the top. Absent from C libraries other than glibc. */
  malloc_trim(keep: number): number;
}

/** Load the allocator's calls. */
export function loadMemory(): Loaded<MemoryCalls> {
  return load((koffi) => ({ malloc_trim: koffi.load(null).func("int malloc_trim(size_t)") }));
}

/** Calls on open files. They return -1 for failure; `failure` says which. */
export interface FileCalls {
  /** flock(2). */
  flock(fd: number, operation: number): number;
  /** Name of the error of the last call that failed, such as EWOULDBLOCK. */
  failure(): string;
}

/** Load the calls on files. */
export function loadFiles(): Loaded<FileCalls> {
  return load((koffi) => ({
    flock: koffi.load(null).func("int flock(int, int)"),
    failure: errorNames(koffi),
  }));
}

/** Netlink sockets (netlink(7)). Calls return -1 for failure; `errno` and `failure` say which. */
export interface NetlinkCalls extends BoundSocketCalls {
  send(fd: number, octets: Uint8Array, size: number, flags: number): number;
  recv(fd: number, octets: Uint8Array, size: number, flags: number): number;
  /** `fds` is an array of struct pollfd; milliseconds. */
  poll(fds: Uint8Array, count: number, timeout: number): number;
  close(fd: number): number;
  /** Number of the error of the last call that failed. */
  errno(): number;
  /** Name of the error of the last call that failed, such as EPERM. */
  failure(): string;
}

/** Load the netlink calls. */
export function loadNetlink(): Loaded<NetlinkCalls> {
  return load((koffi) => {
    const libc = koffi.load(null);
    return {
      ...socketCalls(libc),
      send: libc.func("long send(int, void *, size_t, int)"),
      recv: libc.func("long recv(int, void *, size_t, int)"),
      poll: libc.func("int poll(void *, unsigned long, int)"),
      close: libc.func("int close(int)"),
      errno: () => koffi.errno(),
      failure: errorNames(koffi),
    };
  });
}
