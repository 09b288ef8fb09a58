/** Whether anything on the host starts `watch` and `serve`. */
import t from "tap";
import { startsNothing } from "../../src/cli/set-up.ts";
import { pathsOf } from "../../src/core/paths.ts";
import { recordWatchStats } from "../../src/host/disk/watch-stats.ts";
import { lacksUnits } from "../../src/host/install/supervisor.ts";
import { config, NOW } from "../core/make.ts";

const OURS = "# Written by ocdd initialize; teardown removes it.\n[Service]\n";

t.test(
  "lacksUnits: where systemd is to start both, and `ocdd initialize` has written no units",
  async (t) => {
    const lacks = (units: Record<string, string>, services = "auto", systemd = true) =>
      lacksUnits(config({ SERVICES: services }), { directory: t.testdir(units), systemd });
    const both = { "ocdd-watch.service": OURS, "ocdd-serve.service": OURS };
    t.equal(await lacks({}), true);
    t.equal(await lacks({}, "systemd"), true);
    t.equal(await lacks({ ...both, "ocdd-serve.service": "[Service]\n" }), true, "one that is not OCDD's");
    t.equal(await lacks(both), false);
    for (const services of ["none", "compose"]) t.equal(await lacks({}, services), false, services);
    for (const services of ["auto", "systemd"])
      t.equal(await lacks({}, services, false), false, "no systemd");
  },
);

t.test("startsNothing: not where watch runs, started in another way", async (t) => {
  const conf = config({ STORAGE_DIR: t.testdir({}) });
  t.equal(await startsNothing(conf, async () => true), true);
  t.equal(await startsNothing(conf, async () => false), false);
  t.equal(await startsNothing(conf, () => Promise.reject(new Error("EACCES"))), false);
  const stats = recordWatchStats(pathsOf(conf).watchStats, () => NOW);
  stats.succeeded(0, 0);
  await stats.written();
  t.equal(await startsNothing(conf, async () => true), false);
});
