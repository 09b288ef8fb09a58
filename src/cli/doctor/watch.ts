/** Whether something keeps OCDD up to date: `ocdd watch`, or runs of `ocdd` from cron. */
import { clip } from "../../core/clip.ts";
import type { Config } from "../../core/config/config.ts";
import { isNear } from "../../core/moment.ts";
import { pathsOf } from "../../core/paths.ts";
import { CORRECT } from "../../core/report/status-rows.ts";
import { agoText } from "../../core/text.ts";
import { lastRunOf } from "../../host/disk/page.ts";
import { seeWatch, type WatchSeen } from "../../host/disk/watch-stats.ts";
import { startRemedy } from "../../host/install/manager.ts";
import { bad, type Finding, good, none } from "./finding.ts";

/** Seconds for which a run counts as one of several: a line of cron may run every few minutes. */
const RECENT = 900;

/** `now` is in seconds since the epoch. */
export async function watchFinding(config: Config, now: number): Promise<Finding> {
  const paths = pathsOf(config);
  const [seen, last] = await Promise.all([seeWatch(paths), lastRunOf(paths.lastRun)]);
  if (seen.running === true) return runningFinding(seen);
  if (last === null) return none("watch", "does not run, nor has `ocdd` run here yet");
  const since = `does not run; \`ocdd\` ran last ${agoText(last, now)}`;
  return isNear(last, now, RECENT)
    ? none("watch", `${since}: containers that start later have no name and no address until it runs again`)
    : bad("watch", since, startRemedy(config, "watch"));
}

function runningFinding({ stats, pid }: WatchSeen): Finding {
  const runs = `runs${pid === null ? "" : ` (process ${pid})`}`;
  const refused = stats?.refused ?? null;
  if (refused !== null)
    return bad(
      "watch",
      `${runs} with its former configuration, the new one is refused: ${clip(refused.message, 200)}`,
      clip(refused.remedy ?? CORRECT, 200),
    );
  const error = stats?.lastError ?? null;
  return error === null || error.over
    ? good("watch", runs)
    : bad("watch", `${runs}, and its last run has failed: ${clip(error.message, 200)}`, "see its log");
}
