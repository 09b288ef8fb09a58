/** A file that is followed over its replacements, for the zone and the page. */
import { type FSWatcher, statSync, watch } from "node:fs";
import { basename, dirname } from "node:path";
import { NotRegular, readRegularSync } from "../platform/regular-file.ts";

/** Milliseconds between polls, for when inotify reports nothing (network file systems, bind mounts). */
const POLL_MS = 100;
/** Milliseconds without a change before a file written in place is read: half of it would be a shorter zone. */
const SETTLE_MS = 60;

/** A file being followed. */
export interface FollowedFile {
  /** Settles after the first look, which is over when `followFile` returns. */
  readonly looked: Promise<void>;
  close(): void;
}

/** Content of the file, or why there is none. */
export type Found = { readonly octets: Buffer } | { readonly absent: string };

/**
 * Follow a file that is replaced by rename: `seen` gets its octets before this returns and after every change, or the reason why it
 * cannot be read. The directory is watched, because a watch on the file would stay with the old one.
 */
export function followFile(path: string, seen: (found: Found) => void): FollowedFile {
  let last = "";
  let lastInode = -1;
  let watcher: FSWatcher | undefined;
  let rest: NodeJS.Timeout | undefined;
  /** The state that is being waited on; empty without a timer. */
  let unsettled = "";

  // Synchronous: the next step is a computation, and a change of threads would only delay it.
  const look = (settled?: string): void => {
    let found: Found;
    try {
      const { mtimeMs, ino, size } = statSync(path);
      const mark = `${ino} ${size} ${mtimeMs}`;
      if (mark === last) return;
      // The same inode with new content is being written in place; a rename brings a whole new one. Its time is not compared
      // with the clock: it may lie in the future.
      if (ino === lastInode && mark !== settled) {
        if (mark !== unsettled) settle(mark);
        return;
      }
      found = { octets: readRegularSync(path) };
      last = mark;
      lastInode = ino;
    } catch (error) {
      const { code = "", message } = error as NodeJS.ErrnoException;
      const absent =
        code === "ENOENT"
          ? "does not exist"
          : code === "EACCES"
            ? "cannot be read: permission denied"
            : error instanceof NotRegular
              ? `is ${error.what}`
              : message;
      if (last === absent) return;
      found = { absent };
      last = absent;
      lastInode = -1;
    }
    seen(found);
  };

  const settle = (mark: string): void => {
    clearTimeout(rest);
    unsettled = mark;
    rest = setTimeout(() => {
      unsettled = "";
      look(mark);
    }, SETTLE_MS);
  };
  const detach = () => {
    watcher?.close();
    watcher = undefined;
  };
  const attach = () => {
    try {
      watcher = watch(dirname(path), (_event, name) => {
        if (name === null || name === basename(path)) look();
      });
      watcher.on("error", detach);
    } catch {
      // No directory yet: the next poll tries again.
    }
  };
  attach();
  const poll = setInterval(() => {
    if (watcher === undefined) attach();
    look();
  }, POLL_MS);
  look();
  return {
    looked: Promise.resolve(),
    close() {
      clearInterval(poll);
      clearTimeout(rest);
      detach();
    },
  };
}
