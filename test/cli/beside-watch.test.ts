/** `teardown` beside a `watch`. */
import t from "tap";
import { requireNoWatch } from "../../src/cli/beside-watch.ts";
import { pathsOf } from "../../src/core/paths.ts";
import { wouldRestore } from "../../src/daemon/another.ts";
import { recordWatchStats } from "../../src/host/disk/watch-stats.ts";
import { stopsWatch } from "../../src/host/install/supervisor.ts";
import { config, NOW } from "../core/make.ts";

t.test("requireNoWatch: refused beside a watch that teardown does not stop itself", async (t) => {
  const conf = config({ STORAGE_DIR: t.testdir({}), SERVICES: "none" });
  await requireNoWatch(conf);
  const stats = recordWatchStats(pathsOf(conf).watchStats, () => NOW);
  stats.succeeded(0, 0);
  await stats.written();
  await t.rejects(requireNoWatch(conf), {
    fault: "busy",
    message: `\`ocdd watch\` runs (process ${process.pid}), and would put back what teardown removes`,
    remedy: /^stop it first: .*`kill \d+`$/,
  });
  await requireNoWatch(conf, async (_config, pid) => pid === process.pid);
});

t.test("stopsWatch: what compose runs, and not this process", async (t) => {
  t.equal(await stopsWatch(config({ SERVICES: "compose" }), process.pid), true);
  for (const services of ["none", "systemd"])
    t.equal(await stopsWatch(config({ SERVICES: services }), process.pid), false, services);
});

t.test("wouldRestore: how that watch is stopped", async (t) => {
  t.equal(
    wouldRestore(7, true).remedy,
    "stop it first: `systemctl stop ocdd-watch` where systemd has started it, else `kill 7`",
  );
  t.equal(wouldRestore(undefined, false).remedy, "stop it first: `kill PID`");
});
