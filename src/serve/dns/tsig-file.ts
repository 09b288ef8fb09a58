/** The file with the TSIG keys. */
import { statSync } from "node:fs";
import type { TsigKeys } from "../../dns/message/tsig.ts";
import { parseTsigKeys } from "../../dns/message/tsig-keys.ts";
import { readRegularSync } from "../../platform/regular-file.ts";

/**
 * Read the TSIG key file. A file that others can read is refused: its secrets are no longer secret. A `isCredential`
 * file of the service manager lies in a private directory, and its mode may be the mask of an access list.
 * Gives no keys when anything is wrong, and says what.
 */
export function readTsigFile(path: string, isCredential = false): { keys: TsigKeys; problems: string[] } {
  const none: TsigKeys = new Map();
  try {
    const { mode } = statSync(path);
    if (!isCredential && (mode & 0o077) !== 0) {
      const octal = (mode & 0o777).toString(8).padStart(4, "0");
      return {
        keys: none,
        problems: [`${path}: mode ${octal} lets others read the keys, chmod 600 it`],
      };
    }
    const { keys, problems } = parseTsigKeys(readRegularSync(path).toString("utf8"));
    if (problems.length === 0) return { keys, problems: [] };
    return {
      keys: none,
      problems: problems.map(({ line, message }) => `${path}:${line}: ${message}`),
    };
  } catch (error) {
    return { keys: none, problems: [`${path}: ${(error as Error).message}`] };
  }
}
