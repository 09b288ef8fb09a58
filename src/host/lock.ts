/** One run at a time, by flock(2): the kernel releases it when the holder dies. */
import { type FileHandle, open } from "node:fs/promises";
import { HostError } from "../core/errors.ts";
import { storageError } from "./file.ts";
import { run } from "./run.ts";

/**
 * Takes the lock and returns its release. Node has no flock(2), but a lock belongs to the open file and not to the
 * process: flock(1) takes it on the descriptor it inherits from us, and we keep it when flock(1) has gone.
 * Throws HostError "busy" with the holder's process id.
 */
export async function takeLock(path: string): Promise<() => Promise<void>> {
  let file: FileHandle;
  try {
    file = await open(path, "a+", 0o644);
  } catch (error) {
    throw storageError(path, "open", error);
  }
  try {
    const { code } = await run(["flock", "--exclusive", "--nonblock", "0"], {
      ok: [0, 1],
      stdin: file.fd,
    });
    if (code === 1) {
      const holder = (await file.readFile("utf8")).trim().replace(/\D/g, "") || "unknown";
      throw new HostError("busy", `another run holds the lock ${path} (process ${holder})`, {
        remedy: "wait for it to end; nothing has been changed",
      });
    }
    await file.truncate(0);
    await file.write(`${process.pid}\n`);
    return () => file.close();
  } catch (error) {
    await file.close();
    throw error;
  }
}
