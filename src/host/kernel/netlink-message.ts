/** Octets of netlink messages and their attributes (linux/netlink.h), in the machine's order: x86 and ARM, lowest first. */

export const REQUEST = 1;
export const ACK = 4;
export const DUMP = 0x300;
export const REPLACE = 0x100;
export const CREATE = 0x400;
/** Bit of an attribute's type: its payload is attributes. */
export const NESTED = 0x8000;

const HEADER = 16;

/** One message without its header. */
export interface Message {
  readonly type: number;
  readonly flags: number;
  readonly body: Buffer;
}

const padded = (length: number): number => (length + 3) & ~3;

/** The message with its header and `number` as its sequence number. */
export function encode({ type, flags, body }: Message, number: number): Buffer {
  const out = Buffer.alloc(HEADER + padded(body.length));
  out.writeUInt32LE(HEADER + body.length, 0);
  out.writeUInt16LE(type, 4);
  out.writeUInt16LE(flags, 6);
  out.writeUInt32LE(number, 8);
  body.copy(out, HEADER);
  return out;
}

/** The messages in the first `size` octets; each body is a view. `port` is the socket that caused it. */
export function* decode(
  octets: Buffer,
  size: number,
): Generator<Message & { readonly number: number; readonly port: number }> {
  for (let at = 0; at + HEADER <= size; ) {
    const length = octets.readUInt32LE(at);
    if (length < HEADER || at + length > size) return;
    yield {
      type: octets.readUInt16LE(at + 4),
      flags: octets.readUInt16LE(at + 6),
      number: octets.readUInt32LE(at + 8),
      port: octets.readUInt32LE(at + 12),
      body: octets.subarray(at + HEADER, at + length),
    };
    at += padded(length);
  }
}

/** One attribute, padded. */
export function attribute(type: number, payload: Buffer): Buffer {
  const out = Buffer.alloc(padded(4 + payload.length));
  out.writeUInt16LE(4 + payload.length, 0);
  out.writeUInt16LE(type, 2);
  payload.copy(out, 4);
  return out;
}

/** Attributes by type; the last of equal ones counts. */
export function attributes(body: Buffer): Map<number, Buffer> {
  const found = new Map<number, Buffer>();
  for (let at = 0; at + 4 <= body.length; ) {
    const length = body.readUInt16LE(at);
    if (length < 4 || at + length > body.length) break;
    found.set(body.readUInt16LE(at + 2) & 0x3fff, body.subarray(at + 4, at + length));
    at += padded(length);
  }
  return found;
}

/**
 * Where the value begins of the attribute that a path of types leads to, the attributes beginning at `start`; -1 when there
 * is none of at least `size` octets. Makes nothing, for messages that come by the ten thousand.
 */
export function seek(octets: Buffer, start: number, path: readonly number[], size: number): number {
  let [at, end] = [start, octets.length];
  for (const type of path) {
    for (;;) {
      if (at + 4 > end) return -1;
      const length = octets.readUInt16LE(at);
      if (length < 4 || at + length > end) return -1;
      if ((octets.readUInt16LE(at + 2) & 0x3fff) === type) {
        end = at + length;
        at += 4;
        break;
      }
      at += padded(length);
    }
  }
  return end - at >= size ? at : -1;
}

/** A string with its final NUL. */
export const text = (value: string): Buffer => Buffer.from(`${value}\0`, "latin1");

/** A signed number of 32 bits. */
export function int32(value: number): Buffer {
  const out = Buffer.alloc(4);
  out.writeInt32LE(value, 0);
  return out;
}
