/** What other commands learn of containers that do not answer. */
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { newWatchStats, renderWatchStats } from "../../../src/core/report/watch-stats.ts";
import { takeLock } from "../../../src/host/disk/lock.ts";
import { readFound, readWatchStats, recordWatchStats, seeWatch } from "../../../src/host/disk/watch-stats.ts";
import { thisProcess } from "../../../src/host/kernel/process-owner.ts";

t.test("containers that do not answer: read while the process that has found them runs", async (t) => {
  const file = join(t.testdir(), "watch.json");
  t.strictSame((await readFound(file)).unanswered, new Set(), "no file");
  const stats = recordWatchStats(file, () => 100);
  stats.unanswered(["one", "two"]);
  stats.succeeded(1, 0);
  await stats.written();
  t.strictSame((await readFound(file)).unanswered, new Set(["one", "two"]));
  stats.unanswered([]);
  stats.portless(["three"]);
  await stats.written();
  t.strictSame((await readFound(file)).portless, new Set(["three"]));
  t.strictSame((await readFound(file)).unanswered, new Set());
});

t.test(
  "a process that was killed, a file of an earlier version, a damaged one: nothing is known",
  async (t) => {
    const file = join(t.testdir(), "watch.json");
    const own = await thisProcess();
    const stats = { ...newWatchStats(100), unanswered: ["one"] };
    writeFileSync(file, renderWatchStats({ ...stats, process: { ...own, started: `${own.started}1` } }));
    t.strictSame((await readFound(file)).unanswered, new Set(), "its number is used again");
    writeFileSync(file, renderWatchStats({ ...stats, process: null }));
    t.strictSame((await readFound(file)).unanswered, new Set());
    const { unanswered: _, ...earlier } = stats;
    writeFileSync(file, JSON.stringify({ schemaVersion: 1, ...earlier, process: own }));
    t.strictSame((await readFound(file)).unanswered, new Set());
    for (const damaged of [["one", 2, null], "one", { 0: "one" }]) {
      writeFileSync(file, JSON.stringify({ schemaVersion: 1, ...stats, unanswered: damaged, process: own }));
      t.strictSame([...(await readFound(file)).unanswered], Array.isArray(damaged) ? ["one"] : []);
    }
  },
);

t.test("a watch that runs: by what it has recorded, else by its lock", async (t) => {
  const directory = t.testdir();
  const paths = { watchStats: join(directory, "watch.json"), watchLock: join(directory, "watch.lock") };
  const { pid } = process;
  t.match(await seeWatch(paths), { stats: null, running: null, pid: null });
  const own = await thisProcess();
  const ended = { ...own, started: `${own.started}1` };
  const record = (process: typeof own | null): void =>
    writeFileSync(paths.watchStats, renderWatchStats({ ...newWatchStats(100), process }));
  const known = async (process: typeof own | null, seen: { running: boolean | null; pid: number | null }) => {
    record(process);
    t.match(await seeWatch(paths), { stats: { since: 100 }, ...seen });
  };
  await known(own, { running: true, pid });
  await known(ended, { running: false, pid: null });
  await known(null, { running: null, pid: null });

  const release = await takeLock(paths.watchLock);
  await known(ended, { running: true, pid });
  await known(null, { running: true, pid });
  rmSync(paths.watchStats);
  t.match(await seeWatch(paths), { stats: null, running: true, pid });
  writeFileSync(paths.watchLock, "no number\n");
  t.match(await seeWatch(paths), { running: true, pid: null });
  await release();
  await known(ended, { running: false, pid: null });
  t.equal(readFileSync(paths.watchLock, "utf8"), "no number\n", "a look writes nothing");
});

t.test("a reload that was refused: recorded, read, and over", async (t) => {
  const file = join(t.testdir(), "watch.json");
  const stats = recordWatchStats(file, () => 100);
  stats.reload({ message: "no", remedy: "do it" });
  await stats.written();
  t.strictSame((await readWatchStats(file))?.refused, { at: 100, message: "no", remedy: "do it" });
  stats.reload(null);
  await stats.written();
  t.equal((await readWatchStats(file))?.refused, null);
  const { refused: _, ...earlier } = newWatchStats(100);
  for (const [refused, read] of [
    [undefined, null],
    [
      { at: 1, message: 2, remedy: 3 },
      { at: 1, message: "2", remedy: null },
    ],
  ]) {
    writeFileSync(file, JSON.stringify({ schemaVersion: 1, ...earlier, refused }));
    t.strictSame((await readWatchStats(file))?.refused, read);
  }
  writeFileSync(file, JSON.stringify({ schemaVersion: 1, ...earlier, refused: { at: "x" } }));
  t.equal(await readWatchStats(file), null);
});
