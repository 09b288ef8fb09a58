/** What an unprivileged user may read: `serve` runs as such a user. */
import { stat } from "node:fs/promises";
import { dirname } from "node:path";

const MAY_READ = 0o004;
const MAY_ENTER = 0o001;

/** The first part of `path` that other users may not read or enter; undefined when there is none, or no such path. */
export async function closedToOthers(path: string): Promise<string | undefined> {
  const way: string[] = [];
  for (let at = path; at !== dirname(at); at = dirname(at)) way.unshift(at);
  for (const at of way) {
    const found = await stat(at).catch(() => undefined);
    if (found === undefined) return undefined;
    const needed = (found.isDirectory() ? MAY_ENTER : 0) | (at === path ? MAY_READ : 0);
    if ((found.mode & needed) !== needed) return at;
  }
  return undefined;
}
