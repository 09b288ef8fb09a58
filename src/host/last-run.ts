/** When a run last ended well. */
import { stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { Config } from "../core/config.ts";

/** Seconds since the epoch; null when none has. */
export async function lastRunOf(config: Config): Promise<number | null> {
  return stat(join(dirname(config.indexFile), "last-run")).then(
    (found) => Math.floor(found.mtimeMs / 1000),
    () => null,
  );
}
