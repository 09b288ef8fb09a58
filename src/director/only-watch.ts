/** One `watch` at a time for a `STORAGE_DIR`. */
import { setTimeout as sleep } from "node:timers/promises";
import { HostError } from "../core/errors.ts";
import { another } from "../daemon/another.ts";
import { type Busy, flockByCall, takeLock } from "../host/disk/lock.ts";

/** Milliseconds for which an earlier `watch` may still be ending, and between two looks. */
const PATIENCE_MS = 10_000;
const LOOK_MS = 250;

const otherWatch: Busy = (_path, pid) => another("watch", pid);

/**
 * Does the work of `watch` while this process holds its lock. Where the file cannot be opened it is done all the same: the disk may be
 * mounted later. It is held for as long as the host runs, so it must not keep the disk from being made read-only. Throws HostError "busy" when another process still has the lock after `patienceMs`, and what the work throws.
 */
export async function alone(
  path: string,
  signal: AbortSignal,
  work: () => Promise<void>,
  patienceMs: number = PATIENCE_MS,
): Promise<void> {
  const release = await taken(path, signal, patienceMs);
  if (signal.aborted) return release?.();
  try {
    await work();
  } finally {
    await release?.();
  }
}

/** The release; undefined where the file cannot be opened or locked (NFS, since it is open for reading only), or the signal is aborted before the lock is free. */
async function taken(
  path: string,
  signal: AbortSignal,
  patienceMs: number,
): Promise<(() => Promise<void>) | undefined> {
  const flock = flockByCall();
  const looks = Math.floor(patienceMs / LOOK_MS);
  for (let look = 0; !signal.aborted; look++) {
    try {
      return await takeLock(path, flock, otherWatch, "read");
    } catch (error) {
      if (!(error instanceof HostError)) throw error;
      if (error.fault !== "busy") return undefined;
      if (look >= looks) throw error;
      await sleep(LOOK_MS, undefined, { signal }).catch(() => undefined);
    }
  }
  return undefined;
}
