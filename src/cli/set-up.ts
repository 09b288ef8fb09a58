/** Whether OCDD has been set up on this host. */
import type { Config } from "../core/config/config.ts";
import { HostError } from "../core/errors.ts";
import type { Observation } from "../core/model.ts";
import { pathsOf } from "../core/paths.ts";
import { readText } from "../host/disk/file.ts";
import { seeWatch } from "../host/disk/watch-stats.ts";
import { lacksUnits } from "../host/install/supervisor.ts";

/** What helps where it has not. */
export const INITIALIZE = "run `ocdd initialize`";
export const NOT_SET_UP = "OCDD has not been set up on this host";

/** What an answer says first where OCDD is not set up: it shows what a first run would make of the containers. */
export const withSetUp = <T extends { readonly warnings: readonly string[] }>(
  answer: T,
  setUp: boolean,
): T => (setUp ? answer : { ...answer, warnings: [`${NOT_SET_UP}: ${INITIALIZE}`, ...answer.warnings] });

/** The same for an answer that is worked out; where nothing has the name that it is about, the error says it. Throws HostError. */
export async function toldSetUp<T extends { readonly warnings: readonly string[] }>(
  config: Config,
  seen: Pick<Observation, "actual">,
  answer: () => T,
): Promise<T> {
  const setUp = await isSetUp(config, seen);
  try {
    return withSetUp(answer(), setUp);
  } catch (error) {
    if (setUp || !(error instanceof HostError)) throw error;
    throw new HostError(error.fault, `${error.message}; ${NOT_SET_UP}`, { remedy: INITIALIZE });
  }
}

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

/** Whether systemd is to start `watch` and `serve` here and cannot, and `watch` is not started in another way either. */
export const startsNothing = async (
  config: Config,
  lacks: (config: Config) => Promise<boolean> = lacksUnits,
): Promise<boolean> =>
  // a directory of units that cannot be read shows nothing
  (await lacks(config).catch(() => false)) && (await seeWatch(pathsOf(config))).running !== true;
