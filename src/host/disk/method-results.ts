/** The file of the methods' last results, which `watch` and commands write, and the locks that have a method run once at a time. */
import { stat } from "node:fs/promises";
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
import { takeLock } from "./lock.ts";

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

/** Adds a result. Throws HostError "storage", also for a file that a newer version has written. */
export async function storeResult(
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
    await writeWhole(file, renderResults(withResult(before, result, exists)), "utf8", "later");
  } finally {
    await release();
  }
}

/** Takes the lock for a method of a container; waits while another process runs it, for `mostMs` milliseconds at most. */
export async function methodLock(
  directory: string,
  container: string,
  method: MethodName,
  mostMs: number,
): Promise<() => Promise<void>> {
  await makeDirectory(directory);
  return untilFree(`${directory}/${container.slice(0, 12)}.${method}.lock`, mostMs);
}

async function untilFree(path: string, mostMs: number): Promise<() => Promise<void>> {
  for (const began = performance.now(); ; await sleep(RETRY_MS)) {
    try {
      return await takeLock(path);
    } catch (error) {
      const isBusy = error instanceof HostError && error.fault === "busy";
      if (!isBusy || performance.now() - began > mostMs) throw error;
    }
  }
}
