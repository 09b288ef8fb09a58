/** The lock of runs, as one long-running process uses it. */
import { HostError } from "../core/errors.ts";
import { flockByCall, takeLock } from "../host/disk/lock.ts";

export interface RunLock {
  /** Resolves with the release. Waits for other users in this process; rejects with HostError "busy" where another `ocdd` has it. */
  take(): Promise<() => Promise<void>>;
  /** Carries something out under the lock; not at all where another `ocdd` has it. */
  unlessBusy(act: () => Promise<void>): Promise<void>;
}

/** `path` is asked at each use: a configuration read again may have changed it. */
export function runLock(path: () => string): RunLock {
  const flock = flockByCall();
  let free: Promise<void> = Promise.resolve();
  const take = async (): Promise<() => Promise<void>> => {
    const before = free;
    const { promise, resolve } = Promise.withResolvers<void>();
    free = promise;
    await before;
    try {
      const release = await takeLock(path(), flock);
      return () => release().finally(resolve);
    } catch (error) {
      resolve();
      throw error;
    }
  };
  return {
    take,
    async unlessBusy(act) {
      let release: () => Promise<void>;
      try {
        release = await take();
      } catch (error) {
        if (error instanceof HostError && error.fault === "busy") return;
        throw error;
      }
      await act().finally(release);
    },
  };
}
