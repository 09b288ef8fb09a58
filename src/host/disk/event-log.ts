/** A file of JSON lines that only grows, up to its bound; then it is kept as the one before, and a new one begins. */
import { constants } from "node:fs";
import { type FileHandle, rename } from "node:fs/promises";
import { previousOf } from "../../core/paths.ts";
import { openRegular } from "../../platform/regular-file.ts";
import { inTime } from "./deadline.ts";
import { openOwn } from "./destination.ts";

export interface EventLog {
  /** Adds a line. Returns at once and never throws: what the disk does not take is lost. */
  add(event: object): void;
  /** Resolves when all that was added is on disk, or lost. */
  written(): Promise<void>;
}

/** Octets of a file at most; lines that wait for the disk at most. */
const MOST_OCTETS = 1_000_000;
const MOST_WAITING = 500;
/** Readable by all, as the other files. */
const PUBLIC = 0o644;
const FLAGS = constants.O_RDWR | constants.O_APPEND | constants.O_CREAT;

export function eventLog(file: string, most: number = MOST_OCTETS): EventLog {
  let waiting: string[] = [];
  let writing: Promise<void> | undefined;
  const write = async (): Promise<void> => {
    while (waiting.length > 0) {
      const text = waiting.join("");
      waiting = [];
      await inTime(file, () => append(file, text, most)).catch(() => undefined);
    }
    writing = undefined;
  };
  return {
    add(event) {
      if (waiting.length >= MOST_WAITING) return;
      waiting.push(`${JSON.stringify(event)}\n`);
      writing ??= write();
    },
    written: async () => writing,
  };
}

async function append(path: string, text: string, most: number): Promise<void> {
  let file = await openFile(path);
  try {
    let { size } = await file.stat();
    if (size > 0 && size + Buffer.byteLength(text) > most) {
      await rename(path, previousOf(path));
      await file.close();
      file = await openFile(path);
      ({ size } = await file.stat());
    }
    // the rest of a line that a full disk has cut short stays a line of its own
    const cut = size > 0 && (await lastOctet(file, size)) !== "\n";
    await file.appendFile(cut ? `\n${text}` : text);
  } finally {
    await file.close();
  }
}

async function openFile(path: string): Promise<FileHandle> {
  const file = await openOwn(path, FLAGS, PUBLIC);
  // root's umask may be 077
  await file.chmod(PUBLIC).catch(() => undefined);
  return file;
}

async function lastOctet(file: FileHandle, size: number): Promise<string> {
  const { buffer } = await file.read(Buffer.alloc(1), 0, 1, size - 1);
  return buffer.toString("latin1");
}

/** Octets at the end of the file in which the last start is looked for. */
const LOOK_BACK_OCTETS = 200_000;

/** Why a container was started last, as far as the end of the file says; null where it does not. */
export async function readLastStart(file: string, container: string): Promise<string | null> {
  const text = await readEnd(file, LOOK_BACK_OCTETS).catch(() => "");
  for (const line of text.split("\n").reverse()) {
    if (!line.includes('"start"')) continue;
    try {
      const event = JSON.parse(line) as { event?: unknown; container?: unknown; reason?: unknown };
      if (event.event === "start" && event.container === container)
        return typeof event.reason === "string" ? event.reason : null;
    } catch {
      // a line that a full disk has cut short, or the first one, which is cut here
    }
  }
  return null;
}

async function readEnd(path: string, octets: number): Promise<string> {
  const file = await openRegular(path, constants.O_RDONLY | constants.O_NOFOLLOW);
  try {
    const { size } = await file.stat();
    const length = Math.min(size, octets);
    const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, size - length);
    return buffer.toString("utf8", 0, bytesRead);
  } finally {
    await file.close();
  }
}
