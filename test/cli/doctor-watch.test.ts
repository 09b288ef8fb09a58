/** `ocdd doctor` on what keeps OCDD up to date. */
import { mkdirSync, utimesSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import t, { type Test } from "tap";
import { watchFinding } from "../../src/cli/doctor/watch.ts";
import { pathsOf } from "../../src/core/paths.ts";
import { newWatchStats, renderWatchStats, type WatchStats } from "../../src/core/report/watch-stats.ts";
import { thisProcess } from "../../src/host/kernel/process-owner.ts";
import { config, NOW } from "../core/make.ts";

/** A host where `watch` has left this, and `ocdd` has run so many seconds ago. */
async function found(t: Test, stats: Partial<WatchStats> | null, ago: number | null) {
  const conf = config({ STORAGE_DIR: t.testdir({}), SERVICES: "none" });
  const { watchStats, lastRun } = pathsOf(conf);
  mkdirSync(dirname(lastRun), { recursive: true });
  if (stats !== null) writeFileSync(watchStats, renderWatchStats({ ...newWatchStats(NOW - 100), ...stats }));
  if (ago !== null) {
    writeFileSync(lastRun, "");
    utimesSync(lastRun, NOW - ago, NOW - ago);
  }
  return watchFinding(conf, NOW);
}

t.test("it runs; its last run has failed; it has recovered", async (t) => {
  const own = await thisProcess();
  const message = `runs (process ${process.pid})`;
  t.match(await found(t, { process: own }, 5), { ok: true, message });
  const lastError = { at: NOW - 9, message: "no room", over: false };
  t.match(await found(t, { process: own, lastError }, 5), {
    ok: false,
    message: `${message}, and its last run has failed: no room`,
  });
  t.match(await found(t, { process: own, lastError: { ...lastError, over: true } }, 5), { ok: true });
});

t.test("it runs and has refused a reload: why, and the remedy", async (t) => {
  const own = await thisProcess();
  const refused = { at: NOW - 9, message: "1 active lease\nwould end", remedy: "run `ocdd --yes`" };
  t.match(await found(t, { process: own, refused }, 5), {
    ok: false,
    message:
      /^runs \(process \d+\) with its former configuration, the new one is refused: 1 active lease.would end$/,
    remedy: "run `ocdd --yes`",
  });
  t.match(await found(t, { process: own, refused: { ...refused, remedy: null } }, 5), {
    remedy: /^correct the configuration and reload/,
  });
});

t.test("it does not run: no fault where runs of cron may be, else the remedy", async (t) => {
  const own = await thisProcess();
  const ended = { ...own, started: `${own.started}1` };
  t.match(await found(t, null, null), { ok: null, message: /nor has `ocdd` run here yet/ });
  for (const stats of [null, { process: ended }]) {
    t.match(await found(t, stats, 60), { ok: null, message: /^does not run; `ocdd` ran last 1 min ago: / });
    t.match(await found(t, stats, 7_200), { ok: false, message: /ran last 2 h ago$/, remedy: /ocdd watch/ });
    t.match(await found(t, stats, -7_200), {
      ok: false,
      message: /ran last 2 h in the future \(the clock was set back\)$/,
    });
  }
});
