/** The file of what containers are told of themselves: not for every local user, as the page is. */
import { constants, mkdir, open } from "node:fs/promises";
import { dirname } from "node:path";
import { makeDirectory, removeFile, storageError, writeWhole } from "./file.ts";

/** Writes it whole; an empty text removes it. Throws HostError. */
export async function writeSelves(file: string, text: string): Promise<void> {
  if (text === "") return removeFile(file);
  await makeSelvesDirectory(file);
  await writeWhole(file, text, { durability: "later" });
}

/**
 * Makes its directory, which `serve` is given by its unit, within one that other users cannot enter. What the operator's group may
 * do there stays. Throws HostError "storage".
 */
export async function makeSelvesDirectory(file: string): Promise<void> {
  const inner = dirname(file);
  const closed = dirname(inner);
  await makeDirectory(dirname(closed));
  try {
    await mkdir(closed, { mode: 0o700 }).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== "EEXIST") throw error;
    });
    // not through a link, which could lead to a directory of another program
    const { O_RDONLY, O_DIRECTORY, O_NOFOLLOW } = constants;
    const directory = await open(closed, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    try {
      const { mode } = await directory.stat();
      if ((mode & OTHERS) !== 0) await directory.chmod(mode & 0o770);
    } finally {
      await directory.close();
    }
  } catch (error) {
    throw storageError(closed, "create", error);
  }
  await makeDirectory(inner);
}

const OTHERS = 0o007;
