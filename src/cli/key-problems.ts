/** Whether the server can use the TSIG keys that the configuration names. */
import { accessSync, constants } from "node:fs";
import type { Config } from "../core/config/config.ts";
import type { Say } from "../daemon/log.ts";
import { managerOf } from "../host/install/manager.ts";
import { readPermission, transferKeys } from "../serve/dns/networks.ts";
import { notifyTargets } from "../serve/dns/notify.ts";
import { readTsigFile } from "../serve/dns/tsig-file.ts";

type KeySettings = Pick<Config, "tsigKeyFile" | "allowTransfer" | "notify" | "services">;

/** What is wrong with the file of keys, else with the names of keys, in the server's words; nothing where this user may not read the file. */
export function keyProblems(config: KeySettings): string[] {
  const { tsigKeyFile, allowTransfer, notify } = config;
  // with systemd the server reads a copy in a private directory, so the mode of the file does not matter
  const isCredential = managerOf(config) === "systemd";
  if (tsigKeyFile !== "" && isClosed(tsigKeyFile)) return [];
  const { keys, problems } =
    tsigKeyFile === "" ? { keys: new Map(), problems: [] } : readTsigFile(tsigKeyFile, isCredential);
  if (problems.length > 0) return problems.map((problem) => `DNS_TSIG_KEY_FILE: ${problem}`);
  const said: string[] = [];
  const say: Say = (_, message) => void said.push(message);
  transferKeys(readPermission(allowTransfer).permission.keys, keys, say);
  notifyTargets(notify, keys, say);
  return said;
}

function isClosed(path: string): boolean {
  try {
    accessSync(path, constants.R_OK);
    return false;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EACCES";
  }
}
