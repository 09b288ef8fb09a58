/** A deadline for changes on a disk that may hang: a frozen file system, an NFS server that is down. */
import { HostError } from "../../core/errors.ts";
import { after } from "../../platform/timer.ts";

/** Milliseconds until a change on the disk must be done. */
const DEADLINE_MS = 10_000;

/** Changes that are overdue and have not ended. */
let overdue = 0;

/**
 * Does a change on the disk; `path` is for the message. Throws HostError "storage" when it takes longer than the deadline,
 * and at once while an earlier change is overdue: each change that hangs takes one of Node's few threads for files, and
 * reading needs one. A change that is overdue may still take effect.
 */
export async function inTime<T>(
  path: string,
  change: () => Promise<T>,
  deadlineMs: number = DEADLINE_MS,
): Promise<T> {
  if (overdue > 0) throw hangs(path);
  const done = change();
  let cancel = (): void => undefined;
  const late = new Promise<never>((_, reject) => {
    cancel = after(deadlineMs, () => {
      overdue += 1;
      const ended = (): void => {
        overdue -= 1;
      };
      done.then(ended, ended);
      reject(hangs(path));
    });
  });
  try {
    return await Promise.race([done, late]);
  } finally {
    cancel();
  }
}

const hangs = (path: string): HostError =>
  new HostError("storage", `cannot write ${path}: the disk does not answer`, {
    remedy: "look at the file system that holds it: `mount`, `dmesg`",
  });
