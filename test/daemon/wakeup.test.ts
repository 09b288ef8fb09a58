/** What wakes `watch`, and the lines it logs. */

import t from "tap";
import { logLine } from "../../src/daemon/log.ts";
import { debouncedWakeup } from "../../src/daemon/wakeup.ts";

/** Milliseconds that something takes: at least those of its timers, however busy the machine is. */
async function took(what: () => Promise<void>): Promise<number> {
  const started = performance.now();
  await what();
  return performance.now() - started;
}

t.test("a call ends the wait, but not before its least time", async (t) => {
  const wakeup = debouncedWakeup(new AbortController().signal);
  setTimeout(wakeup.wake, 20);
  const waited = await took(() => wakeup.wait({ minMs: 150, soonMs: 0, maxMs: 600_000 }));
  t.ok(waited >= 145, `${waited} ms`);
});

t.test("an urgent call ends a wait whose least time others have begun", async (t) => {
  const wakeup = debouncedWakeup(new AbortController().signal);
  wakeup.wake();
  setTimeout(wakeup.wakeSoon, 20);
  await wakeup.wait({ minMs: 600_000, soonMs: 30, maxMs: 600_000 });
  t.pass("it has ended");
  const silent = await took(() => wakeup.wait({ minMs: 0, soonMs: 0, maxMs: 60 }));
  t.ok(silent >= 55, `${silent} ms: the call ends one wait alone`);
});

t.test("calls during a run end the next wait, and only that one", async (t) => {
  const wakeup = debouncedWakeup(new AbortController().signal);
  wakeup.wake();
  wakeup.wake();
  await wakeup.wait({ minMs: 0, soonMs: 0, maxMs: 600_000 });
  const silent = await took(() => wakeup.wait({ minMs: 0, soonMs: 0, maxMs: 60 }));
  t.ok(silent >= 55, `${silent} ms: time alone`);
});

t.test("an aborted signal ends every wait, with any least time", async (t) => {
  const stop = new AbortController();
  const wakeup = debouncedWakeup(stop.signal);
  setTimeout(() => stop.abort(), 20);
  await wakeup.wait({ minMs: 600_000, soonMs: 600_000, maxMs: 600_000 });
  await wakeup.wait({ minMs: 600_000, soonMs: 600_000, maxMs: 600_000 });
  t.pass("both have ended");
});

t.test("a log line is one line, in each format", (t) => {
  t.equal(logLine("text", "info", "two\nlines", 0), "two lines");
  t.equal(logLine("text", "error", "bad", 0), "error: bad");
  t.equal(logLine("journal", "warning", 'a "b"', 0), '<4>level=warning msg="a \\"b\\""');
  t.same(JSON.parse(logLine("json", "info", "x", 0)), {
    time: "1970-01-01T00:00:00.000Z",
    level: "info",
    message: "x",
  });
  t.end();
});
