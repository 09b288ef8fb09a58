/** RDATA as master-file text. */
import { formatIpv6 } from "../wire/address.ts";
import { escapeOctets, formatName, ROOT } from "../wire/name.ts";
import { OctetWriter, read16, read32 } from "../wire/octets.ts";
import { typeName } from "../wire/types.ts";
import { ZoneTextError } from "./error.ts";
import { writeRdata } from "./rdata.ts";
import { rdataFits } from "./rdata-check.ts";
import { type Field, fieldsOf } from "./rdata-fields.ts";
import { formatApl, formatLoc, formatSvcParams } from "./rdata-odd.ts";
import { cutLine } from "./zonefile-line.ts";

const HEX_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUV";

function hex(octets: Uint8Array): string {
  return Array.from(octets, (octet) => octet.toString(16).padStart(2, "0"))
    .join("")
    .toUpperCase();
}

function base32Hex(octets: Uint8Array): string {
  const bits = Array.from(octets, (octet) => octet.toString(2).padStart(8, "0")).join("");
  return (bits.match(/.{1,5}/g) ?? [])
    .map((five) => HEX_DIGITS[Number.parseInt(five.padEnd(5, "0"), 2)])
    .join("");
}

/** A <character-string>, always quoted. */
function quoted(octets: Uint8Array): string {
  let text = "";
  for (const octet of octets) text += octet === 0x20 ? " " : escapeOctets(Uint8Array.of(octet), '"\\');
  return `"${text}"`;
}

function nameEnd(octets: Uint8Array, at: number): number {
  let end = at;
  while (octets[end] !== 0) end += (octets[end] as number) + 1;
  return end + 1;
}

function typesText(octets: Uint8Array): string {
  const names: string[] = [];
  for (let at = 0; at + 2 <= octets.length; at += 2 + (octets[at + 1] as number)) {
    for (let bit = 0; bit < (octets[at + 1] as number) * 8; bit++) {
      if ((octets[at + 2 + (bit >>> 3)] as number) & (0x80 >>> (bit & 7)))
        names.push(typeName(((octets[at] as number) << 8) | bit));
    }
  }
  return names.join(" ");
}

function timeText(seconds: number): string {
  return new Date(seconds * 1000)
    .toISOString()
    .replace(/[^0-9]/g, "")
    .slice(0, 14);
}

/** Text of the field at `at` and where the next one starts; undefined text when it cannot be determined. */
function fieldText(field: Field, octets: Uint8Array, at: number): [string | undefined, number] {
  const counted = () => octets.subarray(at + 1, at + 1 + (octets[at] as number));
  const rest = octets.subarray(at);
  switch (field) {
    case "u8":
    case "algorithm":
      return [String(octets[at]), at + 1];
    case "u16":
    case "cert":
      return [String(read16(octets, at)), at + 2];
    case "u32":
    case "period":
      return [String(read32(octets, at)), at + 4];
    case "time":
      return [timeText(read32(octets, at)), at + 4];
    case "type":
      return [typeName(read16(octets, at)), at + 2];
    case "name":
      return [formatName(rest), nameEnd(octets, at)];
    case "ipv4":
      return [octets.subarray(at, at + 4).join("."), at + 4];
    case "ipv6":
      return [formatIpv6(octets.subarray(at, at + 16)), at + 16];
    case "string":
      return [quoted(counted()), at + 1 + counted().length];
    case "tag":
      return [escapeOctets(counted(), '"\\();'), at + 1 + counted().length];
    case "salt":
      return [hex(counted()) || "-", at + 1 + counted().length];
    case "hash":
      return [base32Hex(counted()), at + 1 + counted().length];
    case "strings": {
      const texts: string[] = [];
      let next = at;
      for (; next < octets.length; next += (octets[next] as number) + 1) {
        texts.push(quoted(octets.subarray(next + 1, next + 1 + (octets[next] as number))));
      }
      return [texts.join(" "), next];
    }
    case "hex64":
      return [
        [0, 2, 4, 6]
          .map((i) =>
            read16(octets, at + i)
              .toString(16)
              .padStart(4, "0"),
          )
          .join(":"),
        at + 8,
      ];
    case "text":
      return [quoted(rest), octets.length];
    case "hex":
    case "rest":
      return [hex(rest), octets.length];
    case "base64":
      return [Buffer.from(rest).toString("base64"), octets.length];
    case "eui48":
    case "eui64":
      return [hex(rest).toLowerCase().match(/../g)?.join("-"), octets.length];
    case "gateway": {
      const kind = octets[at - 2];
      if (kind === 0) return [".", at];
      return fieldText(kind === 1 ? "ipv4" : kind === 2 ? "ipv6" : "name", octets, at);
    }
    case "types":
      return [typesText(rest), octets.length];
    case "loc":
      return [formatLoc(rest), octets.length];
    case "apl":
      return [formatApl(rest), octets.length];
    case "svcparams":
      return [formatSvcParams(rest), octets.length];
  }
}

/** Master-file text of RDATA: the type's own form, or `\# length hex` when it has none or the octets do not fit it. */
export function formatRdata(type: number, octets: Uint8Array): string {
  const generic = `\\# ${octets.length} ${hex(octets)}`.trimEnd();
  const fields = fieldsOf(type);
  if (fields === undefined || !rdataFits(type, octets)) return generic;
  const texts: string[] = [];
  let at = 0;
  for (const field of fields) {
    const [text, next] = fieldText(field, octets, at);
    if (text === undefined) return generic;
    if (text !== "") texts.push(text);
    at = next;
  }
  const text = texts.join(" ");
  return readsBack(type, text, octets) ? text : generic;
}

/** Some octets have no text of their own (an unsorted type bit map, a tag with a blank): those keep the generic form. */
function readsBack(type: number, text: string, octets: Uint8Array): boolean {
  const out = new OctetWriter(octets.length + 1);
  try {
    writeRdata(out, type, cutLine(text, 0).tokens, ROOT);
  } catch (error) {
    if (error instanceof ZoneTextError) return false;
    throw error;
  }
  return out.length === octets.length && octets.every((octet, i) => octet === out.bytes[i]);
}
