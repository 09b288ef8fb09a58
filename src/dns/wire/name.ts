/** Domain names in wire form. */
import { ZoneTextError } from "../text/error.ts";
import { OctetWriter } from "./octets.ts";

/** A domain name as on the wire: length-prefixed labels and the root's zero octet, never compressed. */
export type WireName = Uint8Array;

/** The root, as text and on the wire. */
export const ROOT: WireName = Uint8Array.of(0);

const BACKSLASH = 0x5c;
const DOT = 0x2e;

/**
 * One octet of master-file text at `at` (RFC 1035 §5.1: `\DDD`, `\X`), and how many characters it took.
 * Characters above 0xff have no place in octet text and are an error.
 */
function readOctet(text: string, at: number): { octet: number; took: number } {
  const code = text.charCodeAt(at);
  if (code !== BACKSLASH) {
    if (code > 0xff) throw new ZoneTextError(`${text}: a character above octet 255; write it as \\DDD`);
    return { octet: code, took: 1 };
  }
  const digits = /^[0-9]{1,3}/.exec(text.slice(at + 1, at + 4))?.[0];
  if (digits === undefined) {
    if (at + 1 >= text.length) throw new ZoneTextError(`${text}: ends in a lone backslash`);
    return { octet: text.charCodeAt(at + 1) & 0xff, took: 2 };
  }
  if (digits.length !== 3 || Number(digits) > 255) {
    throw new ZoneTextError(`${text}: \\${digits} is not an octet, \\DDD takes three digits up to 255`);
  }
  return { octet: Number(digits), took: 4 };
}

/** Octets of a master-file token: escapes resolved, unescaped quotes dropped. */
export function tokenOctets(token: string): Uint8Array {
  const out = new OctetWriter(token.length + 1);
  for (let at = 0; at < token.length; ) {
    if (token.charCodeAt(at) === 0x22) {
      at++;
      continue;
    }
    const { octet, took } = readOctet(token, at);
    out.u8(octet);
    at += took;
  }
  return out.take();
}

/**
 * Write a master-file name; a relative one is completed with `origin`.
 * @throws ZoneTextError for an empty label, a label above 63 octets or a name above 255 (RFC 1035 §2.3.4)
 */
export function writeName(out: OctetWriter, text: string, origin: WireName): void {
  if (text === "@" || text === ".") {
    out.raw(text === "@" ? origin : ROOT);
    return;
  }
  if (text === "") throw new ZoneTextError("a name is missing");
  const start = out.length;
  let head = out.length;
  out.u8(0);
  let absolute = false;
  for (let at = 0; at < text.length; ) {
    if (text.charCodeAt(at) === DOT) {
      const size = out.length - head - 1;
      if (size === 0) throw new ZoneTextError(`${text}: has an empty label`);
      if (size > 63) throw new ZoneTextError(`${text}: a label of ${size} octets, 63 are allowed`);
      out.bytes[head] = size;
      head = out.length;
      out.u8(0);
      absolute = ++at === text.length;
      continue;
    }
    const { octet, took } = readOctet(text, at);
    out.u8(octet);
    at += took;
  }
  if (!absolute) {
    const size = out.length - head - 1;
    if (size > 63) throw new ZoneTextError(`${text}: a label of ${size} octets, 63 are allowed`);
    out.bytes[head] = size;
    out.raw(origin);
  }
  const size = out.length - start;
  if (size > 255) throw new ZoneTextError(`${text}: a name of ${size} octets, 255 are allowed`);
}

/** Wire form of a master-file name; relative ones are completed with `origin` (the root when absent). */
export function parseName(text: string, origin: WireName = ROOT): WireName {
  const out = new OctetWriter(text.length + 2);
  writeName(out, text, origin);
  return out.take();
}

/** Octets as unquoted text of a master file; `special` are the octets to escape with a backslash. */
export function escapeOctets(octets: Uint8Array, special: string): string {
  let text = "";
  for (const octet of octets) {
    const char = String.fromCharCode(octet);
    if (special.includes(char)) text += `\\${char}`;
    else if (octet > 0x20 && octet < 0x7f) text += char;
    else text += `\\${String(octet).padStart(3, "0")}`;
  }
  return text;
}

/** Octets in a name that a master file would read as something else. */
const NAME_SPECIAL = '.\\"();@$';

/** Absolute presentation form, with its trailing dot; case kept. */
export function formatName(wire: WireName): string {
  let text = "";
  for (let at = 0; wire[at] !== 0 && at < wire.length; ) {
    const size = wire[at] as number;
    text += `${escapeOctets(wire.subarray(at + 1, at + 1 + size), NAME_SPECIAL)}.`;
    at += 1 + size;
  }
  return text || ".";
}

/** ASCII lower case of one octet; other octets stay as they are (RFC 4343). */
export function lower(octet: number): number {
  return octet >= 0x41 && octet <= 0x5a ? octet | 0x20 : octet;
}

/** Are both names the same, matched blind to ASCII case (RFC 1035 §2.3.3, RFC 4343)? */
export function sameName(a: WireName, b: WireName): boolean {
  return a.length === b.length && endsWithName(a, b);
}

/** Is `name` at or below `ancestor`? */
export function endsWithName(name: WireName, ancestor: WireName): boolean {
  let at = 0;
  while (name.length - at > ancestor.length) {
    const size = name[at] as number;
    if (size === 0) return false;
    at += size + 1;
  }
  if (name.length - at !== ancestor.length) return false;
  // Length octets are below 0x40, so lower() leaves them alone.
  for (let i = 0; i < ancestor.length; i++) {
    if (lower(name[at + i] as number) !== lower(ancestor[i] as number)) return false;
  }
  return true;
}

/** A key for Map: the lower-cased octets, one a character. */
export function nameKey(wire: WireName): string {
  let key = "";
  for (const octet of wire) key += String.fromCharCode(lower(octet));
  return key;
}

/** End of the name at `at` of uncompressed octets. */
export function wireNameEnd(octets: Uint8Array, at: number): number {
  let i = at;
  while (octets[i] !== 0) i += (octets[i] as number) + 1;
  return i + 1;
}
