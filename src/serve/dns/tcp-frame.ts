/** Frames of DNS over TCP. */

/** Shared by all connections with nothing pending. */
export const NO_OCTETS: Buffer = Buffer.alloc(0);

/** A message with its length before it (RFC 1035 §4.2.2). */
export function prefixed(message: Uint8Array): Buffer {
  const framed = Buffer.allocUnsafe(message.length + 2);
  framed.writeUInt16BE(message.length);
  framed.set(message, 2);
  return framed;
}

/** Does `pending` begin with a whole message? */
export function hasMessage(pending: Buffer): boolean {
  return pending.length >= 2 && pending.length - 2 >= pending.readUInt16BE(0);
}

/** What follows `at`: a few octets are copied, because a view of them would keep the whole of `pending` in memory. */
export function rest(pending: Buffer, at: number): Buffer {
  const left = pending.length - at;
  if (left === 0) return NO_OCTETS;
  if (at === 0 || left * 4 > pending.buffer.byteLength) return pending.subarray(at);
  const copy = Buffer.allocUnsafeSlow(left);
  copy.set(pending.subarray(at));
  return copy;
}
