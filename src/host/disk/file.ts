/** Files that are replaced whole: a reader sees the old or the new content, never a part. */
import { chmod, type FileHandle, link, mkdir, open, realpath, rename, unlink } from "node:fs/promises";
import { dirname } from "node:path";
import { HostError } from "../../core/errors.ts";
import { newOf } from "../../core/paths.ts";
import { openRegular, readRegular } from "../../platform/regular-file.ts";
import { inTime } from "./deadline.ts";
import { destinationOf, keepGroup, refuseForeignLinks } from "./destination.ts";

/** Text of a file as octets, one a character; undefined when there is none. */
export async function readOctets(path: string): Promise<string | undefined> {
  return readOrNone(path, "latin1");
}

/** UTF-8 text of a file; undefined when there is none. */
export async function readText(path: string): Promise<string | undefined> {
  return readOrNone(path, "utf8");
}

async function readOrNone(path: string, encoding: "latin1" | "utf8"): Promise<string | undefined> {
  const next = inFlight.get(path);
  if (next !== undefined) return next.text;
  try {
    return await readRegular(path, encoding);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw storageError(path, "read", error);
  }
}

/**
 * Texts being written just now, by path. Readers in this process see the new text, and writers queue: ended containers are
 * revoked while a run waits for its disk.
 */
const inFlight = new Map<string, { readonly text: string; readonly done: Promise<void> }>();

/** How a file is written. */
export interface WriteOptions {
  readonly encoding?: "latin1" | "utf8";
  /** With "later" both fsyncs are left to `makeDurable`, for what must be visible at once and durable soon. */
  readonly durability?: "now" | "later";
  /** By default readable by all, since `serve` runs as another user. */
  readonly mode?: number;
  /** Texts that it may have now, as it was looked at, empty for no file: with another one it is left alone. */
  readonly over?: readonly string[];
}

/**
 * Writes a file so that after a crash either the old or the new one is there: temporary file beside it, fsync,
 * rename, fsync of the directory. A symbolic link stays and its target is replaced, whose mode and group stay. HostError
 * "refused" where another user could have made a link on the way, "storage" where the file has none of the texts `over` or is none.
 */
export async function writeWhole(path: string, text: string, options: WriteOptions = {}): Promise<void> {
  await inTime(path, async () => {
    const before = inFlight.get(path)?.done ?? Promise.resolve();
    const write = (): Promise<void> => replace(path, text, options);
    const writing = { text, done: before.then(write, write) };
    inFlight.set(path, writing);
    try {
      await writing.done;
    } finally {
      if (inFlight.get(path) === writing) inFlight.delete(path);
    }
  });
}

/** Writes a file, whole and for all to read, only where there is none. Throws HostError. */
export async function writeNew(path: string, text: string): Promise<void> {
  const temporary = newOf(path);
  try {
    await refuseForeignLinks(path);
    await unlink(temporary).catch(() => undefined);
    const file = await open(temporary, "wx", PRIVATE);
    try {
      await file.chmod(PUBLIC); // root's umask may be 077
      await file.writeFile(text);
      await file.sync();
    } finally {
      await file.close();
    }
    await link(temporary, path); // unlike rename it replaces nothing
    await syncDirectory(dirname(path));
  } catch (error) {
    throw storageError(path, "write", error);
  } finally {
    await unlink(temporary).catch(() => undefined);
  }
}

/** Modes of written files: readable by all, and by the director alone. */
const PUBLIC = 0o644;
export const PRIVATE = 0o600;

async function replace(path: string, text: string, options: WriteOptions): Promise<void> {
  const { encoding = "utf8", durability = "now", mode = PUBLIC, over } = options;
  let file: FileHandle | undefined;
  let temporary = newOf(path);
  try {
    const to = await destinationOf(path, mode);
    temporary = newOf(to.path);
    // never written through a file that a killed run has left, or a link that another user has made there
    await unlink(temporary).catch(() => undefined);
    file = await open(temporary, "wx", PRIVATE);
    if (to.group !== null) await keepGroup(file, to.path, to.group);
    // root's umask may be 077
    await file.chmod(to.mode);
    await file.writeFile(text, encoding);
    if (durability === "now") await file.sync();
    await file.close();
    file = undefined;
    // one that has the new text already loses nothing: each step of a plan may be done twice
    if (over !== undefined && ![text, ...over].includes(await onDisk(to.path, encoding)))
      throw new HostError(
        "storage",
        `${path} has been changed by another program since this run has read it`,
        {
          remedy: "it is left as it is; the next run reads it anew",
        },
      );
    await rename(temporary, to.path);
    if (durability === "now") await syncDirectory(dirname(to.path));
  } catch (error) {
    await file?.close().catch(() => undefined);
    await unlink(temporary).catch(() => undefined);
    throw storageError(path, "write", error);
  }
}

async function onDisk(path: string, encoding: "latin1" | "utf8"): Promise<string> {
  return readRegular(path, encoding).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return "";
    throw error;
  });
}

/** Syncs in progress, by path, and those requested since: each holds a thread for as long as the disk takes. */
const syncing = new Map<string, { readonly done: Promise<void>; next?: Promise<void> }>();

/** Does the fsyncs that writeWhole left for later. */
export function makeDurable(path: string): Promise<void> {
  return inTime(path, () => durable(path));
}

function durable(path: string): Promise<void> {
  const now = syncing.get(path);
  // a sync that has not begun yet will include all that is written by then
  if (now?.next !== undefined) return now.next;
  const begin = (): Promise<void> => {
    const done = sync(path).finally(() => {
      if (syncing.get(path)?.done === done) syncing.delete(path);
    });
    syncing.set(path, { done });
    return done;
  };
  if (now === undefined) return begin();
  now.next = now.done.then(begin, begin);
  return now.next;
}

async function sync(path: string): Promise<void> {
  try {
    const file = await openRegular(path);
    try {
      await file.sync();
    } finally {
      await file.close();
    }
    await syncDirectory(dirname(await realpath(path)));
  } catch (error) {
    throw storageError(path, "sync", error);
  }
}

/** fsync of a directory: its changes survive a power cut. */
export async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, "r");
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}

/** Makes it and those above it, for all to read. Throws HostError; "refused" where a link on the way could be another user's. */
export async function makeDirectory(path: string): Promise<void> {
  try {
    await refuseForeignLinks(path);
    const first = await mkdir(path, { recursive: true, mode: 0o755 });
    // only what was made here, not what existed; root's umask may be 077
    for (let made = path; first !== undefined && made.startsWith(first); made = dirname(made)) {
      await chmod(made, 0o755);
    }
  } catch (error) {
    throw storageError(path, "create", await mkdirError(error));
  }
}

/** Node's recursive mkdir says that a directory is missing where the file system is read-only; mkdir(2) gives the reason. */
async function mkdirError(error: unknown): Promise<unknown> {
  const { code, path } = error as NodeJS.ErrnoException;
  if (code !== "ENOENT" || path === undefined) return error;
  return mkdir(path).then(
    () => error,
    (reason: unknown) => reason,
  );
}

/** Removes a file; one that is gone is no error. Throws HostError as makeDirectory does. */
export async function removeFile(path: string): Promise<void> {
  try {
    await refuseForeignLinks(dirname(path));
    await unlink(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw storageError(path, "remove", error);
  }
}

const REMEDIES = new Map([
  ["ENOSPC", "make room on that file system; nothing has been lost"],
  ["EDQUOT", "make room within the quota; nothing has been lost"],
  ["EACCES", "run as root, or make it writable"],
  ["EPERM", "run as root, or make it writable"],
  ["EROFS", "the file system is read-only; remount it, or set STORAGE_DIR elsewhere"],
  ["ENOENT", "run `ocdd initialize` first"],
  ["ENOTDIR", "a part of that path is a file: move it away, or name another path"],
  ["EEXIST", "there is something else: move it away, or name another path"],
  ["EISDIR", "there is a directory: move it away, or name another path"],
  ["NOT_REGULAR", "move it away, or name another path"],
]);

/** The HostError "storage" for what the file system has thrown; a HostError stays as it is. */
export function storageError(path: string, deed: string, error: unknown): HostError {
  if (error instanceof HostError) return error;
  const code = (error as NodeJS.ErrnoException).code ?? "";
  const remedy = REMEDIES.get(code);
  const why = (error as Error).message.replace(/^\w+: /, "").replace(/, .*$/, "");
  return new HostError("storage", `cannot ${deed} ${path}: ${why}`, {
    cause: error,
    ...(remedy ? { remedy } : {}),
  });
}
