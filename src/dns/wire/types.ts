/** Numbers of types, classes, RCODEs and OPCODEs (IANA DNS parameters). */

// biome-ignore format: a table
const CODES = {
  A: 1, NS: 2, MD: 3, MF: 4, CNAME: 5, SOA: 6, MB: 7, MG: 8, MR: 9, NULL: 10, WKS: 11, PTR: 12, HINFO: 13,
  MINFO: 14, MX: 15, TXT: 16, RP: 17, AFSDB: 18, X25: 19, ISDN: 20, RT: 21, NSAP: 22, SIG: 24, KEY: 25, PX: 26,
  GPOS: 27, AAAA: 28, LOC: 29, NXT: 30, SRV: 33, NAPTR: 35, KX: 36, CERT: 37, DNAME: 39, OPT: 41, APL: 42, DS: 43,
  SSHFP: 44, IPSECKEY: 45, RRSIG: 46, NSEC: 47, DNSKEY: 48, DHCID: 49, NSEC3: 50, NSEC3PARAM: 51, TLSA: 52,
  SMIMEA: 53, HIP: 55, NINFO: 56, CDS: 59, CDNSKEY: 60, OPENPGPKEY: 61, CSYNC: 62, ZONEMD: 63, SVCB: 64, HTTPS: 65,
  SPF: 99, NID: 104, L32: 105, L64: 106, LP: 107, EUI48: 108, EUI64: 109, TKEY: 249, TSIG: 250, IXFR: 251,
  AXFR: 252, MAILB: 253, MAILA: 254, ANY: 255, URI: 256, CAA: 257, AVC: 258, DLV: 32769,
} as const;

/** RR types and QTYPEs by mnemonic (IANA DNS parameters). */
export const TYPE: typeof CODES = CODES;

const byName = new Map<string, number>(Object.entries(CODES));
const byCode = new Map<number, string>(Object.entries(CODES).map(([name, code]) => [code, name]));

/** Code of a type's mnemonic in any case, or of `TYPEnnn` (RFC 3597 §5); undefined when it is neither. */
export function typeCode(text: string): number | undefined {
  const upper = text.toUpperCase();
  const known = byName.get(upper);
  if (known !== undefined) return known;
  const digits = /^TYPE([0-9]{1,5})$/.exec(upper)?.[1];
  return digits !== undefined && Number(digits) <= 0xffff ? Number(digits) : undefined;
}

/** Types whose fields are not read: they are written as TYPEnnn with `\# LENGTH HEX` (RFC 3597 §5). */
const UNREAD: ReadonlyMap<string, number> = new Map([
  ["DSYNC", 66],
  ["AMTRELAY", 260],
  ["RESINFO", 261],
  ["WALLET", 262],
  ["CLA", 263],
  ["IPN", 264],
]);

/** What is wrong with a word where a type is expected, and what to write instead where that is known. */
export function notAType(text: string): string {
  const code = UNREAD.get(text.toUpperCase());
  return code === undefined ? `${text}: not an RR type` : `${text}: write it as TYPE${code} \\# LENGTH HEX`;
}

/** Mnemonic of a type, or `TYPEnnn`. */
export function typeName(code: number): string {
  return byCode.get(code) ?? `TYPE${code}`;
}

/** Types without data of a zone: OPT, and MD and MF, which are obsolete (RFC 973 §3) and end a zone that BIND loads from a file. */
const NO_DATA: ReadonlySet<number> = new Set([0, TYPE.MD, TYPE.MF, TYPE.OPT]);

/** May a zone have records of this type? Not those without data, nor the types 128 to 255, which are for questions and metadata. */
export function isDataType(code: number): boolean {
  return !NO_DATA.has(code) && (code < 128 || code > 255);
}

/** RCODEs (RFC 1035 §4.1.1, RFC 2136 §2.2, RFC 6895 §2.3, RFC 6891 §9, RFC 7873 §8). */
export const RCODE = {
  NOERROR: 0,
  FORMERR: 1,
  SERVFAIL: 2,
  NXDOMAIN: 3,
  NOTIMP: 4,
  REFUSED: 5,
  YXDOMAIN: 6,
  NOTAUTH: 9,
  BADVERS: 16,
  BADSIG: 16,
  BADKEY: 17,
  BADTIME: 18,
  BADTRUNC: 22,
  BADCOOKIE: 23,
} as const;

/** The mnemonic of an RCODE, `RCODEnnn` where there is none here. Of 16, which has two, that of EDNS. */
export function rcodeName(code: number): string {
  return Object.entries(RCODE).find(([, number]) => number === code)?.[0] ?? `RCODE${code}`;
}

/** Classes. */
export const CLASS = { IN: 1, CH: 3, NONE: 254, ANY: 255 } as const;

/** OPCODEs (RFC 1035 §4.1.1, RFC 1996, RFC 2136). */
export const OPCODE = { QUERY: 0, NOTIFY: 4, UPDATE: 5 } as const;

/** RA in the fourth octet of a header (RFC 1035 §4.1.1). */
export const RECURSION_AVAILABLE = 0x80;
