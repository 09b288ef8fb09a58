/** Tokens of a master file → values. All throw ZoneTextError for an invalid token. */
import { ZoneTextError } from "./error.ts";

/** Unsigned decimal number up to `max`. */
export function parseNumber(text: string, max: number): number {
  if (!/^[0-9]{1,10}$/.test(text) || Number(text) > max) {
    throw new ZoneTextError(`${text}: not a number up to ${max}`);
  }
  return Number(text);
}

const UNIT: Readonly<Record<string, number>> = { S: 1, M: 60, H: 3600, D: 86400, W: 604800 };

/** The longest TTL (RFC 2181 §8). */
const MAX_TTL_S = 0x7fffffff;

/** Seconds written as `3600`, `1h` or `1h30m`, of at most `most`; undefined when it is neither. Longer is an error. */
export function parsePeriod(text: string, most: number = MAX_TTL_S): number | undefined {
  if (!/^([0-9]+|([0-9]+[smhdwSMHDW])+)$/.test(text)) return undefined;
  let seconds = 0;
  for (const [, count, unit] of text.matchAll(/([0-9]+)([a-zA-Z]?)/g)) {
    seconds += Number(count) * (UNIT[(unit || "S").toUpperCase()] as number);
  }
  if (seconds > most) throw new ZoneTextError(`${text}: a period above ${most} seconds`);
  return seconds;
}

/** Octets of pairs of hex digits. */
export function parseHex(text: string): Uint8Array {
  if (text.length % 2 !== 0 || !/^[0-9a-fA-F]*$/.test(text))
    throw new ZoneTextError(`${text}: not pairs of hex digits`);
  return Uint8Array.from({ length: text.length / 2 }, (_, i) =>
    Number.parseInt(text.slice(2 * i, 2 * i + 2), 16),
  );
}

/** Octets of base64 (RFC 4648 §4), padded. Throws ZoneTextError. */
export function parseBase64(text: string): Uint8Array {
  // length and padding apart from the alphabet: one expression for all would take a stack as deep as the text is long
  const digits = /^[A-Za-z0-9+/]*/.exec(text)?.[0].length ?? 0;
  const padding = text.slice(digits);
  if (text.length % 4 !== 0 || !["", "=", "=="].includes(padding) || (digits === 0 && padding !== ""))
    throw new ZoneTextError(`${text.slice(0, 60)}: not base64`);
  return new Uint8Array(Buffer.from(text, "base64"));
}

/** Seconds since 1970 from YYYYMMDDHHmmSS or a plain number (RFC 4034 §3.2). */
export function parseTime(text: string): number {
  const parts = /^(\d{4})(\d{2})(\d{2})(\d{2})(\d{2})(\d{2})$/.exec(text)?.slice(1).map(Number);
  if (parts === undefined) return parseNumber(text, 0xffffffff);
  const [year, month, day, hour, minute, second] = parts as [number, number, number, number, number, number];
  return (Date.UTC(year, month - 1, day, hour, minute, second) / 1000) >>> 0;
}

/** Octets of base32hex without padding (RFC 4648 §7, RFC 5155 §3.3). */
export function parseBase32Hex(text: string): Uint8Array {
  if (!/^[0-9a-vA-V]+$/.test(text)) throw new ZoneTextError(`${text}: not base32hex`);
  const out: number[] = [];
  let bits = 0;
  let held = 0;
  for (const char of text) {
    held = (held << 5) | Number.parseInt(char, 32);
    bits += 5;
    if (bits >= 8) {
      bits -= 8;
      out.push((held >>> bits) & 0xff);
      held &= (1 << bits) - 1;
    }
  }
  return Uint8Array.from(out);
}

/** Octets of `aa-bb-…`, so many of them. */
export function parseEui(token: string, size: number): Uint8Array {
  if (token.length !== 3 * size - 1 || !/^([0-9a-f]{2}(-|$))+$/i.test(token))
    throw new ZoneTextError(`${token}: not ${size} pairs of hex digits joined by dashes (RFC 7043)`);
  return parseHex(token.replaceAll("-", ""));
}
