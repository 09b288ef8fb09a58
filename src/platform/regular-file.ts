/**
 * Opening a file without waiting for another program: the opening or reading of a FIFO or device may never end, and that of a
 * device may have an effect of its own.
 */
import { closeSync, constants, fstatSync, openSync, readFileSync, type Stats, statSync } from "node:fs";
import { type FileHandle, open, stat } from "node:fs/promises";

/** There is something at the path that is no regular file. */
export class NotRegular extends Error {
  readonly code = "NOT_REGULAR";
  /** What it is: "a device and not a file". */
  readonly what: string;
  constructor(what: string) {
    super(`it is ${what}`);
    this.name = "NotRegular";
    this.what = what;
  }
}

/** Throws NotRegular for what is no regular file. A link must have been followed. */
export function requireRegular(found: Stats): void {
  if (found.isFile()) return;
  const kind = found.isDirectory()
    ? "a directory"
    : found.isFIFO()
      ? "a pipe"
      : found.isSocket()
        ? "a socket"
        : "a device";
  throw new NotRegular(`${kind} and not a file`);
}

// what has taken the file's place since it was looked at is not waited for, and becomes no controlling terminal
const AT_ONCE = constants.O_NONBLOCK | constants.O_NOCTTY;

/** As open(2) with these flags, for a regular file only. Throws NotRegular, and what the file system throws. */
export async function openRegular(
  path: string,
  flags: number = constants.O_RDONLY,
  mode?: number,
): Promise<FileHandle> {
  const found = await stat(path).catch(absent);
  if (found !== undefined) requireRegular(found);
  const file = await open(path, flags | AT_ONCE, mode);
  try {
    requireRegular(await file.stat());
    return file;
  } catch (error) {
    await file.close();
    throw error;
  }
}

/** Text of a regular file. Throws as openRegular does. */
export async function readRegular(path: string, encoding: "latin1" | "utf8"): Promise<string> {
  const file = await openRegular(path);
  try {
    return await file.readFile(encoding);
  } finally {
    await file.close();
  }
}

/** Octets of a regular file, without a change of threads. Throws as openRegular does. */
export function readRegularSync(path: string): Buffer {
  requireRegular(statSync(path));
  const file = openSync(path, constants.O_RDONLY | AT_ONCE);
  try {
    requireRegular(fstatSync(file));
    return readFileSync(file);
  } finally {
    closeSync(file);
  }
}

/** A file that is to be created does not exist yet; a link's target may not either. */
function absent(error: NodeJS.ErrnoException): undefined {
  if (error.code !== "ENOENT") throw error;
}
