/** One run at a time, by flock(2): the kernel releases it when the holder dies. */
import { type FileHandle, open } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { HostError } from "../../core/errors.ts";
import { loadFiles } from "../../platform/libc.ts";
import { run } from "../kernel/run.ts";
import { PRIVATE, storageError } from "./file.ts";

/** Takes the lock on an open file without waiting; false when somebody else has it. */
type Flock = (fd: number) => Promise<boolean>;

/**
 * Node has no flock(2), but a lock belongs to the open file and not to the process: flock(1) takes it on the
 * descriptor it inherits from us, and we keep it when flock(1) has gone.
 */
const byProgram: Flock = async (fd) =>
  (await run(["flock", "--exclusive", "--nonblock", "0"], { ok: [0, 1], stdin: fd })).code === 0;

// flock(2): exclusive, not blocking
const LOCK_EX_NB = 2 | 4;

/** For a process that takes the lock many times: by the call itself where the library for that loads. */
export function flockByCall(): Flock {
  const files = loadFiles();
  if (!("calls" in files)) return byProgram;
  const { flock, failure } = files.calls;
  // any other failure is flock(1)'s to explain
  return async (fd) =>
    flock(fd, LOCK_EX_NB) === 0 || (failure() !== "EWOULDBLOCK" && failure() !== "EAGAIN" && byProgram(fd));
}

/**
 * Takes the lock and returns its release. Throws HostError "busy" with the holder's process id. A file that is there is
 * not created, and the disk not waited for: one that hangs, or is read-only, does not keep the rules of ended containers in force.
 */
export async function takeLock(path: string, flock: Flock = byProgram): Promise<() => Promise<void>> {
  let file: FileHandle;
  try {
    // to write, since NFS locks no other
    file = await open(path, "r+").catch((error: NodeJS.ErrnoException) => {
      if (error.code === "ENOENT") return open(path, "a+", PRIVATE);
      if (error.code === "EROFS") return open(path, "r");
      throw error;
    });
  } catch (error) {
    throw storageError(path, "open", error);
  }
  try {
    await closeToOthers(file);
    const holder = async (): Promise<string> => (await file.readFile("utf8")).trim();
    if (!(await flock(file.fd))) {
      const pid = Number(/^\d{1,10}$/.exec(await holder())?.[0] ?? 0);
      const who = isAlive(pid) ? ` (process ${pid})` : "";
      throw new HostError("busy", `another ocdd is running${who}, it holds ${path}`, {
        remedy: "try again when it has ended",
      });
    }
    if ((await holder()) !== String(process.pid)) await Promise.race([sign(path), sleep(DISK)]);
    return () => file.close();
  } catch (error) {
    await file.close();
    throw error;
  }
}

/** flock(2) needs no right to write: whoever may open the file could keep every run away. An earlier version left it open. */
async function closeToOthers(file: FileHandle): Promise<void> {
  const { mode } = await file.stat();
  // a file system that is read-only keeps it as it is
  if ((mode & 0o077) !== 0) await file.chmod(PRIVATE).catch(() => undefined);
}

/** The number in the file is the last holder's that could write it: it may have ended. */
function isAlive(pid: number): boolean {
  if (!Number.isInteger(pid) || pid < 1) return false;
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

/** Milliseconds that a disk has for the holder's number. */
const DISK = 50;
let signing: Promise<void> | undefined;

/** Writes whose the lock is. The number is for people: a disk with no room for it fails no run. */
function sign(path: string): Promise<void> {
  const write = async (): Promise<void> => {
    const file = await open(path, "r+");
    try {
      await file.truncate(0);
      await file.write(`${process.pid}\n`);
    } finally {
      await file.close();
    }
  };
  signing ??= write()
    .catch(() => undefined)
    .finally(() => {
      signing = undefined;
    });
  return signing;
}
