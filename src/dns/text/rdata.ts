// Every field kind read here is written in rdata-format.ts, and one table drives both.
import { parseIpv4, parseIpv6 } from "../wire/address.ts";
import { tokenOctets, type WireName, writeName } from "../wire/name.ts";
import type { OctetWriter } from "../wire/octets.ts";
import { typeCode, typeName } from "../wire/types.ts";
import { ZoneTextError } from "./error.ts";
import { rdataFits } from "./rdata-check.ts";
import { ALGORITHMS, CERTS, type Field, fieldsOf, GATEWAYS } from "./rdata-fields.ts";
import { writeApl, writeLoc, writeSvcParams } from "./rdata-odd.ts";
import {
  parseBase32Hex,
  parseBase64,
  parseEui,
  parseHex,
  parseNumber,
  parsePeriod,
  parseTime,
} from "./rdata-token.ts";

/** Type bit map (RFC 4034 §4.1.2). */
function writeTypes(out: OctetWriter, tokens: readonly string[]): void {
  const codes = tokens.map((token) => {
    const code = typeCode(token);
    if (code === undefined) throw new ZoneTextError(`${token}: not an RR type`);
    return code;
  });
  const windows = new Map<number, Uint8Array>();
  for (const code of codes.sort((a, b) => a - b)) {
    const map = windows.get(code >>> 8) ?? new Uint8Array(32);
    const at = (code & 0xff) >>> 3;
    map[at] = (map[at] as number) | (0x80 >>> (code & 7));
    windows.set(code >>> 8, map);
  }
  for (const [window, map] of windows) {
    const size = map.findLastIndex((octet) => octet !== 0) + 1;
    out.u8(window);
    out.u8(size);
    out.raw(map.subarray(0, size));
  }
}

function writeString(out: OctetWriter, token: string): void {
  const octets = tokenOctets(token);
  if (octets.length > 255) throw new ZoneTextError(`a string of ${octets.length} octets, 255 are allowed`);
  out.u8(octets.length);
  out.raw(octets);
}

function need(octets: Uint8Array | undefined, text: string, what: string): Uint8Array {
  if (octets === undefined) throw new ZoneTextError(`${text}: not ${what}`);
  return octets;
}

const OPTIONAL: ReadonlySet<Field> = new Set(["types", "svcparams", "apl"]);

/** Write the field that starts at `tokens[at]`; returns how many tokens it took. */
function writeField(
  out: OctetWriter,
  field: Field,
  tokens: readonly string[],
  at: number,
  origin: WireName,
): number {
  const rest = tokens.length - at;
  const optional = OPTIONAL.has(field);
  if (rest === 0 && !optional) throw new ZoneTextError(`ends early: ${field} is missing`);
  const token = tokens[at] as string;
  switch (field) {
    case "u8":
      out.u8(parseNumber(token, 0xff));
      return 1;
    case "u16":
      out.u16(parseNumber(token, 0xffff));
      return 1;
    case "u32":
      out.u32(parseNumber(token, 0xffffffff));
      return 1;
    case "period": {
      const seconds = parsePeriod(token, 0xffffffff);
      if (seconds === undefined) throw new ZoneTextError(`${token}: not a number of seconds`);
      out.u32(seconds);
      return 1;
    }
    case "time":
      out.u32(parseTime(token));
      return 1;
    case "name":
      writeName(out, token, origin);
      return 1;
    case "ipv4":
      out.raw(need(parseIpv4(token), token, "an IPv4 address"));
      return 1;
    case "ipv6":
      out.raw(need(parseIpv6(token), token, "an IPv6 address"));
      return 1;
    case "string":
      writeString(out, token);
      return 1;
    case "tag":
      if (!/^[0-9a-zA-Z]{1,255}$/.test(token))
        throw new ZoneTextError(`${token}: a tag is letters and digits (RFC 8659 §4.1)`);
      writeString(out, token);
      return 1;
    case "text":
      out.raw(tokenOctets(token));
      return 1;
    case "strings":
      for (const each of tokens.slice(at)) writeString(out, each);
      return rest;
    case "hex":
      out.raw(parseHex(tokens.slice(at).join("")));
      return rest;
    case "base64":
      out.raw(parseBase64(tokens.slice(at).join("")));
      return rest;
    case "salt":
    case "hash": {
      const octets =
        field === "hash" ? parseBase32Hex(token) : token === "-" ? new Uint8Array() : parseHex(token);
      if (octets.length > 255) throw new ZoneTextError(`${token}: above 255 octets`);
      out.u8(octets.length);
      out.raw(octets);
      return 1;
    }
    case "type": {
      const code = typeCode(token);
      if (code === undefined) throw new ZoneTextError(`${token}: not an RR type`);
      out.u16(code);
      return 1;
    }
    case "types":
      writeTypes(out, tokens.slice(at));
      return rest;
    case "algorithm":
      out.u8(ALGORITHMS.get(token.toUpperCase().replaceAll("-", "")) ?? parseNumber(token, 0xff));
      return 1;
    case "cert":
      out.u16(CERTS.get(token.toUpperCase()) ?? parseNumber(token, 0xffff));
      return 1;
    case "hex64":
      if (!/^([0-9a-fA-F]{1,4}:){3}[0-9a-fA-F]{1,4}$/.test(token))
        throw new ZoneTextError(`${token}: not four groups of hex`);
      for (const group of token.split(":")) out.u16(Number.parseInt(group, 16));
      return 1;
    case "eui48":
    case "eui64":
      out.raw(parseEui(token, field === "eui48" ? 6 : 8));
      return 1;
    case "gateway": {
      const kind = out.bytes[out.length - 2];
      const as = GATEWAYS[kind ?? -1];
      if (as !== undefined) return writeField(out, as, tokens, at, origin);
      if (kind !== 0 || token !== ".") throw new ZoneTextError(`${token}: no gateway of type ${kind}`);
      return 1;
    }
    case "loc":
      writeLoc(out, tokens.slice(at));
      return rest;
    case "apl":
      writeApl(out, tokens.slice(at));
      return rest;
    case "svcparams":
      writeSvcParams(out, tokens.slice(at));
      return rest;
    case "rest":
      throw new ZoneTextError("it is written as \\# length hex");
  }
}

/**
 * Write RDATA from its master-file tokens, in the type's own form or as `\# length hex` (RFC 3597 §5).
 * @throws ZoneTextError when the tokens do not fit the type
 */
export function writeRdata(
  out: OctetWriter,
  type: number,
  tokens: readonly string[],
  origin: WireName,
): void {
  const fields = fieldsOf(type);
  if (tokens[0] === "\\#") {
    const size = parseNumber(tokens[1] ?? "", 0xffff);
    const octets = parseHex(tokens.slice(2).join(""));
    if (octets.length !== size) throw new ZoneTextError(`\\# ${size}: ${octets.length} octets of hex follow`);
    // A known type in generic form must still be that type's RDATA: an A of five octets is refused.
    if (!rdataFits(type, octets)) throw new ZoneTextError(`\\# ${size}: not ${typeName(type)} RDATA`);
    checkSize(octets);
    out.raw(octets);
    return;
  }
  if (fields === undefined)
    throw new ZoneTextError(`${typeName(type)}: RDATA of this type is written as \\# length hex`);
  const start = out.length;
  let at = 0;
  for (const field of fields) at += writeField(out, field, tokens, at, origin);
  if (at < tokens.length) throw new ZoneTextError(`${tokens[at]}: more than ${typeName(type)} takes`);
  const octets = out.bytes.subarray(start, out.length);
  checkSize(octets);
  if (!rdataFits(type, octets)) throw new ZoneTextError(`no valid ${typeName(type)} RDATA`);
}

/** Octets of RDATA that a message of 65535 has room for, with its header, question, OPT and TSIG. */
const MAX_RDATA_OCTETS = 64_000;

function checkSize({ length }: Uint8Array): void {
  if (length > MAX_RDATA_OCTETS)
    throw new ZoneTextError(`RDATA of ${length} octets, which no message has room for`);
}
