/** One run of the director for a command that needs its result. */
import { setTimeout as sleep } from "node:timers/promises";
import type { Config } from "../core/config/config.ts";
import { HostError } from "../core/errors.ts";
import type { Decision } from "../core/model.ts";
import { pathsOf } from "../core/paths.ts";
import { CONFIRMATION_MS } from "../director/confirm.ts";
import { reconcile } from "../director/reconcile.ts";
import { takeLock } from "../host/disk/lock.ts";
import { openHost } from "../host/host.ts";

/** Milliseconds between two tries to take the lock that another run holds, and until that is given up. */
const LOCK_RETRY_MS = 50;
const LOCK_MS = 60_000;

/** One run, after that of another `ocdd` where one is in progress. Throws HostError. */
export async function converge(config: Config): Promise<Decision> {
  const release = await lockInTime(pathsOf(config).lock);
  const host = openHost(config);
  try {
    const now = (): number => Math.floor(Date.now() / 1000);
    const options = { now, apply: true, yes: false, confirmationMs: CONFIRMATION_MS };
    return (await reconcile(config, host, options)).decision;
  } finally {
    host.close();
    await release();
  }
}

async function lockInTime(path: string): Promise<() => Promise<void>> {
  for (const began = performance.now(); ; await sleep(LOCK_RETRY_MS)) {
    try {
      return await takeLock(path);
    } catch (error) {
      const isBusy = error instanceof HostError && error.fault === "busy";
      if (!isBusy || performance.now() - began > LOCK_MS) throw error;
    }
  }
}
