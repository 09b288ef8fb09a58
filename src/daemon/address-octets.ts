/** Addresses as octets, so that two texts of one address are equal. */
import { isIP } from "node:net";

/** Octets of an address as text, 4 or 16; an IPv4 address inside IPv6 (::ffff:a.b.c.d) counts as IPv4. */
export function addressOctets(text: string): Uint8Array {
  const plain = text.replace(/^::ffff:(?=[0-9.]+$)/i, "").replace(/%.*$/, "");
  if (isIP(plain) === 4) return Uint8Array.from(plain.split("."), Number);
  const octets = new Uint8Array(16);
  const [head = "", tail] = plain.split("::");
  const groups = (part: string) => (part === "" ? [] : part.split(":"));
  const front = groups(head);
  const back = groups(tail ?? "");
  const all =
    tail === undefined ? front : [...front, ...Array(8 - front.length - back.length).fill("0"), ...back];
  all.forEach((group, i) => {
    const value = Number.parseInt(group, 16);
    octets[2 * i] = value >>> 8;
    octets[2 * i + 1] = value;
  });
  return octets;
}
