import type { Socket } from "node:net";
import { answerInPlace, lastQtype } from "../../dns/zone/fast.ts";
import type { Zone } from "../../dns/zone/zone.ts";
import { clientOf, type Sharer, type TcpShare } from "./tcp-share.ts";

/** What answers TCP messages. */
export interface TcpAnswer {
  /** Zones that plain questions are answered from in place, the longest apex first. */
  zones(): readonly Zone[];
  /** A plain question was answered so. */
  answered(qtype: number, rcode: number): void;
  /** Any other message: its response written to `out`, its octets; 0 for silence. */
  respond(message: Uint8Array, address: string, out: Uint8Array): number;
  /** The messages of a transfer, when it asks for one that it may have. */
  transfer(message: Uint8Array, address: string): Iterator<Uint8Array> | undefined;
  /** A transfer could not go on: its client was cut off. */
  aborted(): void;
  /** A client has connected. */
  opened(): void;
}

/** Octets of answers a client may leave untaken before we stop reading its queries. */
const UNTAKEN = 1 << 18;
/** Answers in place are at most this large; longer ones take the slow path. */
const MOST_IN_PLACE = 16384;
/** Queries answered in one go before other sockets get their turn, and messages of a transfer. */
const AT_ONCE = 512;
const MESSAGES_AT_ONCE = 16;

interface Connection extends Sharer {
  readonly address: string;
  /** Octets of messages not answered yet, and chunks behind them that do not complete a message. */
  pending: Buffer;
  chunks: Buffer[];
  have: number;
  stream: Iterator<Uint8Array> | undefined;
  /** Nothing is read: there is more to answer than may be answered now. */
  waiting: boolean;
  /** It goes on in the next turn of the event loop. */
  due: boolean;
  /** The client has said that no more queries come. */
  ended: boolean;
  /** One of its writes has been taken, or never will be. */
  readonly taken: () => void;
}

/** Talks to clients that have connected. */
export interface TcpTalk {
  accept(socket: Socket): void;
  /** No more connections come; those that are there have their last query answered. */
  end(): void;
  /** Those that are still there go. */
  drop(): void;
}

function prefixed(message: Uint8Array): Buffer {
  const framed = Buffer.allocUnsafe(message.length + 2);
  framed.writeUInt16BE(message.length);
  framed.set(message, 2);
  return framed;
}

function hasMessage(pending: Buffer): boolean {
  return pending.length >= 2 && pending.length - 2 >= pending.readUInt16BE(0);
}

/** Answer pipelined queries, with one write for all answers of a chunk (RFC 7766 §6.2.1.1). */
export function tcpTalk(answer: TcpAnswer, share: TcpShare): TcpTalk {
  const connections = new Set<Connection>();
  // Answers of one chunk; grows to what a chunk of small queries can ask for, never beyond.
  const out = Buffer.alloc(1 << 18);
  const scratch = new Uint8Array(65535);
  let ending = false;

  const drop = (connection: Connection): void => {
    connections.delete(connection);
    share.leave(connection);
    connection.socket.destroy();
  };

  const weigh = (connection: Connection): void => {
    const { socket, pending, have } = connection;
    share.weigh(connection, socket.writableLength + socket.readableLength + pending.length + have);
  };

  /** The next message of a transfer; undefined when it is over. */
  const nextOf = (connection: Connection): Uint8Array | undefined => {
    const stream = connection.stream;
    try {
      const next = stream?.next();
      if (next !== undefined && !next.done) return next.value;
    } catch {
      // What it has so far is no zone, and the end of the connection is how it is told (RFC 5936 §2.2).
      answer.aborted();
      drop(connection);
    }
    connection.stream = undefined;
    return undefined;
  };

  /** Go on with a transfer while the client takes it. */
  const pump = (connection: Connection): void => {
    const { socket, taken } = connection;
    for (let sent = 0; connection.stream !== undefined; sent++) {
      if (sent === MESSAGES_AT_ONCE || socket.writableLength > UNTAKEN) {
        connection.waiting = true;
        return;
      }
      const message = nextOf(connection);
      if (message !== undefined) socket.write(prefixed(message), taken);
      connection.active = Date.now();
    }
  };

  /** Answer the whole messages that are there. */
  const serve = (connection: Connection): void => {
    const { socket, address: from, pending, taken } = connection;
    let used = 0;
    let at = 0;
    let answered = 0;
    const flush = () => {
      if (used > 0) socket.write(Buffer.from(out.subarray(0, used)), taken);
      used = 0;
    };
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
    if (connection.stream !== undefined) pump(connection);
    if (connection.stream === undefined && hasMessage(connection.pending)) connection.waiting = true;
    settle(connection);
  };

  /** When as much is answered as may be now: read on, wait, or part. */
  const settle = (connection: Connection): void => {
    const { socket } = connection;
    weigh(connection);
    if (socket.destroyed) return;
    if (connection.waiting) {
      socket.pause();
      proceed(connection);
    } else if (ending || connection.ended) socket.end();
    else socket.resume();
  };

  /** A waiting connection has its turn once the client has taken enough: `taken` comes here when that is later. */
  const proceed = (connection: Connection): void => {
    if (!connection.waiting || connection.due || connection.socket.writableLength > UNTAKEN) return;
    connection.due = true;
    setImmediate(() => {
      connection.due = false;
      if (connection.socket.destroyed) return;
      connection.waiting = false;
      pump(connection);
      if (connection.waiting) settle(connection);
      else serve(connection);
    });
  };

  const accept = (socket: Socket): void => {
    const address = socket.remoteAddress ?? "";
    const connection: Connection = {
      socket,
      address,
      client: clientOf(address),
      pending: Buffer.alloc(0),
      chunks: [],
      have: 0,
      active: Date.now(),
      held: 0,
      stream: undefined,
      waiting: false,
      due: false,
      ended: false,
      // Not `drain`, which comes only to those that had more than the socket's high-water mark.
      taken() {
        weigh(connection);
        proceed(connection);
      },
    };
    share.enter(connection);
    connections.add(connection);
    answer.opened();
    socket.setNoDelay(true);
    socket.on("data", (chunk: Buffer) => {
      // We have parted: it was too late for this query.
      if (socket.writableEnded) return;
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
    // Who has sent all of its queries still wants all of the answers (RFC 7766 §6.2.3 lets it half-close).
    socket.on("end", () => {
      connection.ended = true;
      settle(connection);
    });
    // A reset is that client's affair.
    socket.on("error", () => drop(connection));
    socket.on("close", () => drop(connection));
  };

  return {
    accept,
    end() {
      ending = true;
    },
    drop() {
      for (const connection of connections) drop(connection);
    },
  };
}
