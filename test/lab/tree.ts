/** What is in a directory, to see whether a run has written. */

import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";

/** Path → `inode mtime size` of each file below a directory; the lock and the mark of the last run, which every run leaves, count by their names only. */
export async function tree(directory: string): Promise<Record<string, string>> {
  const found = await readdir(directory, { recursive: true, withFileTypes: true });
  const files = found
    .filter((one) => one.isFile())
    .map((one) => join(one.parentPath, one.name))
    .sort();
  const rows = files.map(async (path): Promise<[string, string]> => {
    const { ino, mtimeMs, size } = await stat(path);
    return [path, /lock$|last-run$/.test(path) ? "mark" : `${ino} ${mtimeMs} ${size}`];
  });
  return Object.fromEntries(await Promise.all(rows));
}
