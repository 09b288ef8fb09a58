/** What types require of their RDATA beyond its fields: what BIND reads, which is the strictest of the usual secondaries. */
import { wireNameEnd } from "../wire/name.ts";
import { read16 } from "../wire/octets.ts";
import { TYPE } from "../wire/types.ts";
import type { Field } from "./rdata-fields.ts";
import { regexpFits } from "./rdata-regexp.ts";

/** Does RDATA whose fields fit satisfy the rule of its type? */
type Rule = (octets: Uint8Array) => boolean;

/** Fields of types that have the generic form of RFC 3597 only: they are checked, and neither read nor written. */
export const UNREAD_FIELDS: ReadonlyMap<number, readonly Field[]> = new Map<number, readonly Field[]>([
  [TYPE.WKS, ["ipv4", "u8", "rest"]],
  [TYPE.NSAP, ["hex"]],
  [23, ["name"]], // NSAP-PTR, RFC 1706
  [TYPE.NXT, ["name", "rest"]],
  [31, ["hex"]], // EID
  [32, ["hex"]], // NIMLOC
  [34, ["u8", "hex"]], // ATMA
  [38, ["u8", "rest"]], // A6, RFC 2874
  [40, ["u8", "u8", "hex"]], // SINK
  [TYPE.HIP, ["u8", "u8", "u16", "rest"]],
  [57, ["u16", "u8", "algorithm", "base64"]], // RKEY
  [58, ["name", "name"]], // TALINK
  [66, ["u16", "u8", "u16", "name"]], // DSYNC, RFC 9859
  [67, ["hex"]], // HHIT, RFC 9886
  [68, ["hex"]], // BRID, RFC 9886
  [259, ["u32", "u32", "u8", "string", "rest"]], // DOA
  [260, ["u8", "u8", "rest"]], // AMTRELAY, RFC 8777
  [261, ["strings"]], // RESINFO, RFC 9606
  [262, ["strings"]], // WALLET
]);

/** Octets of digests by their numbers: DS (RFC 4034, 4509, 5933, 6605), SSHFP (RFC 4255, 6594), ZONEMD (RFC 8976 §5.3). */
const DS_DIGESTS: readonly (number | undefined)[] = [undefined, 20, 32, 32, 48];
const SSH_DIGESTS: readonly (number | undefined)[] = [undefined, 20, 32];
const ZONE_DIGESTS: readonly (number | undefined)[] = [undefined, 48, 64];

/** The digest that begins behind its number has the length that the number requires, or at least `least` octets. */
const digest =
  (digests: readonly (number | undefined)[], from: number, least = 1): Rule =>
  (octets) => {
    const size = octets.length - from;
    return size === (digests[octets[from - 1] as number] ?? Math.max(least, size));
  };
const ds = digest(DS_DIGESTS, 4);

const digits: Rule = (octets) => octets.every((octet) => octet >= 0x30 && octet <= 0x39);

/** Where the character-string at `at` ends (RFC 1035 §3.3). */
const stringEnd = (octets: Uint8Array, at: number): number => at + 1 + (octets[at] as number);

/** The second character-string is the last. */
const secondEnds: Rule = (octets) => stringEnd(octets, stringEnd(octets, 0)) === octets.length;

/** True if these octets are one name, or begin with one. */
function isName(octets: Uint8Array, whole = true): boolean {
  let at = 0;
  while (at < octets.length && octets[at] !== 0) {
    if ((octets[at] as number) > 63) return false;
    at += (octets[at] as number) + 1;
  }
  return at < octets.length && at < 255 && (!whole || at + 1 === octets.length);
}

/** Algorithms 253 and 254 begin key and signature with a name or an OID (RFC 4034 appendix A.1.1). */
function algorithmFits(algorithm: number, data: Uint8Array): boolean {
  if (algorithm === 253) return isName(data, false);
  if (algorithm !== 254) return true;
  const [size = 0, tag, inner = 0] = data;
  const arcs = data.subarray(3, 3 + inner);
  return (
    tag === 6 &&
    inner > 0 &&
    inner < 128 &&
    inner === arcs.length &&
    size === inner + 2 &&
    // ISO 8825-1 §8.19: no number begins with 0x80, and the last one ends
    arcs.every((octet, i) => octet !== 0x80 || (i > 0 && (arcs[i - 1] as number) >= 0x80)) &&
    (arcs[inner - 1] as number) < 0x80
  );
}

const keyFits: Rule = (octets) => algorithmFits(octets[3] as number, octets.subarray(4));

const signatureFits: Rule = (octets) =>
  algorithmFits(octets[2] as number, octets.subarray(wireNameEnd(octets, 18)));

/** The signer has no more labels than the owner that was signed (RFC 4034 §3.1.3). */
const signerFits: Rule = (octets) => {
  let labels = 0;
  for (let at = 18; octets[at] !== 0; at += (octets[at] as number) + 1) labels++;
  return labels <= (octets[3] as number) && signatureFits(octets);
};

/** A bit map of types to 127, without a trailing zero (RFC 2535 §5.2). */
const nxtFits: Rule = (octets) => {
  const map = octets.subarray(wireNameEnd(octets, 0));
  return map.length === 0 || (map.length <= 16 && (map[0] as number) < 0x80 && map.at(-1) !== 0);
};

/** Prefix length, the bits of the address behind it, and the prefix's name where there is one (RFC 2874 §3.1). */
const a6Fits: Rule = (octets) => {
  const prefix = octets[0] as number;
  if (prefix > 128) return false;
  const at = 17 - (prefix >>> 3);
  if (octets.length < at || (prefix < 128 && (octets[1] as number) > 0xff >>> (prefix & 7))) return false;
  return prefix === 0 ? octets.length === at : isName(octets.subarray(at));
};

/** Identity and key that are not empty, then names (RFC 8005 §5). */
const hipFits: Rule = (octets) => {
  const [identity = 0] = octets;
  const key = read16(octets, 2);
  let at = 4 + identity + key;
  if (identity === 0 || key === 0) return false;
  while (at < octets.length) {
    if (!isName(octets.subarray(at), false)) return false;
    at = wireNameEnd(octets, at);
  }
  return at === octets.length;
};

/** A relay of the type that the seven bits before it say (RFC 8777 §4.2.3). */
const relayFits: Rule = (octets) => {
  const kind = (octets[1] as number) & 0x7f;
  const relay = octets.subarray(2);
  return kind === 3 ? isName(relay) : relay.length === ([0, 4, 16][kind] ?? relay.length);
};

const naptrFits: Rule = (octets) => {
  const at = stringEnd(octets, stringEnd(octets, 4));
  return regexpFits(octets.subarray(at + 1, stringEnd(octets, at)));
};

/** The rule of each type that has one. */
export const RULES: ReadonlyMap<number, Rule> = new Map<number, Rule>([
  [TYPE.DS, ds],
  [TYPE.CDS, ds],
  [TYPE.DLV, ds],
  [TYPE.SSHFP, digest(SSH_DIGESTS, 2)],
  [TYPE.ZONEMD, digest(ZONE_DIGESTS, 6, 12)],
  // a digit string of at least four (RFC 1183 §3.1)
  [TYPE.X25, (octets) => octets.length > 4 && digits(octets.subarray(1))],
  // number, and subaddress where there is one (RFC 1183 §3.2)
  [TYPE.ISDN, (octets) => stringEnd(octets, 0) === octets.length || secondEnds(octets)],
  [TYPE.NAPTR, naptrFits],
  [TYPE.KEY, (octets) => (octets[0] as number) < 0xc0 && keyFits(octets)],
  [TYPE.DNSKEY, keyFits],
  [TYPE.CDNSKEY, keyFits],
  [57, (octets) => read16(octets, 0) === 0 && keyFits(octets)],
  [TYPE.SIG, signatureFits],
  [TYPE.RRSIG, signerFits],
  // it names the NSEC itself at least (RFC 4034 §4.1.2)
  [TYPE.NSEC, (octets) => octets.length > wireNameEnd(octets, 0)],
  // SHA-1 has 20 octets (RFC 5155 §3.1.7)
  [TYPE.NSEC3, (octets) => octets[0] !== 1 || octets[stringEnd(octets, 4)] === 20],
  [TYPE.WKS, (octets) => octets.length === 5 || (octets.length <= 8197 && octets.at(-1) !== 0)],
  [TYPE.NXT, nxtFits],
  [34, (octets) => octets[0] !== 1 || digits(octets.subarray(1))],
  [38, a6Fits],
  [TYPE.HIP, hipFits],
  [260, relayFits],
]);
