/** Where the director keeps what it writes. */
import { dirname } from "node:path";
import type { Config } from "../core/config.ts";

/** Where the leases are kept. */
export function leasesFile(config: Config): string {
  return `${config.storageDir}/leases.json`;
}

/** Where a run leaves word of what it has still to do; there only while one is at work, or was killed. */
export function owedFile(config: Config): string {
  return `${config.storageDir}/owed`;
}

/** What conntrack reads from; there only while it does. */
export function forgetFile(config: Config): string {
  return `${config.storageDir}/forget`;
}

/** The page's content for programs, beside the page. */
export function servicesFile(config: Config): string {
  return `${dirname(config.indexFile)}/services.json`;
}
