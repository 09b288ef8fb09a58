declare const brand: unique symbol;
/** An IPv4 address in its one canonical dotted form (RFC 6943 §3.1.1: no octal, no short forms). */
export type Ipv4 = string & { readonly [brand]: "Ipv4" };

/** Addresses `first` to `last`, both included. */
export interface Range {
  readonly first: Ipv4;
  readonly last: Ipv4;
}

const OCTET = "(25[0-5]|2[0-4]\\d|1\\d\\d|[1-9]?\\d)";
const ADDRESS = new RegExp(`^${OCTET}\\.${OCTET}\\.${OCTET}\\.${OCTET}$`);

/** The address written in `text`, or undefined when it is no address. */
export function parseIpv4(text: string): Ipv4 | undefined {
  return ADDRESS.test(text) ? (text as Ipv4) : undefined;
}

/** The address as a number, 0 to 2³²-1. */
export function toNumber(address: Ipv4): number {
  let [n, octet] = [0, 0];
  // by characters: a run for 1 000 containers asks some 50 000 times
  for (let i = 0; i < address.length; i++) {
    const code = address.charCodeAt(i);
    if (code === DOT) [n, octet] = [n * 256 + octet, 0];
    else octet = octet * 10 + code - ZERO;
  }
  return n * 256 + octet;
}

const DOT = 0x2e;
const ZERO = 0x30;

/** The address of a number, 0 to 2³²-1. */
export function fromNumber(n: number): Ipv4 {
  return `${n >>> 24}.${(n >>> 16) & 255}.${(n >>> 8) & 255}.${n & 255}` as Ipv4;
}

/** Sort order of addresses. */
export function compareIpv4(a: Ipv4, b: Ipv4): number {
  return toNumber(a) - toNumber(b);
}

/** `a.b.c.d/n` as the range it covers (host bits may be set), or undefined. A bare address is a /32. */
export function parseCidr(text: string): Range | undefined {
  const [addressText = "", prefixText = "32", rest] = text.split("/");
  const address = parseIpv4(addressText);
  if (address === undefined || rest !== undefined || !/^(3[0-2]|[12]?\d)$/.test(prefixText)) return undefined;
  const size = 2 ** (32 - Number(prefixText));
  const first = Math.floor(toNumber(address) / size) * size;
  return { first: fromNumber(first), last: fromNumber(first + size - 1) };
}

export function contains(range: Range, address: Ipv4): boolean {
  const n = toNumber(address);
  return toNumber(range.first) <= n && n <= toNumber(range.last);
}

export function overlaps(a: Range, b: Range): boolean {
  return toNumber(a.first) <= toNumber(b.last) && toNumber(b.first) <= toNumber(a.last);
}

/** Number of addresses in the range. */
export function sizeOf(range: Range): number {
  return toNumber(range.last) - toNumber(range.first) + 1;
}

export function* addressesOf(range: Range): Generator<Ipv4> {
  const last = toNumber(range.last);
  for (let n = toNumber(range.first); n <= last; n++) yield fromNumber(n);
}

/** Ranges in order, those that touch or overlap joined. */
export function mergeRanges(ranges: readonly Range[]): Range[] {
  const merged: { first: Ipv4; last: Ipv4 }[] = [];
  for (const range of [...ranges].sort((a, b) => compareIpv4(a.first, b.first))) {
    const open = merged.at(-1);
    if (open !== undefined && toNumber(range.first) <= toNumber(open.last) + 1) {
      if (compareIpv4(range.last, open.last) > 0) open.last = range.last;
    } else merged.push({ first: range.first, last: range.last });
  }
  return merged;
}

/** The parts of `ranges` that lie in none of `holes`, in order. */
export function subtract(ranges: readonly Range[], holes: readonly Range[]): Range[] {
  const left: Range[] = [];
  const inOrder = mergeRanges(holes);
  for (const range of mergeRanges(ranges)) {
    let first = toNumber(range.first);
    for (const hole of inOrder.filter((one) => overlaps(one, range))) {
      const before = toNumber(hole.first) - 1;
      if (first <= before) left.push({ first: fromNumber(first), last: fromNumber(before) });
      first = toNumber(hole.last) + 1;
    }
    if (first <= toNumber(range.last)) left.push({ first: fromNumber(first), last: range.last });
  }
  return left;
}

/** Ranges in order, joined, without these addresses. */
export function withoutAddresses(ranges: readonly Range[], addresses: readonly Ipv4[]): Range[] {
  return subtract(
    ranges,
    addresses.map((address) => ({ first: address, last: address })),
  );
}

/** The fewest CIDR blocks that cover exactly these ranges, in order, as iptables prints them. */
export function toCidrs(ranges: readonly Range[]): string[] {
  const blocks: string[] = [];
  for (const range of mergeRanges(ranges)) {
    let first = toNumber(range.first);
    const last = toNumber(range.last);
    while (first <= last) {
      let bits = 0;
      while (bits < 32 && first % 2 ** (bits + 1) === 0 && first + 2 ** (bits + 1) - 1 <= last) bits++;
      blocks.push(`${fromNumber(first)}/${32 - bits}`);
      first += 2 ** bits;
    }
  }
  return blocks;
}
