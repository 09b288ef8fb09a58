import fc from "fast-check";
import t from "tap";
import {
  addressesOf,
  compareIpv4,
  contains,
  fromNumber,
  mergeRanges,
  overlaps,
  parseCidr,
  parseIpv4,
  sizeOf,
  subtract,
  toCidrs,
  toNumber,
  withoutAddresses,
} from "../../../src/core/addresses/ipv4.ts";
import { ip } from "../make.ts";

const number = fc.integer({ min: 0, max: 2 ** 32 - 1 });
/** A range small enough to be listed, anywhere, the very ends of the space among them. */
const range = fc
  .tuple(
    fc.oneof(number, fc.integer({ min: 0, max: 300 }), fc.integer({ min: 2 ** 32 - 300, max: 2 ** 32 - 1 })),
    fc.nat(300),
  )
  .map(([first, more]) => ({
    first: fromNumber(first),
    last: fromNumber(Math.min(first + more, 2 ** 32 - 1)),
  }));

t.test("only the canonical dotted form is an address", async (t) => {
  for (const text of ["0.0.0.0", "255.255.255.255", "192.168.122.11", "10.0.0.9"])
    t.equal(parseIpv4(text), text);
  const none = [
    "",
    "1.2.3",
    "1.2.3.4.5",
    "256.1.1.1",
    "1.2.3.04",
    "010.1.1.1",
    "1.2.3.4 ",
    "1.2.3.-4",
    "１.2.3.4",
    "0x1.2.3.4",
    "1.2.3.4\n",
  ];
  for (const text of none) t.equal(parseIpv4(text), undefined, JSON.stringify(text));
});

t.test("numbers and addresses are each other's inverse and sort alike", async () => {
  fc.assert(
    fc.property(number, (n) => toNumber(fromNumber(n)) === n && parseIpv4(fromNumber(n)) === fromNumber(n)),
  );
  fc.assert(
    fc.property(
      number,
      number,
      (a, b) => Math.sign(compareIpv4(fromNumber(a), fromNumber(b))) === Math.sign(a - b),
    ),
  );
});

t.test("CIDR notation", async (t) => {
  const table: [string, [string, string] | undefined][] = [
    ["192.168.122.11", ["192.168.122.11", "192.168.122.11"]],
    ["10.9.8.7/8", ["10.0.0.0", "10.255.255.255"]],
    ["0.0.0.0/0", ["0.0.0.0", "255.255.255.255"]],
    ["255.255.255.255/31", ["255.255.255.254", "255.255.255.255"]],
    ["10.0.0.0/33", undefined],
    ["10.0.0.0/", undefined],
    ["10.0.0.0/08", undefined],
    ["10.0.0/8", undefined],
    ["10.0.0.0/8/9", undefined],
    ["fd00::/8", undefined],
  ];
  for (const [text, want] of table) {
    const got = parseCidr(text);
    t.strictSame(got && [got.first, got.last], want, text);
  }
});

t.test("toCidrs covers exactly the ranges, in order, with blocks that do not overlap", async () => {
  fc.assert(
    fc.property(fc.array(range, { maxLength: 5 }), (ranges) => {
      const want = new Set(ranges.flatMap((r) => [...addressesOf(r)]));
      const blocks = toCidrs(ranges).map((cidr) => parseCidr(cidr));
      const got = blocks.flatMap((block) => (block === undefined ? [] : [...addressesOf(block)]));
      const sorted = got.every((address, i) => i === 0 || compareIpv4(got[i - 1] ?? address, address) < 0);
      return sorted && got.length === want.size && got.every((address) => want.has(address));
    }),
  );
});

t.test("subtract: exactly the addresses in no hole, in order", async () => {
  const ranges = fc.array(range, { maxLength: 4 });
  fc.assert(
    fc.property(ranges, ranges, (from, holes) => {
      const gone = new Set(holes.flatMap((r) => [...addressesOf(r)]));
      const want = new Set(from.flatMap((r) => [...addressesOf(r)]).filter((address) => !gone.has(address)));
      const got = subtract(from, holes).flatMap((r) => [...addressesOf(r)]);
      const sorted = got.every((address, i) => i === 0 || compareIpv4(got[i - 1] ?? address, address) < 0);
      return sorted && got.length === want.size && got.every((address) => want.has(address));
    }),
  );
});

t.test("toCidrs uses the fewest blocks", async (t) => {
  const whole = { first: ip("0.0.0.0"), last: ip("255.255.255.255") };
  t.strictSame(toCidrs([whole]), ["0.0.0.0/0"]);
  t.strictSame(toCidrs([{ first: ip("192.168.122.11"), last: ip("192.168.122.30") }]), [
    "192.168.122.11/32",
    "192.168.122.12/30",
    "192.168.122.16/29",
    "192.168.122.24/30",
    "192.168.122.28/31",
    "192.168.122.30/32",
  ]);
  t.strictSame(
    toCidrs([
      { first: ip("10.0.0.0"), last: ip("10.0.0.127") },
      { first: ip("10.0.0.128"), last: ip("10.0.0.255") },
    ]),
    ["10.0.0.0/24"],
  );
  // no two neighbours of one size could be joined
  fc.assert(
    fc.property(range, (r) => {
      const blocks = toCidrs([r]).map((cidr) => parseCidr(cidr));
      return blocks.every((block, i) => {
        const next = blocks[i + 1];
        if (block === undefined || next === undefined || sizeOf(block) !== sizeOf(next)) return true;
        return toNumber(block.first) % (2 * sizeOf(block)) !== 0;
      });
    }),
  );
});

t.test("merged ranges hold the same addresses, apart from each other", async () => {
  fc.assert(
    fc.property(fc.array(range, { maxLength: 6 }), number, (ranges, probe) => {
      const merged = mergeRanges(ranges);
      const address = fromNumber(probe);
      const edges = ranges.flatMap((r) => [r.first, r.last]);
      const same = [address, ...edges].every(
        (a) => merged.some((r) => contains(r, a)) === ranges.some((r) => contains(r, a)),
      );
      return (
        same &&
        merged.every((r, i) => i === 0 || toNumber(r.first) > toNumber(merged[i - 1]?.last ?? r.first) + 1)
      );
    }),
  );
});

t.test("ranges without some addresses hold exactly the others", async () => {
  fc.assert(
    fc.property(fc.array(range, { maxLength: 3 }), fc.array(fc.nat(300)), (ranges, picks) => {
      const merged = mergeRanges(ranges);
      const all = merged.flatMap((r) => [...addressesOf(r)]);
      const holes = picks.flatMap((n) => all[n % all.length] ?? []);
      const left = withoutAddresses(ranges, holes).flatMap((r) => [...addressesOf(r)]);
      return left.join() === all.filter((address) => !holes.includes(address)).join();
    }),
  );
});

t.test("two ranges overlap when one contains an end of the other", async () => {
  fc.assert(
    fc.property(range, range, (a, b) => {
      const want = contains(a, b.first) || contains(b, a.first);
      return overlaps(a, b) === want && overlaps(b, a) === want;
    }),
  );
});
