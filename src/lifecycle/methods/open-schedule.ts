/** The schedule of methods on the real host. */
import { pathsOf } from "../../core/paths.ts";
import { resultsReader } from "../../host/disk/method-results.ts";
import { connectMethods } from "../../host/docker/methods.ts";
import { after } from "../../platform/timer.ts";
import { methodRunner } from "./run.ts";
import { type Clock, makeSchedule, type Schedule, type ScheduleParts } from "./schedule.ts";
import { taskRuns } from "./task-runs.ts";

/** The real one. */
export const clock: Clock = {
  now: () => performance.now(),
  date: Date.now,
  after,
};

const open: ScheduleParts["open"] = (config, exists) => {
  const paths = pathsOf(config);
  const docker = connectMethods({ socket: config.dockerSocket, ...config.api });
  const runner = methodRunner({ docker, paths, now: Date.now, exists });
  return {
    runs: taskRuns({ docker, runner, now: Date.now }),
    results: resultsReader(paths.results),
  };
};

export const openSchedule = (parts: Pick<ScheduleParts, "say" | "changed">): Schedule =>
  makeSchedule({ ...parts, open, clock });
