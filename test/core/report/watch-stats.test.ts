/** What `watch` counts, and the file it is kept in. */
import fc from "fast-check";
import t from "tap";
import {
  afterFailure,
  afterRun,
  newWatchStats,
  parseWatchStats,
  renderWatchStats,
  type WatchStats,
} from "../../../src/core/report/watch-stats.ts";

t.test("runs that change something are counted; repairs are counted among them", async (t) => {
  const fresh = newWatchStats(100);
  t.equal(afterRun(fresh, 0, 0, 200), fresh, "a run without changes is the same value");
  const changed = afterRun(fresh, 3, 0, 200);
  t.match(changed, { changes: 3, repaired: 0, lastRepair: null });
  t.match(afterRun(changed, 2, 2, 300), { since: 100, changes: 5, repaired: 2, lastRepair: 300 });
});

t.test("a failure lasts until a run succeeds; the same one again is the same value", async (t) => {
  const failed = afterFailure(newWatchStats(100), "no Docker", 200);
  t.strictSame(failed.lastError, { at: 200, message: "no Docker", over: false });
  t.equal(afterFailure(failed, "no Docker", 300), failed);
  t.match(afterFailure(failed, "no space", 300), { lastError: { at: 300, message: "no space" } });
  const over = afterRun(failed, 0, 0, 400);
  t.strictSame(over.lastError, { at: 200, message: "no Docker", over: true });
  t.match(afterFailure(over, "no Docker", 500), { lastError: { at: 500, over: false } }, "it has come back");
});

t.test("any sequence of runs: what is written is read back", async () => {
  const run = fc.record({
    changes: fc.nat(9),
    repairs: fc.nat(9),
    failure: fc.option(fc.string()),
    at: fc.nat(),
  });
  fc.assert(
    fc.property(fc.array(run), (runs) => {
      const stats = runs.reduce(
        (before, { changes, repairs, failure, at }) =>
          failure === null ? afterRun(before, changes, repairs, at) : afterFailure(before, failure, at),
        newWatchStats(1),
      );
      return JSON.stringify(parseWatchStats(renderWatchStats(stats))) === JSON.stringify(stats);
    }),
    { numRuns: 200 },
  );
});

t.test("any text or JSON: figures or none, never an error", async () => {
  const keys = ["since", "changes", "repaired", "lastRepair", "lastError", "at", "message"] as const;
  const odd = fc.dictionary(fc.constantFrom(...keys), fc.jsonValue({ maxDepth: 2 }));
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string(),
        fc.json(),
        odd.map((one) => JSON.stringify(one)),
      ),
      (text) => {
        const stats = parseWatchStats(text);
        return stats === null || (Number.isFinite(stats.since) && Number.isFinite(stats.repaired));
      },
    ),
    { numRuns: 500 },
  );
});

t.test("a time that cannot be printed: no figures", async (t) => {
  const times: Partial<WatchStats>[] = [
    { since: 1e13 },
    { lastRepair: 1e300 },
    { lastError: { at: -1, message: "x", over: false } },
  ];
  for (const odd of times) t.equal(parseWatchStats(renderWatchStats({ ...newWatchStats(1), ...odd })), null);
});
