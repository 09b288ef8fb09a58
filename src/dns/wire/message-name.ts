/** Names in a received message. */
import type { WireName } from "./name.ts";
import { OctetWriter, read16 } from "./octets.ts";

/** Cut the name at `at` out of a message; undefined when it is compressed or does not end within it. */
export function plainName(message: Uint8Array, at: number): WireName | undefined {
  let i = at;
  while (i < message.length && message[i] !== 0) {
    if ((message[i] as number) > 63) return undefined;
    i += (message[i] as number) + 1;
  }
  return i < message.length && i - at < 255 ? message.slice(at, i + 1) : undefined;
}

/** Pointers followed in one name: a usual one has a single pointer; the limit bounds the cost of the others. */
const MAX_POINTERS = 8;

/** The owner at `at` with its pointers followed, and its end; undefined when it is no name or a pointer does not look back. */
export function ownerName(message: Uint8Array, at: number): { name: WireName; end: number } | undefined {
  const name = new OctetWriter();
  let end = 0;
  let start = at;
  for (let i = at, hops = 0; i < message.length && name.length < 255; ) {
    const size = message[i] as number;
    if (size >= 0xc0) {
      const target = read16(message, i) & 0x3fff;
      if (i + 2 > message.length || target < 12 || target >= start || hops++ === MAX_POINTERS)
        return undefined;
      if (end === 0) end = i + 2;
      i = target;
      start = target;
      continue;
    }
    if (size > 63) return undefined;
    name.raw(message.subarray(i, i + 1 + size));
    i += 1 + size;
    if (size === 0) return name.length > 255 ? undefined : { name: name.take(), end: end || i };
  }
  return undefined;
}
