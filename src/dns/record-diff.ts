/** Which records of two runs of wire records differ. */
import { wireNameEnd } from "./name.ts";
import { read16 } from "./octets.ts";

/** Offsets of the records that only the one, or only the other has. */
export interface Differences {
  readonly removed: readonly number[];
  readonly added: readonly number[];
}

/** So many that differ are not worth looking for more. */
const MOST = 256;
/** Records looked ahead for a common one. */
const AHEAD = 64;

/** Records are compared in their order: one that has moved counts as removed and added. Undefined when too many differ. */
export function differences(before: Uint8Array, after: Uint8Array): Differences | undefined {
  const removed: number[] = [];
  const added: number[] = [];
  let i = 0;
  let j = 0;
  while (i < before.length || j < after.length) {
    const ends = [recordEnd(before, i), recordEnd(after, j)] as const;
    if (sameRecord(before, i, ends[0], after, j, ends[1])) {
      [i, j] = ends;
      continue;
    }
    const mine = ahead(before, i);
    const theirs = ahead(after, j);
    const [gone, come] = meeting(mine, theirs) ?? [mine.length, theirs.length];
    const all = gone === mine.length && come === theirs.length;
    if (all && (mine.length === AHEAD || theirs.length === AHEAD)) return undefined;
    for (let n = 0; n < gone; n++) {
      removed.push(i);
      i = recordEnd(before, i);
    }
    for (let n = 0; n < come; n++) {
      added.push(j);
      j = recordEnd(after, j);
    }
    if (removed.length + added.length > MOST) return undefined;
  }
  return { removed, added };
}

/** End of the record at `at`; `at` itself behind the last one. */
function recordEnd(wire: Uint8Array, at: number): number {
  if (at >= wire.length) return at;
  const fixed = wireNameEnd(wire, at);
  return fixed + 10 + read16(wire, fixed + 8);
}

function sameRecord(
  a: Uint8Array,
  atA: number,
  endA: number,
  b: Uint8Array,
  atB: number,
  endB: number,
): boolean {
  const size = endA - atA;
  if (size === 0 || size !== endB - atB) return false;
  for (let i = 0; i < size; i++) if (a[atA + i] !== b[atB + i]) return false;
  return true;
}

/** The next records, as keys. */
function ahead(wire: Uint8Array, from: number): string[] {
  const keys: string[] = [];
  for (let at = from; at < wire.length && keys.length < AHEAD; ) {
    const end = recordEnd(wire, at);
    keys.push(Buffer.from(wire.buffer, wire.byteOffset + at, end - at).toString("latin1"));
    at = end;
  }
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
