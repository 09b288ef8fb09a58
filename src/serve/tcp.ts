import { createServer, isIPv6, type Socket } from "node:net";
import { answerInPlace, lastQtype } from "../dns/fast.ts";
import type { Zone } from "../dns/zone.ts";
import type { Opened } from "./bind.ts";
import { parting } from "./parting.ts";

/** What answers TCP messages. */
export interface TcpAnswer {
  /** Zones that plain questions are answered from in place. */
  zones(): readonly Zone[];
  /** A plain question was answered so. */
  answered(qtype: number, rcode: number): void;
  /** Any other message: its response written to `out`, its octets; 0 for silence. */
  respond(message: Uint8Array, address: string, out: Uint8Array): number;
  /** The messages of a transfer, when it asks for one that it may have. */
  transfer(message: Uint8Array, address: string): Iterator<Uint8Array> | undefined;
  /** A client has connected. */
  opened(): void;
}

/** Limits of RFC 7766 §6.2: seconds without a whole query, connections, octets waiting to be taken. */
export interface TcpLimits {
  readonly idleSeconds: number;
  readonly connections: number;
}

/** Octets of answers a client may leave untaken before we stop reading its queries. */
const UNTAKEN = 1 << 18;
/** Answers in place are at most this large; longer ones take the slow path. */
const MOST_IN_PLACE = 16384;
/** Queries answered in one go before other sockets get their turn. */
const AT_ONCE = 512;

interface Connection {
  readonly socket: Socket;
  readonly address: string;
  /** Octets of messages not answered yet, and chunks behind them that do not complete a message. */
  pending: Buffer;
  chunks: Buffer[];
  have: number;
  /** When the last whole message came or went, in milliseconds. */
  active: number;
  stream: Iterator<Uint8Array> | undefined;
  waiting: boolean;
}

function prefixed(message: Uint8Array): Buffer {
  const framed = Buffer.allocUnsafe(message.length + 2);
  framed.writeUInt16BE(message.length);
  framed.set(message, 2);
  return framed;
}

/**
 * Open a TCP endpoint: pipelined queries, one write for all answers of a chunk. `handed` is a socket that is bound there
 * already, and becomes Node's.
 */
export function openTcp(
  address: string,
  port: number,
  limits: TcpLimits,
  answer: TcpAnswer,
  handed?: number,
): Promise<Opened> {
  const connections = new Set<Connection>();
  // Answers of one chunk; grows to what a chunk of small queries can ask for, never beyond.
  const out = Buffer.alloc(1 << 18);
  const scratch = new Uint8Array(65535);

  /** No more connections; those that are there have their last query answered. */
  let closing = false;

  const drop = (connection: Connection) => {
    connections.delete(connection);
    connection.socket.destroy();
  };

  /** Go on with a transfer while the client takes it. */
  const pump = (connection: Connection): void => {
    const { socket } = connection;
    while (connection.stream !== undefined) {
      if (socket.writableLength > UNTAKEN) {
        connection.waiting = true;
        return;
      }
      const { value, done } = connection.stream.next();
      if (done) connection.stream = undefined;
      else socket.write(prefixed(value));
      connection.active = Date.now();
    }
  };

  /** Answer the whole messages that are there. */
  const serve = (connection: Connection): void => {
    const { socket, address: from } = connection;
    let used = 0;
    let at = 0;
    let answered = 0;
    const flush = () => {
      if (used > 0) socket.write(Buffer.from(out.subarray(0, used)));
      used = 0;
    };
    const { pending } = connection;
    const zones = answer.zones();
    while (connection.stream === undefined && pending.length - at >= 2) {
      const size = pending.readUInt16BE(at);
      if (pending.length - at - 2 < size) break;
      if (answered++ >= AT_ONCE || socket.writableLength + used > UNTAKEN) {
        connection.waiting = true;
        break;
      }
      const message = pending.subarray(at + 2, at + 2 + size);
      at += 2 + size;
      connection.active = Date.now();
      // In place, in the output: the answer is never copied again.
      if (used + 2 + MOST_IN_PLACE > out.length) flush();
      let octets = 0;
      if (size < 512) {
        out.set(message, used + 2);
        octets = answerInPlace(zones, out, used + 2, size, MOST_IN_PLACE);
      }
      if (octets > 0) answer.answered(lastQtype(), (out[used + 5] as number) & 15);
      else {
        connection.stream = answer.transfer(message, from);
        if (connection.stream !== undefined) break;
        octets = answer.respond(message, from, scratch);
        if (octets === 0) continue;
        if (used + 2 + octets > out.length) flush();
        out.set(scratch.subarray(0, octets), used + 2);
      }
      out[used] = octets >>> 8;
      out[used + 1] = octets;
      used += 2 + octets;
    }
    flush();
    connection.pending = at === 0 ? pending : pending.subarray(at);
    if (closing && connection.stream === undefined && !connection.waiting) socket.end();
    if (connection.stream !== undefined) pump(connection);
    if (connection.stream === undefined && !connection.waiting && hasMessage(connection.pending))
      serve(connection);
    else if (connection.waiting || connection.stream !== undefined) {
      socket.pause();
      connection.waiting = true;
      if (socket.writableLength === 0) setImmediate(() => resume(connection));
    }
  };

  const resume = (connection: Connection): void => {
    if (!connection.waiting || connection.socket.destroyed) return;
    connection.waiting = false;
    connection.socket.resume();
    pump(connection);
    if (!connection.waiting) serve(connection);
    else connection.socket.pause();
  };

  const accept = (socket: Socket): void => {
    if (connections.size >= limits.connections) {
      // RFC 7766 §6.2.2: the one that has been quiet for longest makes room.
      let quiet: Connection | undefined;
      for (const each of connections) if (quiet === undefined || each.active < quiet.active) quiet = each;
      if (quiet !== undefined) drop(quiet);
    }
    const connection: Connection = {
      socket,
      address: socket.remoteAddress ?? "",
      pending: Buffer.alloc(0),
      chunks: [],
      have: 0,
      active: Date.now(),
      stream: undefined,
      waiting: false,
    };
    connections.add(connection);
    answer.opened();
    socket.setNoDelay(true);
    socket.on("data", (chunk: Buffer) => {
      connection.chunks.push(chunk);
      connection.have += chunk.length;
      // Joined only when a message is whole: dribbled octets would otherwise be copied once for each octet.
      const { pending } = connection;
      const whole = pending.length >= 2 ? 2 + pending.readUInt16BE(0) : 2;
      if (pending.length + connection.have < whole) return;
      connection.pending = Buffer.concat([pending, ...connection.chunks]);
      connection.chunks = [];
      connection.have = 0;
      serve(connection);
    });
    socket.on("drain", () => resume(connection));
    // A reset is that client's affair.
    socket.on("error", () => drop(connection));
    socket.on("close", () => connections.delete(connection));
  };

  // Idle is measured in whole messages, so that octets dribbled for ever do not hold a connection for ever.
  const sweep = setInterval(() => {
    const oldest = Date.now() - limits.idleSeconds * 1000;
    for (const connection of connections) if (connection.active < oldest) drop(connection);
  }, 1000);
  sweep.unref();

  return new Promise((resolve, reject) => {
    const server = createServer(accept);
    let fail: (error: Error) => void = () => {};
    const failed = new Promise<Error>((settle) => {
      fail = settle;
    });
    const refuse = (error: Error) => {
      clearInterval(sweep);
      reject(error);
    };
    server.once("error", refuse);
    const own = { host: address, port, ipv6Only: isIPv6(address), exclusive: true };
    server.listen({ ...(handed === undefined ? own : { fd: handed }), backlog: 1024 }, () => {
      server.off("error", refuse);
      server.on("error", (error) => {
        // a connection that could not be accepted is that client's loss: the socket goes on listening
        if (!server.listening) fail(error);
      });
      resolve({
        failed,
        async close() {
          clearInterval(sweep);
          closing = true;
          const closed = new Promise<void>((done) => server.close(() => done()));
          await Promise.race([closed, parting()]);
          for (const connection of connections) drop(connection);
          await closed;
        },
      });
    });
  });
}

function hasMessage(pending: Buffer): boolean {
  return pending.length >= 2 && pending.length - 2 >= pending.readUInt16BE(0);
}
