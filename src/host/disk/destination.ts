/** Where the new content of a file goes, when its path may be a symbolic link. */
import { type FileHandle, lstat, readlink, realpath, stat } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { HostError } from "../../core/errors.ts";
import { distrusted } from "./trusted-file.ts";

/** Where a file's content goes, with its mode and group. */
export interface Destination {
  readonly path: string;
  readonly mode: number;
  /** Null for the group of this process. */
  readonly group: number | null;
}

/**
 * The destination of a file that gets `mode` where it is a plain one. A symbolic link is followed, and its target keeps
 * mode and group. Throws HostError "refused" for a link that another user could have made, and what the file system throws.
 */
export async function destinationOf(path: string, mode: number): Promise<Destination> {
  const found = await lstat(path).catch(() => undefined);
  if (found?.isSymbolicLink() !== true) return { path, mode, group: null };
  const target = await targetOf(path);
  const there = await stat(target).catch(() => undefined);
  const why = await distrusted(path).catch((error: NodeJS.ErrnoException) => {
    // the target is missing; every path before it has been checked by then
    if (error.code === "ENOENT") return null;
    throw error;
  });
  if (why !== null) {
    throw new HostError("refused", `${path} is a symbolic link that is not followed: ${why}`, {
      remedy: "remove the link, or correct the owner or mode",
    });
  }
  return there === undefined
    ? { path: target, mode, group: null }
    : { path: target, mode: there.mode & 0o777, group: there.gid };
}

/** Gives a new file the group of the one it replaces. The director of the systemd unit has no CAP_CHOWN. */
export async function keepGroup(file: FileHandle, path: string, group: number): Promise<void> {
  const { uid, gid } = await file.stat();
  if (gid === group) return;
  await file.chown(uid, group).catch((cause) => {
    throw new HostError(
      "refused",
      `${path} belongs to group ${group}, which this process may not give a file`,
      {
        cause,
        remedy: `chgrp ${group} ${dirname(path)}; chmod g+s ${dirname(path)}`,
      },
    );
  });
}

/** The final target of a link, also when it does not exist yet. */
async function targetOf(link: string): Promise<string> {
  try {
    return await realpath(link);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
    const next = resolve(dirname(link), await readlink(link));
    return join(await realpath(dirname(next)), basename(next));
  }
}
