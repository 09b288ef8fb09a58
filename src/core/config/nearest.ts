/** Edits between a name and one that it was meant to be, at most: two in three letters make most short words of each other. */
const few = (name: string): number => (name.length <= 3 ? 1 : 2);

/**
 * The known word with the fewest edits between it and `name`, upper and lower case being the same; null where none is so near that it
 * was meant.
 */
export function meant(name: string, known: readonly string[]): string | null {
  const upper = name.toUpperCase().slice(0, 64);
  const [distance, word] = known
    .map((word) => [edits(upper, word.toUpperCase()), word] as const)
    .sort((a, b) => a[0] - b[0])[0] ?? [0, ""];
  // as many edits as letters make any word of any other
  return word !== "" && distance <= few(name) && distance < name.length ? word : null;
}

/** Optimal string alignment: a letter more, a letter less, another letter, or two neighbours exchanged, is one edit each. */
export function edits(a: string, b: string): number {
  let last: readonly number[] = [];
  let row: readonly number[] = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const swap = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      const exchanged = j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      const turn = exchanged ? (last[j - 2] ?? 0) + 1 : Number.POSITIVE_INFINITY;
      next.push(Math.min(swap, turn, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    last = row;
    row = next;
  }
  return row[b.length] ?? 0;
}
