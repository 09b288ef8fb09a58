/** Messages of a packet queue (linux/netfilter/nfnetlink_queue.h). Numbers in them are big-endian. */
import { ACK, attribute, attributes, type Message, REQUEST } from "../netlink-message.ts";

const SUBSYSTEM = 3 << 8;
const PACKET = SUBSYSTEM | 0;
const VERDICT = SUBSYSTEM | 1;
const CONFIG = SUBSYSTEM | 2;

const CFG_COMMAND = 1;
const CFG_PARAMETERS = 2;
const CFG_LENGTH = 3;
const CFG_MASK = 4;
const CFG_FLAGS = 5;
const BIND = 1;
const UNBIND = 2;
const COPY_PACKET = 2;
const ALL_FLAGS = 0xffff_ffff;

const PACKET_HEADER = 1;
const VERDICT_HEADER = 2;
const PAYLOAD = 10;

/** Octets of struct nfgenmsg: family, version, number of the queue. */
const FAMILY_HEADER = 4;

// linux/netfilter.h
/** The kernel drops the packet. */
export const NF_DROP = 0;
/** The packet leaves the table, and meets the chains of the hook that come later. */
export const NF_ACCEPT = 1;
/** The packet meets the chains of the hook once more from the first one on. */
export const NF_REPEAT = 4;

/** A packet that waits for a verdict. */
export interface Queued {
  readonly id: number;
  /** Its first octets; a view of the message. */
  readonly packet: Uint8Array;
}

/**
 * Makes the socket that sends it the one reader of the queue, which holds at most `length` packets. Nothing is held
 * before copyMessage: until then the kernel drops.
 */
export function bindMessage(queue: number, length: number): Message {
  return config(queue, REQUEST | ACK, [
    [CFG_COMMAND, Buffer.of(BIND, 0, 0, 0)],
    [CFG_LENGTH, uint32(length)],
    // without "fail open": a queue that is full drops and lets nothing pass
    [CFG_MASK, uint32(ALL_FLAGS)],
    [CFG_FLAGS, uint32(0)],
  ]);
}

/** Begins to hold packets, and to send the first `octets` of each. Not acknowledged. */
export function copyMessage(queue: number, octets: number): Message {
  return config(queue, REQUEST, [[CFG_PARAMETERS, Buffer.of(...uint32(octets), COPY_PACKET)]]);
}

/** Gives the queue back: the kernel drops what it holds. Acknowledged, also when the queue has gone. */
export function unbindMessage(queue: number): Message {
  return config(queue, REQUEST | ACK, [[CFG_COMMAND, Buffer.of(UNBIND, 0, 0, 0)]]);
}

/** Decides about a packet by one of the numbers above. Answered only by an error (ENOENT: the packet has gone). */
export function verdictMessage(queue: number, id: number, verdict: number): Message {
  const header = attribute(VERDICT_HEADER, Buffer.concat([uint32(verdict), uint32(id)]));
  return { type: VERDICT, flags: REQUEST, body: Buffer.concat([familyHeader(queue), header]) };
}

/** The packet that a message tells of, or undefined for a message of another kind. */
export function readQueued({ type, body }: Pick<Message, "type" | "body">): Queued | undefined {
  if (type !== PACKET) return undefined;
  const found = attributes(body.subarray(FAMILY_HEADER));
  const header = found.get(PACKET_HEADER);
  if (header === undefined || header.length < 4) return undefined;
  return { id: header.readUInt32BE(0), packet: found.get(PAYLOAD) ?? new Uint8Array(0) };
}

function config(queue: number, flags: number, settings: readonly (readonly [number, Buffer])[]): Message {
  const list = settings.map(([type, payload]) => attribute(type, payload));
  return { type: CONFIG, flags, body: Buffer.concat([familyHeader(queue), ...list]) };
}

const familyHeader = (queue: number): Buffer => Buffer.of(0, 0, queue >> 8, queue & 255);

function uint32(value: number): Buffer {
  const out = Buffer.alloc(4);
  out.writeUInt32BE(value, 0);
  return out;
}
