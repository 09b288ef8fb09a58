/** Finds RDATA that other servers refuse although its lengths add up: one record that a secondary cannot read ends every transfer. */
import { read16, read32 } from "../wire/octets.ts";
import { type Field, fieldsOf, GATEWAYS } from "./rdata-fields.ts";
import { RULES, UNREAD_FIELDS } from "./rdata-rules.ts";

const WIDTH: Readonly<Partial<Record<Field, number>>> = {
  u8: 1,
  u16: 2,
  u32: 4,
  period: 4,
  time: 4,
  ipv4: 4,
  ipv6: 16,
  type: 2,
  algorithm: 1,
  cert: 2,
  hex64: 8,
  eui48: 6,
  eui64: 8,
};

/**
 * True if these octets are valid RDATA of this type; other servers could not read what is refused here. Any octets are, of
 * a type whose fields are not known.
 */
export function rdataFits(type: number, octets: Uint8Array): boolean {
  const fields = fieldsOf(type) ?? UNREAD_FIELDS.get(type);
  if (fields === undefined) return true;
  let at = 0;
  for (const each of fields) {
    const kind = each === "gateway" ? (octets[at - 2] as number) : 0;
    const field = each === "gateway" && kind > 0 ? GATEWAYS[kind] : each;
    const width = field === undefined ? undefined : WIDTH[field];
    if (width !== undefined) at += width;
    else if (field === "name") {
      const start = at;
      while (at < octets.length && octets[at] !== 0) {
        if ((octets[at] as number) > 63) return false;
        at += (octets[at] as number) + 1;
      }
      if (++at - start > 255) return false;
    } else if (field === "string" || field === "tag" || field === "salt" || field === "hash") {
      const size = octets[at] ?? 0xffff;
      if (field === "tag" && !isTag(octets.subarray(at + 1, at + 1 + size))) return false;
      if (field === "hash" && size === 0) return false;
      at += size + 1;
    } else if (field === "strings") {
      do at += (octets[at] ?? 0xffff) + 1;
      while (at < octets.length);
    } else if (field === undefined) return false;
    else if (field !== "gateway") {
      if (!restFits(field, octets.subarray(at))) return false;
      at = Math.max(at, octets.length);
    }
    if (at > octets.length) return false;
  }
  return at === octets.length && (RULES.get(type)?.(octets) ?? true);
}

/** Letters and digits (RFC 8659 §4.1). */
function isTag(octets: Uint8Array): boolean {
  return /^[0-9a-zA-Z]+$/.test(Buffer.from(octets).toString("latin1"));
}

/** Do the octets to the end of the RDATA fit the field that takes them all? */
function restFits(field: Field, octets: Uint8Array): boolean {
  if (field === "types") return typesFit(octets);
  if (field === "loc") return locFits(octets);
  if (field === "apl") return aplFits(octets);
  if (field === "svcparams") return svcParamsFit(octets);
  // a key, digest or signature is not empty
  return (field !== "hex" && field !== "base64") || octets.length > 0;
}

/** Windows in order, each of 1 to 32 octets without a trailing zero (RFC 4034 §4.1.2). */
function typesFit(octets: Uint8Array): boolean {
  let before = -1;
  let at = 0;
  while (at < octets.length) {
    const window = octets[at] as number;
    const size = octets[at + 1] ?? 0;
    if (window <= before || size < 1 || size > 32 || !octets[at + 1 + size]) return false;
    before = window;
    at += 2 + size;
  }
  return at === octets.length;
}

/** Version 0 has 16 octets, sizes of two decimal digits, and angles of at most 90 and 180 degrees (RFC 1876 §2). */
function locFits(octets: Uint8Array): boolean {
  if (octets[0] !== 0) return octets.length > 0;
  const size = (octet: number): boolean =>
    octet === 0 || (octet >>> 4 >= 1 && octet >>> 4 <= 9 && (octet & 15) <= 9);
  const angle = (at: number, degrees: number): boolean =>
    Math.abs(read32(octets, at) - 2 ** 31) <= degrees * 3_600_000;
  return octets.length === 16 && octets.subarray(1, 4).every(size) && angle(4, 90) && angle(8, 180);
}

/** Items that end where the RDATA does, no longer than their family's addresses, the last octet none of 0 (RFC 3123 §4). */
function aplFits(octets: Uint8Array): boolean {
  let at = 0;
  while (at < octets.length) {
    if (at + 4 > octets.length) return false;
    const family = read16(octets, at);
    const prefix = octets[at + 2] as number;
    const size = (octets[at + 3] as number) & 0x7f;
    const most = family === 1 ? 4 : family === 2 ? 16 : 127;
    if (size > most || (most < 127 && prefix > most * 8) || (size > 0 && !octets[at + 3 + size]))
      return false;
    at += 4 + size;
  }
  return at === octets.length;
}

/** Keys in order, values as RFC 9460 §7 has them, and every mandatory key there (§8). */
function svcParamsFit(octets: Uint8Array): boolean {
  const params = new Map<number, Uint8Array>();
  let before = -1;
  let at = 0;
  while (at < octets.length) {
    const key = read16(octets, at);
    const end = at + 4 + read16(octets, at + 2);
    if (at + 4 > octets.length || end > octets.length || key <= before) return false;
    params.set(key, octets.subarray(at + 4, end));
    before = key;
    at = end;
  }
  return [...params].every(([key, value]) => svcValueFits(key, value, params));
}

/** A relative URI template (RFC 6570) with the variable `dns` (RFC 9461 §5). */
const DOH_PATH =
  /^(?=.*\{[+#./;?&]?(?:\w+\*?,)*dns[,*:}])\/(?:[^{}%\uFFFD]|%[0-9a-f]{2}|\{[+#./;?&]?(?:\w+\*?,)*\w+(?:\*|:[1-9][0-9]{0,3})?\})*$/is;

function svcValueFits(key: number, value: Uint8Array, params: ReadonlyMap<number, Uint8Array>): boolean {
  const { length } = value;
  switch (key) {
    case 0: {
      const keys = Array.from({ length: length >>> 1 }, (_, i) => read16(value, 2 * i));
      const ordered = keys.every((one, i) => one > (keys[i - 1] ?? 0));
      return length > 0 && length % 2 === 0 && ordered && keys.every((one) => params.has(one));
    }
    case 1: {
      let at = 0;
      while (at < length && value[at] !== 0) at += (value[at] as number) + 1;
      return length > 0 && at === length;
    }
    case 2:
      return length === 0 && params.has(1);
    case 3:
      return length === 2;
    case 4:
      return length > 0 && length % 4 === 0;
    case 6:
      return length > 0 && length % 16 === 0;
    case 7:
      return DOH_PATH.test(Buffer.from(value).toString());
    case 8:
      return length === 0;
    case 9:
      return length > 0 && length % 2 === 0;
    default:
      // ech must not be empty; the other values have no fixed form
      return length > 0 || key !== 5;
  }
}
