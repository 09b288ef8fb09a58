/** Whether something keeps OCDD up to date: `ocdd watch`, or runs of `ocdd` from cron. */
import { clip } from "../../core/clip.ts";
import type { Config } from "../../core/config/config.ts";
import { pathsOf } from "../../core/paths.ts";
import { age } from "../../core/text.ts";
import { lastRunOf } from "../../host/disk/page.ts";
import { readWatchStats, runningWatch } from "../../host/disk/watch-stats.ts";
import { startRemedy } from "../../host/install/manager.ts";
import { bad, type Finding, good, none } from "./finding.ts";

/** Seconds for which a run counts as one of several: a line of cron may run every few minutes. */
const RECENT = 900;

/** `now` is in seconds since the epoch. */
export async function watchFinding(config: Config, now: number): Promise<Finding> {
  const { watchStats, lastRun } = pathsOf(config);
  const [pid, stats, last] = await Promise.all([
    runningWatch(watchStats),
    readWatchStats(watchStats),
    lastRunOf(lastRun),
  ]);
  if (pid !== null) {
    const error = stats?.lastError;
    return error == null || error.over
      ? good("watch", `runs (process ${pid})`)
      : bad(
          "watch",
          `runs (process ${pid}), and its last run has failed: ${clip(error.message, 200)}`,
          "see its log",
        );
  }
  if (last === null) return none("watch", "does not run, nor has `ocdd` run here yet");
  const since = `does not run; \`ocdd\` ran last ${age(Math.max(0, now - last))} ago`;
  return now - last < RECENT
    ? none("watch", `${since}: containers that start later have no name and no address until it runs again`)
    : bad("watch", since, startRemedy(config, "watch"));
}
