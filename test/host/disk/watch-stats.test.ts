/** What other commands learn of containers that do not answer. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { newWatchStats, renderWatchStats } from "../../../src/core/report/watch-stats.ts";
import { readUnanswered, recordWatchStats, runningWatch } from "../../../src/host/disk/watch-stats.ts";
import { thisProcess } from "../../../src/host/kernel/process-owner.ts";

t.test("containers that do not answer: read while the process that has found them runs", async (t) => {
  const file = join(t.testdir(), "watch.json");
  t.strictSame(await readUnanswered(file), new Set(), "no file");
  const stats = recordWatchStats(file, () => 100);
  stats.unanswered(["one", "two"]);
  stats.succeeded(1, false);
  await stats.written();
  t.strictSame(await readUnanswered(file), new Set(["one", "two"]));
  stats.unanswered([]);
  await stats.written();
  t.strictSame(await readUnanswered(file), new Set());
});

t.test(
  "a process that was killed, a file of an earlier version, a damaged one: nothing is known",
  async (t) => {
    const file = join(t.testdir(), "watch.json");
    const own = await thisProcess();
    const stats = { ...newWatchStats(100), unanswered: ["one"] };
    writeFileSync(file, renderWatchStats({ ...stats, process: { ...own, started: `${own.started}1` } }));
    t.strictSame(await readUnanswered(file), new Set(), "its number is used again");
    writeFileSync(file, renderWatchStats({ ...stats, process: null }));
    t.strictSame(await readUnanswered(file), new Set());
    const { unanswered: _, ...earlier } = stats;
    writeFileSync(file, JSON.stringify({ schemaVersion: 1, ...earlier, process: own }));
    t.strictSame(await readUnanswered(file), new Set());
    for (const damaged of [["one", 2, null], "one", { 0: "one" }]) {
      writeFileSync(file, JSON.stringify({ schemaVersion: 1, ...stats, unanswered: damaged, process: own }));
      t.strictSame([...(await readUnanswered(file))], Array.isArray(damaged) ? ["one"] : []);
    }
  },
);

t.test("the process of a watch that runs; none of one that has ended, or that never was", async (t) => {
  const file = join(t.testdir(), "watch.json");
  t.equal(await runningWatch(file), null);
  const own = await thisProcess();
  const record = (process: typeof own | null): void =>
    writeFileSync(file, renderWatchStats({ ...newWatchStats(100), process }));
  record(own);
  t.equal(await runningWatch(file), process.pid);
  record({ ...own, started: `${own.started}1` });
  t.equal(await runningWatch(file), null);
  record(null);
  t.equal(await runningWatch(file), null);
});
