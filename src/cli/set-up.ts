/** Whether OCDD has been set up on this host. */
import type { Config } from "../core/config/config.ts";
import type { Observation } from "../core/model.ts";
import { pathsOf } from "../core/paths.ts";
import { readText } from "../host/disk/file.ts";

/** What helps where it has not. */
export const INITIALIZE = "run `ocdd initialize`";
export const NOT_SET_UP = "OCDD has not been set up on this host";

/** Whether `ocdd initialize` or a run has been here with this storage. */
export const hasRun = async (config: Config): Promise<boolean> =>
  (await readText(pathsOf(config).lock)) !== undefined;

/** Whether no alias and no rule of OCDD is on the host. */
export const isUntouched = ({ actual: { aliases, dataPath } }: Pick<Observation, "actual">): boolean =>
  aliases.length + dataPath.forwards.length + dataPath.damaged.length === 0 && dataPath.frame === null;

/** The same, or something of OCDD is in force: then its storage may be on a disk that is not mounted, and a run reports that. */
export const isSetUp = async (config: Config, seen: Pick<Observation, "actual">): Promise<boolean> =>
  // a file that may not be read is there
  !isUntouched(seen) || (await hasRun(config).catch(() => true));
