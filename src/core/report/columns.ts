/** Text in columns, two blanks apart. */

/**
 * A head and rows as lines; the last column is as wide as it is. `paint` may colour a cell of the rows, by the title of its
 * column: colours take no room.
 */
export function columns(
  head: readonly string[],
  rows: readonly (readonly string[])[],
  paint: (cell: string, title: string) => string = (cell) => cell,
): string {
  const widths = head.map((title, i) => Math.max(title.length, ...rows.map((row) => row[i]?.length ?? 0)));
  const line = (row: readonly string[], shown: (cell: string, title: string) => string): string =>
    `${row
      .map((cell, i) => `${shown(cell, head[i] ?? "")}${"".padEnd((widths[i] ?? 0) - cell.length)}`)
      .join("  ")
      .trimEnd()}\n`;
  return [line(head, (title) => title), ...rows.map((row) => line(row, paint))].join("");
}
