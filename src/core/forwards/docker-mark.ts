/** The packet mark by which Docker's nftables backend lets aliases through: its bridge-accept-fwmark (Docker 29). */
import { addressesOf, type Range, toNumber } from "../addresses/ipv4.ts";
import { type Json, list, record } from "./nft-parse-policy.ts";

/** Marks whose bits of `mask` are `value`. */
export interface MarkMask {
  readonly value: number;
  readonly mask: number;
}

const and = (a: number, b: number): number => (a & b) >>> 0;

/**
 * The smallest prefix that holds the pool, as a mark. Docker takes only one. Null where it would hold the mark 0, which
 * every unmarked packet has.
 */
export function markOfPool(pool: readonly Range[]): MarkMask | null {
  const numbers = pool.flatMap(({ first, last }) => [toNumber(first), toNumber(last)]);
  const [least, most] = [Math.min(...numbers), Math.max(...numbers)];
  const mask = (0xffffffff << (32 - Math.clz32((least ^ most) >>> 0))) >>> 0;
  // a shift by 32 changes nothing
  const whole = Math.clz32((least ^ most) >>> 0) === 0;
  const value = and(least, mask);
  return whole || value === 0 ? null : { value, mask };
}

/** As Docker's configuration writes it. */
export const printMark = ({ value, mask }: MarkMask): string =>
  `0x${value.toString(16).padStart(8, "0")}/0x${mask.toString(16).padStart(8, "0")}`;

/** True when packets to all aliases of the pool have one of these marks. */
export const covers = (marks: readonly MarkMask[], pool: readonly Range[]): boolean =>
  pool.every((range) =>
    [...addressesOf(range)].every((alias) =>
      marks.some(({ value, mask }) => and(toNumber(alias), mask) === value),
    ),
  );

/** Marks that Docker accepts, of `nft -j list table ip docker-bridges`. Throws SyntaxError for invalid JSON. */
export function acceptedMarks(listing: string): MarkMask[] {
  return list(record(JSON.parse(listing)).nftables).flatMap((object): MarkMask[] => {
    const { chain, expr } = record(record(object).rule);
    const parts = list(expr).map(record);
    const accepts = parts.some((part) => "accept" in part);
    if (!accepts || !String(chain).startsWith("filter-forward-in__")) return [];
    return parts.flatMap((part) => markOfMatch(record(part.match)));
  });
}

/** A mask of leading bits is printed as a prefix by some versions of nft, as an operation by others. */
function markOfMatch({ op, left, right }: Json): MarkMask[] {
  const [masked, mask] = list(record(left)["&"]);
  const { key } = record(record(masked ?? left).meta);
  const { addr, len } = record(record(right).prefix);
  if (key !== "mark" || op !== "==") return [];
  if (typeof addr === "number" && typeof len === "number" && len > 0)
    return [{ value: addr, mask: (0xffffffff << (32 - len)) >>> 0 }];
  if (typeof right !== "number") return [];
  return [{ value: right, mask: typeof mask === "number" ? mask : 0xffffffff }];
}
