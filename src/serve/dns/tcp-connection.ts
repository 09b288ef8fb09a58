/** One TCP connection: frames in, answers out, transfers at the client's speed. */
import type { Socket } from "node:net";
import { type ConnectionShare, clientOf } from "../../daemon/connection-share.ts";
import { RECURSION_AVAILABLE } from "../../dns/wire/types.ts";
import { type Asked, answerInPlace } from "../../dns/zone/fast.ts";
import { hasMessage, NO_OCTETS, prefixed, rest } from "./tcp-frame.ts";
import type { Connection, TcpAnswer } from "./tcp-types.ts";

/** Octets of answers that a client may leave unread before its queries are not read any more. */
const MAX_UNSENT_OCTETS = 1 << 18;
/** Answers in place are at most this large; longer ones take the slow path. */
const MAX_IN_PLACE_OCTETS = 16384;
/** Queries answered in one go before other sockets get their turn, and messages of a transfer. */
const QUERIES_PER_TURN = 512;
const TRANSFER_MESSAGES_PER_TURN = 16;

/** Octets of memory that a chunk costs beside its content. */
const CHUNK_OVERHEAD_OCTETS = 180;

/** Serves clients that have connected. */
export interface TcpTalk {
  accept(socket: Socket): void;
  /** No more connections come; those that are open have their last query answered. */
  end(): void;
  /** Those that are still open are closed. */
  drop(): void;
}

/** Answer pipelined queries, with one write for all answers of a chunk (RFC 7766 §6.2.1.1). */
export function tcpTalk(answer: TcpAnswer, share: ConnectionShare): TcpTalk {
  const connections = new Set<Connection>();
  // Answers of one chunk; grows to what a chunk of small queries can ask for, never beyond.
  const out = Buffer.alloc(1 << 18);
  const scratch = new Uint8Array(65535);
  const asked: Asked = { qtype: 0 };
  let ending = false;

  const drop = (connection: Connection): void => {
    connections.delete(connection);
    share.remove(connection);
    connection.socket.destroy();
  };

  const weigh = (connection: Connection): void => {
    const { socket, pending, have, chunks } = connection;
    const waiting = pending.length + have + chunks.length * CHUNK_OVERHEAD_OCTETS;
    share.setHeld(connection, socket.writableLength + socket.readableLength + waiting);
  };

  /** The next message of a transfer; undefined when it is over. */
  const nextOf = (connection: Connection): Uint8Array | undefined => {
    const stream = connection.stream;
    try {
      const next = stream?.next();
      if (next !== undefined && !next.done) return next.value;
    } catch {
      // The messages so far are no whole zone; a closed connection tells the client so (RFC 5936 §2.2).
      answer.aborted();
      drop(connection);
    }
    connection.stream = undefined;
    return undefined;
  };

  /** Continue a transfer while the client reads it. */
  const pump = (connection: Connection): void => {
    const { socket, taken } = connection;
    for (let sent = 0; connection.stream !== undefined; sent++) {
      if (sent === TRANSFER_MESSAGES_PER_TURN || socket.writableLength > MAX_UNSENT_OCTETS) {
        connection.waiting = true;
        return;
      }
      const message = nextOf(connection);
      if (message !== undefined) socket.write(prefixed(message), taken);
      connection.active = performance.now();
    }
  };

  /** Answer the complete messages. */
  const serve = (connection: Connection): void => {
    const { socket, address: from, pending, taken } = connection;
    let used = 0;
    let at = 0;
    let answered = 0;
    let written = 0;
    const began = performance.now();
    const flush = () => {
      if (used > 0) socket.write(Buffer.from(out.subarray(0, used)), taken);
      used = 0;
    };
    const zones = answer.zones();
    while (connection.stream === undefined && pending.length - at >= 2) {
      const size = pending.readUInt16BE(at);
      if (pending.length - at - 2 < size) break;
      if (answered++ >= QUERIES_PER_TURN || socket.writableLength + used > MAX_UNSENT_OCTETS) {
        connection.waiting = true;
        break;
      }
      const message = pending.subarray(at + 2, at + 2 + size);
      at += 2 + size;
      // In place, in the output: the answer is never copied again.
      if (used + 2 + MAX_IN_PLACE_OCTETS > out.length) flush();
      let octets = 0;
      if (size < 512) {
        out.set(message, used + 2);
        octets = answerInPlace(zones, out, used + 2, size, MAX_IN_PLACE_OCTETS, asked);
      }
      if (octets > 0) {
        answer.answered(asked.qtype, (out[used + 5] as number) & 15);
        if (connection.mayAsk) out[used + 5] = (out[used + 5] as number) | RECURSION_AVAILABLE;
      } else {
        connection.stream = answer.transfer(message, from);
        if (connection.stream !== undefined) break;
        const later = answer.forward(message, from);
        if (later !== undefined) {
          connection.awaited++;
          void sendLater(connection, later);
          continue;
        }
        octets = answer.respond(message, from, scratch);
        if (octets === 0) continue;
        if (used + 2 + octets > out.length) flush();
        out.set(scratch.subarray(0, octets), used + 2);
      }
      out[used] = octets >>> 8;
      out[used + 1] = octets;
      used += 2 + octets;
      written++;
    }
    flush();
    if (written > 0) answer.sent(written, performance.now() - began);
    if (at > 0) connection.active = performance.now();
    connection.pending = rest(pending, at);
    if (connection.stream !== undefined) pump(connection);
    if (connection.stream === undefined && hasMessage(connection.pending)) connection.waiting = true;
    settle(connection);
  };

  const sendLater = async (connection: Connection, later: Promise<Uint8Array>): Promise<void> => {
    const octets = await later;
    connection.awaited--;
    if (connection.socket.destroyed || connection.socket.writableEnded) return;
    connection.socket.write(prefixed(octets), connection.taken);
    connection.active = performance.now();
    settle(connection);
  };

  /** When as much is answered as may be now: read more, wait, or close. */
  const settle = (connection: Connection): void => {
    const { socket } = connection;
    weigh(connection);
    if (socket.destroyed) return;
    if (connection.waiting) {
      socket.pause();
      proceed(connection);
    } else if ((ending || connection.ended) && connection.awaited === 0) socket.end();
    else socket.resume();
  };

  /** A waiting connection continues once the client has read enough: `taken` calls this when that is later. */
  const proceed = (connection: Connection): void => {
    if (!connection.waiting || connection.due || connection.socket.writableLength > MAX_UNSENT_OCTETS) return;
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
      destroy: () => socket.destroy(),
      address,
      client: clientOf(address),
      pending: NO_OCTETS,
      chunks: [],
      have: 0,
      active: performance.now(),
      held: 0,
      stream: undefined,
      waiting: false,
      due: false,
      mayAsk: answer.mayAsk(address),
      awaited: 0,
      ended: false,
      // Not `drain`, which is emitted only after more than the socket's high-water mark.
      taken() {
        weigh(connection);
        proceed(connection);
      },
    };
    share.add(connection);
    connections.add(connection);
    answer.opened();
    socket.setNoDelay(true);
    socket.on("data", (chunk: Buffer) => {
      // This side is closed already: the query came too late.
      if (socket.writableEnded) return;
      connection.chunks.push(chunk);
      connection.have += chunk.length;
      // Joined only when a message is complete: single octets would otherwise be copied once for each octet.
      const { pending } = connection;
      const whole = pending.length >= 2 ? 2 + pending.readUInt16BE(0) : 2;
      if (pending.length + connection.have < whole) return weigh(connection);
      connection.pending = Buffer.concat([pending, ...connection.chunks]);
      connection.chunks = [];
      connection.have = 0;
      serve(connection);
    });
    // A client that has sent all of its queries still expects all of the answers (RFC 7766 §6.2.3 lets it half-close).
    socket.on("end", () => {
      connection.ended = true;
      settle(connection);
    });
    // A reset concerns that client alone.
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
