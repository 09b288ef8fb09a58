/** The address range: its limits, and how the bash script's three keys give it. */
import { type Ipv4, overlaps, parseCidr, type Range, sizeOf } from "../addresses/ipv4.ts";

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
