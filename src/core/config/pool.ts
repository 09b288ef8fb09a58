/** The address range: its limits, how a part of it is written, and how the bash script's three keys give it. */
import {
  compareIpv4,
  type Ipv4,
  overlaps,
  parseCidr,
  parseIpv4,
  type Range,
  sizeOf,
} from "../addresses/ipv4.ts";

const NEITHER = "which is neither FIRST-LAST nor a CIDR";

/** `192.168.122.11-192.168.122.30`, a CIDR, or an address; else what is wrong with it, to follow the text in quotes. */
export function readPart(part: string): Range | string {
  const ends = part.split("-").map((end) => end.trim());
  if (ends.length > 2 || ends.includes("")) return NEITHER;
  const [first = "", last] = ends;
  if (last === undefined) {
    const [address = "", prefix = "32", more] = first.split("/");
    if (more !== undefined || !/^[\d.]+$/.test(address)) return NEITHER;
    return parseCidr(first) ?? addressProblem(address) ?? `where /${prefix} is no prefix length (0 to 32)`;
  }
  const [a, b] = [parseIpv4(first), parseIpv4(last)];
  if (a === undefined) return addressProblem(first) ?? NEITHER;
  if (b === undefined) return addressProblem(last) ?? NEITHER;
  return compareIpv4(a, b) > 0 ? "whose last address is below its first" : { first: a, last: b };
}

/** Null for what is an address. */
function addressProblem(text: string): string | null {
  if (parseIpv4(text) !== undefined) return null;
  const octets = /^\d+(\.\d+){3}$/.test(text) ? text.split(".") : [];
  const wrong = octets.find((octet) => parseIpv4(`0.0.0.${octet}`) === undefined);
  return wrong === undefined
    ? `where "${text}" is no IPv4 address`
    : `where "${wrong}" is no octet of an address (0 to 255, no zero before it)`;
}

/** The three keys, as far as they are set. */
export interface ThreeKeys {
  readonly IP_SUBNET: string;
  readonly IP_RANGE_START: number | null;
  readonly IP_RANGE_END: number | null;
}

/**
 * The range of the three keys; `problem` is called with what is missing or wrong, and the range is empty then: with IP_RANGE where none of
 * them is set.
 */
export function threeKeyRange(
  keys: ThreeKeys,
  problem: (key: keyof ThreeKeys | "IP_RANGE", message: string) => void,
  unread: ReadonlySet<string> = new Set(),
): readonly Range[] {
  // a key whose value is wrong is undefined here and has been reported already, as has one whose line could not be read
  const { IP_SUBNET: net, IP_RANGE_START: start, IP_RANGE_END: end } = keys;
  const missing = (key: keyof ThreeKeys): void => {
    if (!unread.has(key) && !unread.has("IP_RANGE")) problem(key, "is not set (nor is IP_RANGE)");
  };
  if (net === "" && start === null && end === null && unread.size === 0) {
    problem("IP_RANGE", "is not set");
    return [];
  }
  if (net === "") missing("IP_SUBNET");
  if (start === null) missing("IP_RANGE_START");
  if (end === null) missing("IP_RANGE_END");
  if (!net || typeof start !== "number" || typeof end !== "number") return [];
  if (start > end) {
    problem("IP_RANGE_END", `is ${end}, must not be below IP_RANGE_START (${start})`);
    return [];
  }
  const pool = [{ first: `${net}.${start}` as Ipv4, last: `${net}.${end}` as Ipv4 }];
  const message = unusable(pool);
  if (message === null) return pool;
  problem("IP_SUBNET", message);
  return [];
}

/** Networks whose addresses no host can have (RFC 6890): "this network", loopback, multicast and above. */
const NEVER = ["0.0.0.0/8", "127.0.0.0/8", "224.0.0.0/3"].flatMap((cidr) => parseCidr(cidr) ?? []);

/** Each address of the range is a line of iplist.txt, and one on hold a lease, whether it is ever used or not. */
const MOST_ADDRESSES = 65_536;

/** Why a range is not valid, or null. */
export function unusable(pool: readonly Range[]): string | null {
  const bad = pool.find((range) => NEVER.some((never) => overlaps(never, range)));
  if (bad !== undefined) return `holds ${bad.first}, which is no address that a host can have`;
  const size = pool.reduce((n, range) => n + sizeOf(range), 0);
  if (size === 0) return "holds no address";
  return size > MOST_ADDRESSES ? `holds ${size} addresses, must hold ${MOST_ADDRESSES} at most` : null;
}
