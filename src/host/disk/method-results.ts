/** The file of the methods' last results, which `watch` and commands write, and the locks that have a method run once at a time. */
import { readdir, stat, unlink } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { HostError } from "../../core/errors.ts";
import type { MethodName } from "../../core/methods/method.ts";
import {
  type MethodResult,
  parseResults,
  type Results,
  renderResults,
  withResult,
} from "../../core/methods/results.ts";
import { makeDirectory, readText, writeWhole } from "./file.ts";
import { type Flock, flockByCall, takeLock } from "./lock.ts";

/** What is stored; nothing where it cannot be read. */
export async function readResults(file: string): Promise<Results> {
  const text = await readText(file).catch(() => undefined);
  return (text === undefined ? undefined : parseResults(text)) ?? new Map();
}

/** Reads the file when it has changed since. */
export function resultsReader(file: string): () => Promise<Results> {
  let known: { readonly id: string; readonly results: Results } | undefined;
  return async () => {
    const found = await stat(file, { bigint: true }).catch(() => undefined);
    const id = found === undefined ? "" : `${found.ino} ${found.mtimeNs} ${found.size}`;
    if (known?.id !== id) known = { id, results: id === "" ? new Map() : await readResults(file) };
    return known.results;
  };
}

/** Milliseconds between two tries to take a lock that another process holds. */
const RETRY_MS = 50;
/** Milliseconds for which writing waits for another process that writes. */
const WRITE_MS = 5_000;

/** The last result that is being stored by this process: many that end together do not wait for each other's lock. */
let storing: Promise<unknown> = Promise.resolve();

/**
 * Adds a result, and removes the results and locks of containers that do not exist. Throws HostError "storage", also for a file that a
 * newer version has written.
 */
export function storeResult(
  directory: string,
  file: string,
  result: MethodResult,
  exists: (id: string) => boolean,
): Promise<void> {
  const store = (): Promise<void> => storeNext(directory, file, result, exists);
  const stored = storing.then(store, store);
  storing = stored.catch(() => undefined);
  return stored;
}

async function storeNext(
  directory: string,
  file: string,
  result: MethodResult,
  exists: (id: string) => boolean,
): Promise<void> {
  await makeDirectory(directory);
  const release = await untilFree(`${directory}/results.lock`, WRITE_MS);
  try {
    const text = (await readText(file)) ?? "";
    const before = text === "" ? new Map() : parseResults(text);
    if (before === undefined)
      throw new HostError(
        "storage",
        `${file} was written by a newer version of OCDD; the result is not stored`,
      );
    await writeWhole(file, renderResults(withResult(before, result, exists)), { durability: "later" });
    await removeLocks(directory, (id) => id === result.container || exists(id));
  } finally {
    await release();
  }
}

/** Those that are held stay: the container may have been created since `exists` was asked for. */
async function removeLocks(directory: string, exists: (id: string) => boolean): Promise<void> {
  for (const name of await readdir(directory).catch(() => [])) {
    const [, id = null] = /^([0-9a-f]{64})\.[a-z]+\.lock$/.exec(name) ?? [];
    if (id === null || exists(id)) continue;
    const path = `${directory}/${name}`;
    const release = await takeLock(path, flock).catch(() => undefined);
    if (release === undefined) continue;
    await unlink(path).catch(() => undefined);
    await release();
  }
}

/**
 * Takes the lock for a method of a container; waits while another process runs it, for `mostMs` milliseconds at most. Throws HostError
 * "busy" after that, "storage", or the signal's reason.
 */
export async function methodLock(
  directory: string,
  container: string,
  method: MethodName,
  mostMs: number,
  signal?: AbortSignal,
): Promise<() => Promise<void>> {
  await makeDirectory(directory);
  return untilFree(`${directory}/${container}.${method}.lock`, mostMs, signal);
}

/** Loaded once it is needed. */
let flock: Flock | undefined;

async function untilFree(path: string, mostMs: number, signal?: AbortSignal): Promise<() => Promise<void>> {
  flock ??= flockByCall();
  for (const began = performance.now(); ; await sleep(RETRY_MS)) {
    signal?.throwIfAborted();
    try {
      return await takeLock(path, flock);
    } catch (error) {
      const isBusy = error instanceof HostError && error.fault === "busy";
      if (!isBusy || performance.now() - began > mostMs) throw error;
    }
  }
}
