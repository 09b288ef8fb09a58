/** A TCP connection, and what answers its messages. */
import type { Socket } from "node:net";
import type { SharedConnection } from "../../daemon/connection-share.ts";
import type { Zone } from "../../dns/zone/zone.ts";

/** What answers TCP messages. */
export interface TcpAnswer {
  /** Zones that plain questions are answered from in place, the longest apex first. */
  zones(): readonly Zone[];
  /** A plain question was answered so. */
  answered(qtype: number, rcode: number): void;
  /** So many answers have been written, so many milliseconds after their queries were complete. */
  sent(answers: number, milliseconds: number): void;
  /** Are questions of this client forwarded? Its answers have RA then. */
  mayAsk(address: string): boolean;
  /** The later answer to a message that a forwarder is asked; undefined for all others. */
  forward(message: Uint8Array, address: string): Promise<Uint8Array> | undefined;
  /** Any other message: its response written to `out`, its octets; 0 for silence. */
  respond(message: Uint8Array, address: string, out: Uint8Array): number;
  /** The messages of a transfer, when it asks for one that it may have. */
  transfer(message: Uint8Array, address: string): Iterator<Uint8Array> | undefined;
  /** A transfer could not go on; its connection was closed. */
  aborted(): void;
  /** A client has connected. */
  opened(): void;
}

/** A connection and its pending work. */
export interface Connection extends SharedConnection {
  readonly socket: Socket;
  readonly address: string;
  /** Octets of messages not answered yet, and chunks behind them that do not complete a message. */
  pending: Buffer;
  chunks: Buffer[];
  have: number;
  stream: Iterator<Uint8Array> | undefined;
  /** Nothing is read: there is more to answer than may be answered now. */
  waiting: boolean;
  /** It continues in the next turn of the event loop. */
  due: boolean;
  readonly mayAsk: boolean;
  /** Questions whose answers come from a forwarder: not in the order of the questions (RFC 7766 §6.2.1.1). */
  awaited: number;
  /** The client has closed its sending side: no more queries come. */
  ended: boolean;
  /** One of its writes has been taken, or never will be. */
  readonly taken: () => void;
}
