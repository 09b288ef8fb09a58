// The three types whose text has a syntax of its own: LOC (RFC 1876), APL (RFC 3123), SVCB and HTTPS (RFC 9460).
import { formatIpv6, parseIpv4, parseIpv6 } from "../wire/address.ts";
import { escapeOctets, tokenOctets } from "../wire/name.ts";
import { OctetWriter, read16, read32 } from "../wire/octets.ts";
import { ZoneTextError } from "./error.ts";
import { parseBase64 } from "./rdata-token.ts";

/** Centimetres as the mantissa and exponent of RFC 1876 §2. */
function locSize(text: string): number {
  const match = /^([0-9]{1,8}(?:\.[0-9]{0,2})?)m?$/.exec(text);
  if (!match) throw new ZoneTextError(`${text}: not a size in metres`);
  let mantissa = Math.round(Number(match[1]) * 100);
  let exponent = 0;
  while (mantissa > 9) {
    mantissa = Math.floor(mantissa / 10);
    exponent++;
  }
  return (mantissa << 4) | exponent;
}

/** LOC (RFC 1876 §3): `d [m [s]] N|S d [m [s]] E|W alt [size [hp [vp]]]`. */
export function writeLoc(out: OctetWriter, tokens: readonly string[]): void {
  const text = tokens.join(" ");
  const angle = String.raw`(\d+)(?: (\d+)(?: (\d+(?:\.\d{0,3})?))?)?`;
  const match = new RegExp(
    String.raw`^${angle} ([NS]) ${angle} ([EW]) (-?\d{1,8}(?:\.\d{0,2})?)m?(?: (\S+))?(?: (\S+))?(?: (\S+))?$`,
    "i",
  ).exec(text);
  if (!match) throw new ZoneTextError(`${text}: not a location (RFC 1876 §3)`);
  const coordinate = (first: number, positive: string, limit: number) => {
    const [degrees, minutes, seconds] = match.slice(first, first + 3).map((part) => Number(part ?? 0)) as [
      number,
      number,
      number,
    ];
    const milliseconds = Math.round(((degrees * 60 + minutes) * 60 + seconds) * 1000);
    if (minutes > 59 || seconds >= 60 || milliseconds > limit * 3_600_000)
      throw new ZoneTextError(`${text}: out of range`);
    return (
      (2 ** 31 + ((match[first + 3] as string).toUpperCase() === positive ? milliseconds : -milliseconds)) >>>
      0
    );
  };
  out.u8(0);
  out.u8(locSize(match[10] ?? "1m"));
  out.u8(locSize(match[11] ?? "10000m"));
  out.u8(locSize(match[12] ?? "10m"));
  out.u32(coordinate(1, "N", 90));
  out.u32(coordinate(5, "E", 180));
  // centimetres above 100 km below the ellipsoid
  const altitude = Math.round(Number(match[9]) * 100) + 10_000_000;
  if (altitude < 0 || altitude > 0xffffffff) throw new ZoneTextError(`${text}: out of range`);
  out.u32(altitude);
}

/** Master-file text of LOC; undefined for a version this text cannot express. */
export function formatLoc(octets: Uint8Array): string | undefined {
  if (octets.length !== 16 || octets[0] !== 0) return undefined;
  const size = (at: number) =>
    `${(((octets[at] as number) >>> 4) * 10 ** ((octets[at] as number) & 15)) / 100}m`;
  const angle = (at: number, signs: string) => {
    const value = read32(octets, at) - 2 ** 31;
    const milliseconds = Math.abs(value);
    const degrees = Math.floor(milliseconds / 3_600_000);
    const minutes = Math.floor(milliseconds / 60_000) % 60;
    return `${degrees} ${minutes} ${((milliseconds % 60_000) / 1000).toFixed(3)} ${signs[value < 0 ? 1 : 0]}`;
  };
  const altitude = ((read32(octets, 12) - 10_000_000) / 100).toFixed(2);
  return `${angle(4, "NS")} ${angle(8, "EW")} ${altitude}m ${size(1)} ${size(2)} ${size(3)}`;
}

/** APL (RFC 3123 §5): `[!]afi:address/prefix` items. */
export function writeApl(out: OctetWriter, tokens: readonly string[]): void {
  for (const token of tokens) {
    const match = /^(!?)([12]):([^/]+)\/([0-9]{1,3})$/.exec(token);
    const octets = match && (match[2] === "1" ? parseIpv4 : parseIpv6)(match[3] as string);
    if (!octets || Number(match?.[4]) > octets.length * 8)
      throw new ZoneTextError(`${token}: not an address prefix (RFC 3123 §5)`);
    const size = octets.findLastIndex((octet) => octet !== 0) + 1;
    out.u16(Number(match?.[2]));
    out.u8(Number(match?.[4]));
    out.u8((match?.[1] ? 0x80 : 0) | size);
    out.raw(octets.subarray(0, size));
  }
}

/** Master-file text of APL; undefined for a family this text cannot express. */
export function formatApl(octets: Uint8Array): string | undefined {
  const items: string[] = [];
  for (let at = 0; at < octets.length; ) {
    const family = read16(octets, at);
    const size = (octets[at + 3] as number) & 0x7f;
    const width = family === 1 ? 4 : 16;
    if ((family !== 1 && family !== 2) || size > width || at + 4 + size > octets.length) return undefined;
    const address = new Uint8Array(width);
    address.set(octets.subarray(at + 4, at + 4 + size));
    const negated = (octets[at + 3] as number) & 0x80 ? "!" : "";
    items.push(
      `${negated}${family}:${family === 1 ? address.join(".") : formatIpv6(address)}/${octets[at + 2]}`,
    );
    at += 4 + size;
  }
  return items.join(" ");
}

/** By their numbers (IANA): those of RFC 9460, RFC 9461 and RFC 9540, and of TLS key share prediction. */
const SVC_KEYS =
  "mandatory alpn no-default-alpn port ipv4hint ech ipv6hint dohpath ohttp tls-supported-groups".split(" ");

/** Octets as text, one a character. */
const latin1 = (octets: Uint8Array): string => Buffer.from(octets).toString("latin1");

function svcKey(text: string): number {
  const known = SVC_KEYS.indexOf(text);
  const number = known >= 0 ? known : Number(/^key([0-9]{1,5})$/.exec(text)?.[1] ?? Number.NaN);
  if (!(number <= 0xffff)) throw new ZoneTextError(`${text}: not a service parameter (RFC 9460 §14.3.2)`);
  return number;
}

/** Comma-separated items; `\,` keeps a comma (RFC 9460 appendix A.1). */
function commaList(octets: Uint8Array): Uint8Array[] {
  const items = [new OctetWriter(16)];
  for (let i = 0; i < octets.length; i++) {
    const octet = octets[i] as number;
    if (octet === 0x5c && i + 1 < octets.length) items.at(-1)?.u8(octets[++i] as number);
    else if (octet === 0x2c) items.push(new OctetWriter(16));
    else items.at(-1)?.u8(octet);
  }
  return items.map((item) => item.take());
}

function svcValue(key: number, octets: Uint8Array): Uint8Array {
  const out = new OctetWriter(32);
  const list = () => commaList(octets).map(latin1);
  const refuse = (): never => {
    throw new ZoneTextError(`${SVC_KEYS[key]}: its value is wrong (RFC 9460)`);
  };
  if (key === 0)
    for (const code of list()
      .map(svcKey)
      .sort((a, b) => a - b))
      out.u16(code);
  else if (key === 1) {
    for (const item of commaList(octets)) {
      if (item.length === 0 || item.length > 255) refuse();
      out.u8(item.length);
      out.raw(item);
    }
  } else if (key === 2 || key === 8) {
    if (octets.length > 0) refuse();
  } else if (key === 3 || key === 9) {
    for (const number of key === 3 ? [latin1(octets)] : list()) {
      if (!/^[0-9]{1,5}$/.test(number) || Number(number) > 0xffff) refuse();
      out.u16(Number(number));
    }
  } else if (key === 4 || key === 6) {
    for (const item of list()) out.raw((key === 4 ? parseIpv4 : parseIpv6)(item) ?? refuse());
  } else if (key === 5) {
    out.raw(parseBase64(latin1(octets)));
  } else out.raw(octets);
  return out.take();
}

/** Service parameters (RFC 9460 §2.1), written in the order of their keys as §2.2 asks. */
export function writeSvcParams(out: OctetWriter, tokens: readonly string[]): void {
  const params = new Map<number, Uint8Array>();
  for (const token of tokens) {
    const [, name, value] = /^([a-z0-9-]+)(?:=(.*))?$/s.exec(token) ?? [];
    if (name === undefined) throw new ZoneTextError(`${token}: not a service parameter`);
    const key = svcKey(name);
    if (params.has(key)) throw new ZoneTextError(`${name}: given twice`);
    params.set(key, svcValue(key, tokenOctets(value ?? "")));
  }
  for (const [key, value] of [...params].sort((a, b) => a[0] - b[0])) {
    if (value.length > 0xffff)
      throw new ZoneTextError(`${keyName(key)}: ${value.length} octets, 65535 are allowed`);
    out.u16(key);
    out.u16(value.length);
    out.raw(value);
  }
}

/** Master-file text of service parameters, all in the generic `keyN="…"` form except the plain ones; undefined when cut off. */
export function formatSvcParams(octets: Uint8Array): string | undefined {
  const params: string[] = [];
  for (let at = 0; at < octets.length; ) {
    const key = read16(octets, at);
    const size = read16(octets, at + 2);
    const value = octets.subarray(at + 4, at + 4 + size);
    if (value.length !== size) return undefined;
    if (key === 3 && size === 2) params.push(`port=${read16(value, 0)}`);
    else if (key === 4)
      params.push(
        `ipv4hint=${chunks(value, 4)
          .map((part) => part.join("."))
          .join(",")}`,
      );
    else if (key === 6) params.push(`ipv6hint=${chunks(value, 16).map(formatIpv6).join(",")}`);
    else if (key === 0)
      params.push(
        `mandatory=${chunks(value, 2)
          .map((part) => keyName(read16(part, 0)))
          .join(",")}`,
      );
    else if (key === 2) params.push("no-default-alpn");
    else if (key === 1) params.push(`alpn="${alpnText(value)}"`);
    else if (key === 5) params.push(`ech="${Buffer.from(value).toString("base64")}"`);
    else params.push(size === 0 ? `key${key}` : `key${key}="${escapeOctets(value, '"\\')}"`);
    at += 4 + size;
  }
  return params.join(" ");
}

function keyName(key: number): string {
  return SVC_KEYS[key] ?? `key${key}`;
}

function chunks(octets: Uint8Array, size: number): Uint8Array[] {
  return Array.from({ length: Math.floor(octets.length / size) }, (_, i) =>
    octets.slice(i * size, (i + 1) * size),
  );
}

function alpnText(value: Uint8Array): string {
  const items: string[] = [];
  for (let at = 0; at < value.length; at += (value[at] as number) + 1) {
    const item = value.subarray(at + 1, at + 1 + (value[at] as number));
    // Two layers of escapes: the list's (comma, backslash), then the string's.
    items.push(
      escapeOctets(item, "").replaceAll("\\", "\\\\").replaceAll(",", "\\\\,").replaceAll('"', '\\"'),
    );
  }
  return items.join(",");
}
