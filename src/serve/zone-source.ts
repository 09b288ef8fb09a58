import { type FSWatcher, watch } from "node:fs";
import { readFile, stat } from "node:fs/promises";
import { basename, dirname } from "node:path";

/** Milliseconds between looks at the file, for when the kernel's notices do not come (network file systems, mounts). */
const POLL = 100;
/** Milliseconds a file written in place must rest before it is read: half of it would be a shorter zone. */
const REST = 60;

/** A file being followed. */
export interface ZoneSource {
  /** Settles after the first look. */
  readonly looked: Promise<void>;
  close(): void;
}

/** What a look at the file found: its octets, or why there are none. */
export type Found = { readonly octets: Buffer } | { readonly absent: string };

/**
 * Follow a file that is replaced by rename: `seen` gets its octets at once and after every change, or the reason why it
 * cannot be read. The directory is watched, because a watch on the file would stay with the old one.
 */
export function followFile(path: string, seen: (found: Found) => void): ZoneSource {
  let closed = false;
  let busy = false;
  let again = false;
  let last = "";
  let lastInode = -1;
  let watcher: FSWatcher | undefined;
  let rest: NodeJS.Timeout | undefined;

  const look = async (settled: boolean): Promise<void> => {
    if (closed) return;
    if (busy) {
      again = true;
      return;
    }
    busy = true;
    try {
      const { mtimeMs, ino, size } = await stat(path);
      const mark = `${ino} ${size} ${mtimeMs}`;
      if (mark !== last) {
        // The same inode with new content is being written in place; a rename brings a whole new one.
        if (ino === lastInode && !settled && Date.now() - mtimeMs < REST) {
          clearTimeout(rest);
          rest = setTimeout(() => void look(false), REST);
        } else {
          const octets = await readFile(path);
          last = mark;
          lastInode = ino;
          if (!closed) seen({ octets });
        }
      }
    } catch (error) {
      const { code = "", message } = error as NodeJS.ErrnoException;
      const reason =
        code === "ENOENT"
          ? "is not there"
          : code === "EACCES"
            ? "cannot be read: permission denied"
            : message;
      if (last !== reason && !closed) seen({ absent: reason });
      last = reason;
      lastInode = -1;
    }
    busy = false;
    if (again) {
      again = false;
      await look(settled);
    }
  };

  const attach = () => {
    try {
      watcher = watch(dirname(path), (_event, name) => {
        if (name === null || name === basename(path)) void look(false);
      });
      watcher.on("error", detach);
    } catch {
      // No directory yet: the poll goes on, and tries again.
    }
  };
  const detach = () => {
    watcher?.close();
    watcher = undefined;
  };
  attach();
  const poll = setInterval(() => {
    if (watcher === undefined) attach();
    void look(false);
  }, POLL);
  const looked = look(true);
  return {
    looked,
    close() {
      closed = true;
      clearInterval(poll);
      clearTimeout(rest);
      detach();
    },
  };
}
