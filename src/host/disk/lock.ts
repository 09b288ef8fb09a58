/** One run and one `watch` at a time, by flock(2): the kernel releases a lock when its holder ends. */
import { constants, type FileHandle, readFile, stat } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { HostError } from "../../core/errors.ts";
import { loadFiles } from "../../platform/libc.ts";
import { readRegular } from "../../platform/regular-file.ts";
import { run } from "../kernel/run.ts";
import { openOwn } from "./destination.ts";
import { PRIVATE, storageError } from "./file.ts";

/** Takes the lock on an open file without waiting; false when another process has it. */
export type Flock = (fd: number) => Promise<boolean>;

/**
 * Node has no flock(2), but a lock belongs to the open file and not to the process: flock(1) takes it on the
 * descriptor it inherits from us, and we keep it when flock(1) has gone.
 */
const byProgram: Flock = async (fd) =>
  (await run(["flock", "--exclusive", "--nonblock", "0"], { ok: [0, 1], stdin: fd })).code === 0;

const { O_CREAT, O_RDONLY, O_RDWR } = constants;

/** How the file is opened: NFS locks none that is not open for writing, and a disk with one that is cannot be made read-only. */
export type Access = "write" | "read";
const FLAGS: Readonly<Record<Access, number>> = { write: O_RDWR, read: O_RDONLY };

// flock(2): exclusive, not blocking
const LOCK_EX_NB = 2 | 4;

/** For a process that takes the lock many times: by the call itself where the library for that loads. */
export function flockByCall(): Flock {
  const files = loadFiles();
  if (!("calls" in files)) return byProgram;
  const { flock, failure } = files.calls;
  // flock(1) reports any other failure
  return async (fd) =>
    flock(fd, LOCK_EX_NB) === 0 || (failure() !== "EWOULDBLOCK" && failure() !== "EAGAIN" && byProgram(fd));
}

/** The error for a lock that another process has; `pid` is undefined where its number is not known. */
export type Busy = (path: string, pid: number | undefined) => HostError;

const otherRun: Busy = (path, pid) => {
  const who = pid === undefined ? "" : ` (process ${pid})`;
  return new HostError("busy", `another ocdd is running${who}, it holds ${path}`, {
    remedy: "try again when it has ended",
  });
};

/**
 * Takes the lock and returns its release. Throws HostError "busy" with the holder's process id. An existing
 * file is not created again and the disk is not waited for, so that ended containers are removed even while it hangs or is
 * read-only.
 */
export async function takeLock(
  path: string,
  flock: Flock = byProgram,
  busy: Busy = otherRun,
  access: Access = "write",
): Promise<() => Promise<void>> {
  const flags = FLAGS[access];
  let file: FileHandle;
  try {
    file = await openOwn(path, flags).catch((error: NodeJS.ErrnoException) => {
      if (error.code === "ENOENT") return openOwn(path, flags | O_CREAT, PRIVATE);
      if (error.code === "EROFS") return openOwn(path, O_RDONLY);
      throw error;
    });
  } catch (error) {
    throw storageError(path, "open", error);
  }
  try {
    await closeToOthers(file);
    if (!(await flock(file.fd))) throw busy(path, holderIn(await file.readFile("utf8")));
    if ((await file.readFile("utf8")).trim() !== String(process.pid))
      await Promise.race([writeHolder(path), sleep(DISK_WAIT_MS)]);
    return () => file.close();
  } catch (error) {
    await file.close();
    throw error;
  }
}

/**
 * The process that holds a lock, `pid` where its number is known; null where none does, or the lock cannot be seen. By the kernel's
 * list (proc_locks(5)): to try the lock would keep it from a process that takes it at that moment.
 */
export async function lockHolder(path: string): Promise<{ readonly pid: number | undefined } | null> {
  try {
    const { ino } = await stat(path, { bigint: true });
    const held = new RegExp(`^\\d+: FLOCK +\\S+ +WRITE \\d+ [0-9a-f]+:[0-9a-f]+:${ino} `, "m");
    if (!held.test(await readFile("/proc/locks", "latin1"))) return null;
    return { pid: holderIn(await readRegular(path, "utf8").catch(() => "")) };
  } catch {
    return null;
  }
}

/** The number in the text of a lock file, while there is such a process. */
function holderIn(text: string): number | undefined {
  const pid = Number(/^\d{1,10}$/.exec(text.trim())?.[0] ?? 0);
  return isAlive(pid) ? pid : undefined;
}

/** flock(2) needs no write access: any user that can open the file could block all runs. An earlier version left it open. */
async function closeToOthers(file: FileHandle): Promise<void> {
  const { mode } = await file.stat();
  // on a read-only file system the mode stays
  if ((mode & 0o077) !== 0) await file.chmod(PRIVATE).catch(() => undefined);
}

/** The number in the file is that of the last holder that could write it, which may have ended. */
function isAlive(pid: number): boolean {
  if (!Number.isInteger(pid) || pid < 1) return false;
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

/** Milliseconds to wait until the holder's number is written. */
const DISK_WAIT_MS = 50;
let writingHolder: Promise<void> | undefined;

/** Writes the holder's process id. It is information only: a full disk fails no run. */
function writeHolder(path: string): Promise<void> {
  const write = async (): Promise<void> => {
    const file = await openOwn(path, O_RDWR);
    try {
      await file.truncate(0);
      await file.write(`${process.pid}\n`);
    } finally {
      await file.close();
    }
  };
  writingHolder ??= write()
    .catch(() => undefined)
    .finally(() => {
      writingHolder = undefined;
    });
  return writingHolder;
}
