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

/** Levenshtein distance. */
export function edits(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const swap = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(swap, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}
