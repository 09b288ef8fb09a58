/** Where the new content of a file goes, when its path may lead through symbolic links. */
import { constants } from "node:fs";
import { type FileHandle, lstat, readlink, realpath, stat } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { HostError } from "../../core/errors.ts";
import { openRegular, requireRegular } from "../../platform/regular-file.ts";
import { foreignLink } from "./trusted-file.ts";

/** Where a file's content goes, with its mode and group. */
export interface Destination {
  readonly path: string;
  readonly mode: number;
  /** Null for the group of this process. */
  readonly group: number | null;
}

/** Throws HostError "refused" where a symbolic link on the way to `path`, its end included, could be another user's. */
export async function refuseForeignLinks(path: string): Promise<void> {
  const why = await foreignLink(path);
  if (why !== null)
    throw new HostError("refused", why, { remedy: "remove the link, or correct the owner or mode" });
}

/**
 * Opens a file of OCDD's own with the flags of open(2): it is no link, which could lead to a file of another program. Throws HostError
 * "refused" as above, NotRegular, and what the file system throws.
 */
export async function openOwn(path: string, flags: number, mode?: number): Promise<FileHandle> {
  await refuseForeignLinks(path);
  return openRegular(path, flags | constants.O_NOFOLLOW, mode);
}

/**
 * The destination of a file that gets `mode` where it is a plain one. A symbolic link is followed, and its target keeps
 * mode and group. Throws HostError "refused" as above, NotRegular, and what the file system throws.
 */
export async function destinationOf(path: string, mode: number): Promise<Destination> {
  await refuseForeignLinks(path);
  const found = await lstat(path).catch(() => undefined);
  const isLink = found?.isSymbolicLink() === true;
  const target = isLink ? await targetOf(path) : path;
  const there = isLink ? await stat(target).catch(() => undefined) : found;
  if (there !== undefined) requireRegular(there);
  return isLink && there !== undefined
    ? { path: target, mode: there.mode & 0o777, group: there.gid }
    : { path: target, mode, group: null };
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
