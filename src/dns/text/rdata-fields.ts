/** The fields of each type's RDATA. */
import { TYPE } from "../wire/types.ts";

/**
 * One field of RDATA, in a master file and on the wire.
 * `name` is a domain name, `string` a <character-string>, `strings` one or more of them to the end, `text` octets to
 * the end without a length (CAA, URI), `tag` a length-prefixed bare word, `period` 32 bits that may carry units
 * (1h30m), `time` YYYYMMDDHHmmSS or seconds, `hex`/`base64` run to the end over several tokens, `salt` is
 * length-prefixed hex or `-`, `hash` length-prefixed base32hex, `types` a type bit map, `algorithm` and `cert` numbers
 * with mnemonics, `hex64` four groups of hex (RFC 6742), `eui48` and `eui64` hex pairs joined by dashes, `gateway` what the
 * octet two before it says (RFC 4025 §2.5); `loc`, `apl` and `svcparams` have a syntax of their own; `rest` is any octets to
 * the end, of types without a text form.
 */
export type Field =
  | "u8"
  | "u16"
  | "u32"
  | "period"
  | "time"
  | "name"
  | "ipv4"
  | "ipv6"
  | "string"
  | "strings"
  | "text"
  | "tag"
  | "hex"
  | "base64"
  | "salt"
  | "hash"
  | "type"
  | "types"
  | "algorithm"
  | "cert"
  | "hex64"
  | "eui48"
  | "eui64"
  | "gateway"
  | "loc"
  | "apl"
  | "svcparams"
  | "rest";

const dnskey: Field[] = ["u16", "u8", "algorithm", "base64"];
const ds: Field[] = ["u16", "algorithm", "u8", "hex"];
const tlsa: Field[] = ["u8", "u8", "u8", "hex"];
const rrsig: Field[] = ["type", "algorithm", "u8", "u32", "time", "time", "u16", "name", "base64"];
const svcb: Field[] = ["u16", "name", "svcparams"];

const FIELDS = new Map<number, readonly Field[]>([
  [TYPE.A, ["ipv4"]],
  [TYPE.NS, ["name"]],
  [TYPE.MD, ["name"]],
  [TYPE.MF, ["name"]],
  [TYPE.CNAME, ["name"]],
  [TYPE.SOA, ["name", "name", "u32", "period", "period", "period", "period"]],
  [TYPE.MB, ["name"]],
  [TYPE.MG, ["name"]],
  [TYPE.MR, ["name"]],
  [TYPE.PTR, ["name"]],
  [TYPE.HINFO, ["string", "string"]],
  [TYPE.MINFO, ["name", "name"]],
  [TYPE.MX, ["u16", "name"]],
  [TYPE.TXT, ["strings"]],
  [TYPE.RP, ["name", "name"]],
  [TYPE.AFSDB, ["u16", "name"]],
  [TYPE.X25, ["string"]],
  [TYPE.ISDN, ["strings"]],
  [TYPE.RT, ["u16", "name"]],
  [TYPE.SIG, rrsig],
  [TYPE.KEY, dnskey],
  [TYPE.PX, ["u16", "name", "name"]],
  [TYPE.GPOS, ["string", "string", "string"]],
  [TYPE.AAAA, ["ipv6"]],
  [TYPE.LOC, ["loc"]],
  [TYPE.SRV, ["u16", "u16", "u16", "name"]],
  [TYPE.NAPTR, ["u16", "u16", "string", "string", "string", "name"]],
  [TYPE.KX, ["u16", "name"]],
  [TYPE.CERT, ["cert", "u16", "algorithm", "base64"]],
  [TYPE.DNAME, ["name"]],
  [TYPE.APL, ["apl"]],
  [TYPE.DS, ds],
  [TYPE.SSHFP, ["u8", "u8", "hex"]],
  [TYPE.IPSECKEY, ["u8", "u8", "u8", "gateway", "base64"]],
  [TYPE.RRSIG, rrsig],
  [TYPE.NSEC, ["name", "types"]],
  [TYPE.DNSKEY, dnskey],
  [TYPE.DHCID, ["base64"]],
  [TYPE.NSEC3, ["u8", "u8", "u16", "salt", "hash", "types"]],
  [TYPE.NSEC3PARAM, ["u8", "u8", "u16", "salt"]],
  [TYPE.TLSA, tlsa],
  [TYPE.SMIMEA, tlsa],
  [TYPE.NINFO, ["strings"]],
  [TYPE.CDS, ds],
  [TYPE.CDNSKEY, dnskey],
  [TYPE.OPENPGPKEY, ["base64"]],
  [TYPE.CSYNC, ["u32", "u16", "types"]],
  [TYPE.ZONEMD, ["u32", "u8", "u8", "hex"]],
  [TYPE.SVCB, svcb],
  [TYPE.HTTPS, svcb],
  [TYPE.SPF, ["strings"]],
  [TYPE.NID, ["u16", "hex64"]],
  [TYPE.L32, ["u16", "ipv4"]],
  [TYPE.L64, ["u16", "hex64"]],
  [TYPE.LP, ["u16", "name"]],
  [TYPE.EUI48, ["eui48"]],
  [TYPE.EUI64, ["eui64"]],
  [TYPE.URI, ["u16", "u16", "text"]],
  [TYPE.CAA, ["u8", "tag", "text"]],
  [TYPE.AVC, ["strings"]],
  [TYPE.DLV, ds],
]);

/** How a gateway of a type is written (RFC 4025 §2.5); type 0 is none. */
export const GATEWAYS: readonly (Field | undefined)[] = [undefined, "ipv4", "ipv6", "name"];

/** Layout of a type's RDATA; undefined for types that only have the generic form of RFC 3597. */
export function fieldsOf(type: number): readonly Field[] | undefined {
  return FIELDS.get(type);
}

/**
 * Types whose RDATA names may be compressed in answers: those of RFC 1035 and no others (RFC 3597 §4).
 */
export function isCompressible(type: number): boolean {
  return type <= TYPE.MX && type !== TYPE.A && fieldsOf(type)?.includes("name") === true;
}

/** Mnemonics of DNSSEC algorithms that zone files use instead of the number. */
export const ALGORITHMS: ReadonlyMap<string, number> = new Map([
  ["RSAMD5", 1],
  ["DH", 2],
  ["DSA", 3],
  ["RSASHA1", 5],
  ["NSEC3DSA", 6],
  ["NSEC3RSASHA1", 7],
  ["RSASHA256", 8],
  ["RSASHA512", 10],
  ["ECCGOST", 12],
  ["ECDSAP256SHA256", 13],
  ["ECDSAP384SHA384", 14],
  ["ED25519", 15],
  ["ED448", 16],
  ["INDIRECT", 252],
  ["PRIVATEDNS", 253],
  ["PRIVATEOID", 254],
]);

/** Mnemonics of CERT types (RFC 4398 §2.1). */
export const CERTS: ReadonlyMap<string, number> = new Map([
  ["PKIX", 1],
  ["SPKI", 2],
  ["PGP", 3],
  ["IPKIX", 4],
  ["ISPKI", 5],
  ["IPGP", 6],
  ["ACPKIX", 7],
  ["IACPKIX", 8],
  ["URI", 253],
  ["OID", 254],
]);
