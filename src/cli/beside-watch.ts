/** `teardown` is refused beside a `watch`, which would put all of it back. */
import type { Config } from "../core/config/config.ts";
import { pathsOf } from "../core/paths.ts";
import { wouldRestore } from "../daemon/another.ts";
import { seeWatch } from "../host/disk/watch-stats.ts";
import { stopsWatch } from "../host/install/supervisor.ts";

/** Throws HostError "busy" where a `watch` runs that `stops` does not tell of: by default what `teardown` stops itself. */
export async function requireNoWatch(
  config: Config,
  stops: (config: Config, pid: number | null) => Promise<boolean> = stopsWatch,
): Promise<void> {
  const { running, pid } = await seeWatch(pathsOf(config));
  if (running === true && !(await stops(config, pid))) throw wouldRestore(pid ?? undefined);
}
