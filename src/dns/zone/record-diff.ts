/** Which records of two versions of a zone differ. Equal parts are compared by the C library, in large steps. */
import type { ZoneRecords } from "../text/zonefile.ts";

/** Offsets of the records that only the one, or only the other has. */
export interface Differences {
  readonly removed: readonly number[];
  readonly added: readonly number[];
}

/** The comparison stops when more records than this differ. */
const MAX_DIFFERENCES = 256;
/** Records looked ahead for a common one. */
const LOOKAHEAD_RECORDS = 64;

/** Records are compared in their order: one that has moved counts as removed and added. Undefined when too many differ. */
export function differences(before: ZoneRecords, after: ZoneRecords): Differences | undefined {
  const [a, b] = [run(before), run(after)];
  const removed: number[] = [];
  const added: number[] = [];
  // numbers of the next records
  let i = 0;
  let j = 0;
  for (;;) {
    const same = alike(a, i, b, j);
    i += same;
    j += same;
    if (i === a.starts.length && j === b.starts.length) return { removed, added };
    const mine = ahead(a, i);
    const theirs = ahead(b, j);
    const [gone, come] = meeting(mine, theirs) ?? [mine.length, theirs.length];
    const all = gone === mine.length && come === theirs.length;
    if (all && (mine.length === LOOKAHEAD_RECORDS || theirs.length === LOOKAHEAD_RECORDS)) return undefined;
    for (let n = 0; n < gone; n++) removed.push(a.starts[i++] as number);
    for (let n = 0; n < come; n++) added.push(b.starts[j++] as number);
    if (removed.length + added.length > MAX_DIFFERENCES) return undefined;
  }
}

interface Run {
  readonly wire: Buffer;
  readonly starts: readonly number[];
}

const run = ({ wire, starts }: ZoneRecords): Run => ({
  wire: Buffer.from(wire.buffer, wire.byteOffset, wire.length),
  starts,
});

const startOf = ({ wire, starts }: Run, record: number): number => starts[record] ?? wire.length;

/** How many records from `i` and `j` on are the same. */
function alike(a: Run, i: number, b: Run, j: number): number {
  const [from, to] = [startOf(a, i), startOf(b, j)];
  const octets = agreement(a.wire, from, b.wire, to);
  // the last record that ends within what is the same
  let least = i;
  let most = a.starts.length;
  while (least < most) {
    const middle = (least + most + 1) >>> 1;
    if (startOf(a, middle) - from <= octets) least = middle;
    else most = middle - 1;
  }
  // the other run may end where a record of this one goes on
  return Math.min(least - i, b.starts.length - j);
}

/** How many octets from `i` and `j` on are the same. */
function agreement(a: Buffer, i: number, b: Buffer, j: number): number {
  const most = Math.min(a.length - i, b.length - j);
  let n = 0;
  for (let step = 1 << 16; step >= 16; step >>>= 4)
    while (n + step <= most && a.compare(b, j + n, j + n + step, i + n, i + n + step) === 0) n += step;
  while (n < most && a[i + n] === b[j + n]) n++;
  return n;
}

/** The next records, as keys. */
function ahead(of: Run, from: number): string[] {
  const last = Math.min(from + LOOKAHEAD_RECORDS, of.starts.length);
  const keys: string[] = [];
  for (let record = from; record < last; record++)
    keys.push(of.wire.toString("latin1", startOf(of, record), startOf(of, record + 1)));
  return keys;
}

/** How many of each to pass over until both go on with the same record: the fewest; undefined when they do not. */
function meeting(mine: readonly string[], theirs: readonly string[]): [number, number] | undefined {
  const at = new Map<string, number>();
  for (let n = mine.length - 1; n >= 0; n--) at.set(mine[n] as string, n);
  let best: [number, number] | undefined;
  for (const [n, key] of theirs.entries()) {
    const m = at.get(key);
    if (m !== undefined && (best === undefined || m + n < best[0] + best[1])) best = [m, n];
  }
  return best;
}
