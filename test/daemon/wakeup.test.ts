/** The bell that wakes watch, and the lines it logs. */

import t from "tap";
import { logLine } from "../../src/daemon/log.ts";
import { makeBell } from "../../src/daemon/wakeup.ts";

/** Milliseconds that something takes. */
async function took(what: Promise<void>): Promise<number> {
  const started = performance.now();
  await what;
  return performance.now() - started;
}

t.test("a ring ends the wait, but not before its least time; an urgent one at once", async (t) => {
  const bell = makeBell(new AbortController().signal);
  setTimeout(() => bell.ring(), 20);
  const calm = await took(bell.wait(150, 5_000));
  t.ok(calm >= 145 && calm < 2_000, `${calm} ms`);
  setTimeout(() => bell.ring(true), 20);
  t.ok((await took(bell.wait(3_000, 5_000))) < 2_000, "urgent");
});

t.test("a ring while nobody waits is remembered, once", async (t) => {
  const bell = makeBell(new AbortController().signal);
  bell.ring();
  bell.ring();
  t.ok((await took(bell.wait(0, 5_000))) < 1_000);
  const silent = await took(bell.wait(0, 60));
  t.ok(silent >= 55, `${silent} ms: time alone`);
});

t.test("the end of the watch ends every wait", async (t) => {
  const stop = new AbortController();
  const bell = makeBell(stop.signal);
  setTimeout(() => stop.abort(), 20);
  t.ok((await took(bell.wait(1_000, 5_000))) < 900);
});

t.test("a log line is one line, in the form its reader wants", (t) => {
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
