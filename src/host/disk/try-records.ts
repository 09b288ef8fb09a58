/** The records of the containers that `ocdd try` has created: a file each, written before the container. */
import { readdir, stat, unlink } from "node:fs/promises";
import { isTryName } from "../../core/methods/try.ts";
import {
  CREATION_SECONDS,
  parseTryRecord,
  renderTryRecord,
  type TryRecord,
} from "../../core/methods/try-record.ts";
import { isNear } from "../../core/moment.ts";
import { withoutNew } from "../../core/paths.ts";
import { refuseForeignLinks } from "./destination.ts";
import { makeDirectory, PRIVATE, readText, removeFile, storageError, writeWhole } from "./file.ts";

const fileOf = (directory: string, name: string): string => `${directory}/${name}.json`;

/** Throws HostError. */
export async function writeTryRecord(directory: string, record: TryRecord): Promise<void> {
  await makeDirectory(directory);
  await writeWhole(fileOf(directory, record.name), renderTryRecord(record), { mode: PRIVATE });
}

/** Throws HostError; one that is gone is no error. */
export async function removeTryRecord(directory: string, name: string): Promise<void> {
  await removeFile(fileOf(directory, name));
}

/**
 * All records. A file with the name of one that is none, as one whose writing was killed, is removed when it is old; one of a newer version
 * is left, and so is what has another name.
 * Costs one call where the directory is empty or absent. `now` is in milliseconds since the epoch. Throws HostError.
 */
export async function readTryRecords(directory: string, now: number): Promise<TryRecord[]> {
  const files = await readdir(directory).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return [];
    throw storageError(directory, "read", error);
  });
  if (files.length > 0) await refuseForeignLinks(directory);
  const found: TryRecord[] = [];
  for (const file of files) {
    const path = `${directory}/${file}`;
    const read = file.endsWith(".json") ? parseTryRecord((await readText(path)) ?? "") : "invalid";
    if (typeof read === "object" && file === `${read.name}.json`) found.push(read);
    else if (read !== "newer" && isNamed(file)) await removeOld(path, now);
  }
  return found;
}

/** With `.new`: the temporary name of OCDD 2.0.0. */
function isNamed(file: string): boolean {
  const [, name = ""] = /^(.*)\.json$/.exec(withoutNew(file).replace(/\.new$/, "")) ?? [];
  return isTryName(name);
}

async function removeOld(path: string, now: number): Promise<void> {
  const about = await stat(path).catch(() => undefined);
  const isOld = about?.isFile() === true && !isNear(about.mtimeMs / 1000, now / 1000, CREATION_SECONDS);
  if (isOld) await unlink(path).catch(() => undefined);
}
