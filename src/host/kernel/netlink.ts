/** Netlink sockets (netlink(7)): questions to the kernel, which it answers within the call, and its notifications. */
import { type Loaded, loadNetlink, type NetlinkCalls } from "../../platform/libc.ts";
import { decode, encode, type Message, REQUEST } from "./netlink-message.ts";

export const NETLINK_ROUTE = 0;
export const NETLINK_NETFILTER = 12;

const AF_NETLINK = 16;
const SOCK_RAW_CLOEXEC = 3 | 0x80000;
const SOL_SOCKET = 1;
const SO_SNDBUFFORCE = 32;
const SO_RCVBUFFORCE = 33;
const MSG_DONTWAIT = 0x40;
const NLMSG_ERROR = 2;
const NLMSG_DONE = 3;
const MULTI = 2;
const DUMP_INTERRUPTED = 0x10;
const EAGAIN = 11;
const ENOBUFS = 105;

/** Octets of a socket's buffers: room for the acknowledgement of every message of a large transaction. */
const BUFFER = 8 << 20;
/** Octets of one datagram; the kernel sends at most 32 KiB of a dump at a time. */
const DATAGRAM = 1 << 17;
/** Octets of all replies to one question that are kept; 10 000 network devices take some 20 MB. */
const MAX_REPLIES = 64 << 20;

/** The kernel or the socket refused. `errno` is the number; nothing of the request has been done. */
export class NetlinkError extends Error {
  readonly errno: number;
  constructor(errno: number, text = "the kernel refused a netlink request") {
    super(`${text} (errno ${errno})`);
    this.name = "NetlinkError";
    this.errno = errno;
  }
}

/** Replies to one question. */
export interface Replies {
  readonly messages: readonly Message[];
  /** The objects of a dump have changed meanwhile: it may lack some, or hold some twice. */
  readonly interrupted: boolean;
}

/** A netlink socket, opened when first used, and again after an error. */
export interface Netlink {
  /**
   * Sends messages as one datagram. Returns the replies up to `ends` of them (acknowledgement, end of a dump, or single
   * reply). Throws NetlinkError.
   */
  ask(messages: readonly Message[], ends?: number): Replies;
  /**
   * Sends a question and calls `each` for every message of its answer, whose body is valid only until `each` returns: a
   * list of any length takes no memory. Throws NetlinkError, and what `each` throws.
   */
  list(question: Message, each: (message: Message) => void): void;
  /**
   * As `list`, in turns of the event loop, on a socket of its own: other work goes on. Returns whether it was interrupted.
   */
  listInTurns(question: Message, each: (message: Message) => void): Promise<Replies["interrupted"]>;
  /** The kernel's number for this socket, which is in the notifications of its changes; 0 while it is closed. */
  port(): number;
  close(): void;
}

interface Socket {
  readonly fd: number;
  readonly port: number;
}

/** Netlink of one protocol, or why it cannot be used. */
export function openNetlink(protocol: number): Loaded<Netlink> {
  const loaded = loadNetlink();
  if ("reason" in loaded) return loaded;
  const calls = loaded.calls;
  const room = Buffer.alloc(DATAGRAM);
  let socket: Socket | undefined;
  let sequence = 0;
  const close = (): void => {
    if (socket !== undefined) calls.close(socket.fd);
    socket = undefined;
  };
  /** Sends, and hands over each message of the answer. Returns whether it was interrupted. */
  const exchange = (
    messages: readonly Message[],
    ends: number,
    each: (message: Message) => void,
  ): boolean => {
    socket ??= openSocket(calls, protocol, 0);
    const first = sequence + 1;
    const out = messages.map((message) => encode(message, ++sequence));
    try {
      send(calls, socket.fd, out);
      const plain = messages.length === 1 && messages[0]?.flags === REQUEST;
      return receive(parts(calls, socket.fd, room, { first, ends, plain }, each));
    } catch (error) {
      // octets left in the socket belong to this request
      close();
      throw error;
    }
  };
  const ask = (questions: readonly Message[], ends = 1): Replies => {
    const messages: Message[] = [];
    let octets = 0;
    const interrupted = exchange(questions, ends, ({ type, flags, body }) => {
      octets += body.length;
      if (octets > MAX_REPLIES) throw new NetlinkError(ENOBUFS, "the kernel's answer is too large");
      messages.push({ type, flags, body: Buffer.from(body) });
    });
    return { messages, interrupted };
  };
  const list = (question: Message, each: (message: Message) => void): void =>
    void exchange([question], 1, each);
  const listInTurns: Netlink["listInTurns"] = async (question, each) => {
    const { fd } = openSocket(calls, protocol, 0);
    try {
      send(calls, fd, [encode(question, 1)]);
      const answer = parts(calls, fd, Buffer.alloc(DATAGRAM), { first: 1, ends: 1, plain: false }, each);
      let turn = answer.next();
      for (; turn.done !== true; turn = answer.next()) await new Promise(setImmediate);
      return turn.value;
    } finally {
      calls.close(fd);
    }
  };
  return { calls: { ask, list, listInTurns, port: () => socket?.port ?? 0, close } };
}

/** Sends one message and takes its acknowledgement. Throws NetlinkError. */
export function request(calls: NetlinkCalls, fd: number, message: Message): void {
  send(calls, fd, [encode(message, 1)]);
  receive(parts(calls, fd, Buffer.alloc(DATAGRAM), { first: 1, ends: 1, plain: false }, () => undefined));
}

/** Sends encoded messages as one datagram. Throws NetlinkError. */
export function send(calls: NetlinkCalls, fd: number, messages: readonly Buffer[]): void {
  const out = Buffer.concat(messages);
  if (calls.send(fd, out, out.length, 0) < 0) throw new NetlinkError(calls.errno(), "send failed");
}

/** Which messages are an answer. */
interface Expected {
  /** Sequence number of the first question. */
  readonly first: number;
  /** Messages that end it. */
  readonly ends: number;
  /** A single reply ends it as well. */
  readonly plain: boolean;
}

/** The whole answer at once. Returns whether it was interrupted. */
function receive(answer: Generator<void, boolean>): boolean {
  let turn = answer.next();
  while (turn.done !== true) turn = answer.next();
  return turn.value;
}

/** An answer, a datagram at a time. Returns whether it was interrupted. Throws NetlinkError. */
function* parts(
  calls: NetlinkCalls,
  fd: number,
  room: Buffer,
  { first, ends, plain }: Expected,
  each: (message: Message) => void,
): Generator<void, boolean> {
  let interrupted = false;
  for (let left = ends; left > 0; ) {
    // the answer to a request is in the socket when send returns: there is nothing to wait for
    const size = calls.recv(fd, room, room.length, MSG_DONTWAIT);
    if (size <= 0) throw new NetlinkError(calls.errno(), "no answer from the kernel");
    for (const message of decode(room, size)) {
      const { type, flags, number, body } = message;
      if (number < first) continue;
      const code = type === NLMSG_ERROR || type === NLMSG_DONE ? codeOf(body) : 0;
      if (code < 0) throw new NetlinkError(-code);
      interrupted ||= (flags & DUMP_INTERRUPTED) !== 0;
      if (type === NLMSG_ERROR || type === NLMSG_DONE) left -= 1;
      else {
        each(message);
        // a single reply has no message that ends it
        if (plain && (flags & MULTI) === 0) left -= 1;
      }
    }
    if (left > 0) yield;
  }
  return interrupted;
}

const codeOf = (body: Buffer): number => (body.length >= 4 ? body.readInt32LE(0) : 0);

/** Notifications of one group. */
export interface Notifications {
  /** Messages since the last call, at most some megabytes; `lost` when the kernel had to drop some. Throws NetlinkError. */
  take(): { readonly messages: readonly (Message & { readonly port: number })[]; readonly lost: boolean };
  close(): void;
}

/** Listens to one group of a protocol, or why it cannot. Throws NetlinkError when the kernel refuses. */
export function openNotifications(protocol: number, group: number): Loaded<Notifications> {
  const loaded = loadNetlink();
  if ("reason" in loaded) return loaded;
  const calls = loaded.calls;
  const { fd } = openSocket(calls, protocol, 1 << (group - 1));
  const room = Buffer.alloc(DATAGRAM);
  let closed = false;
  return {
    calls: {
      take() {
        // the number of a closed descriptor may belong to another file
        if (closed) return { messages: [], lost: false };
        const messages: (Message & { port: number })[] = [];
        for (let datagrams = 0; datagrams < 256; datagrams++) {
          const size = calls.recv(fd, room, room.length, MSG_DONTWAIT);
          if (size < 0 && calls.errno() === ENOBUFS) return { messages, lost: true };
          if (size < 0 && calls.errno() === EAGAIN) break;
          if (size < 0) throw new NetlinkError(calls.errno(), "reading notifications failed");
          for (const message of decode(room, size))
            messages.push({ ...message, body: Buffer.from(message.body) });
        }
        return { messages, lost: false };
      },
      close() {
        if (!closed) calls.close(fd);
        closed = true;
      },
    },
  };
}

/** A socket with large buffers that receives these groups (one bit each). Throws NetlinkError. */
export function openSocket(calls: NetlinkCalls, protocol: number, groups: number): Socket {
  const fd = calls.socket(AF_NETLINK, SOCK_RAW_CLOEXEC, protocol);
  if (fd < 0) throw new NetlinkError(calls.errno(), "no netlink socket");
  // struct sockaddr_nl: family, padding, port (0: the kernel chooses), groups
  const address = Buffer.alloc(12);
  address.writeUInt16LE(AF_NETLINK, 0);
  address.writeUInt32LE(groups, 8);
  const size = Buffer.alloc(4);
  size.writeUInt32LE(12, 0);
  if (calls.bind(fd, address, 12) < 0 || calls.getsockname(fd, address, size) < 0) {
    const errno = calls.errno();
    calls.close(fd);
    throw new NetlinkError(errno, "no netlink socket");
  }
  const buffer = Buffer.alloc(4);
  buffer.writeInt32LE(BUFFER, 0);
  for (const which of [SO_RCVBUFFORCE, SO_SNDBUFFORCE]) calls.setsockopt(fd, SOL_SOCKET, which, buffer, 4);
  return { fd, port: address.readUInt32LE(4) };
}
