/** Timers for any time, with Node's own replaced by a clock that the test sets. */
import t, { type Test } from "tap";
import { after, pausing } from "../../src/platform/timer.ts";

const LONGEST_MS = 2 ** 31 - 1;

/** A clock that counts as Node's timers do: beyond 24.8 days at once. */
function clock(t: Test) {
  let now = 0;
  const due = new Map<number, { at: number; act: () => void }>();
  let next = 1;
  const set = (act: () => void, milliseconds: number): unknown => {
    const number = next++;
    due.set(number, { at: now + (milliseconds > LONGEST_MS ? 1 : milliseconds), act });
    return { number, unref: () => undefined };
  };
  const clear = (timer: { number: number } | undefined): void => void due.delete(timer?.number ?? 0);
  t.intercept(globalThis, "setTimeout", { value: set });
  t.intercept(globalThis, "clearTimeout", { value: clear });
  return {
    waiting: () => due.size,
    /** Goes on to this time. */
    to(time: number): void {
      for (;;) {
        const [first] = [...due].filter(([, { at }]) => at <= time).sort(([, a], [, b]) => a.at - b.at);
        if (first === undefined) break;
        due.delete(first[0]);
        now = first[1].at;
        first[1].act();
      }
      now = time;
    },
  };
}

const DAY_MS = 86_400_000;
const TIMES = [0, 1, 1_000, DAY_MS, LONGEST_MS - 1, LONGEST_MS, LONGEST_MS + 1, 30 * DAY_MS, 365 * DAY_MS];

t.test("any time, also one that Node's timers do not count: due then, once, and not before", async (t) => {
  for (const milliseconds of TIMES) {
    const { to, waiting } = clock(t);
    let acts = 0;
    after(milliseconds, () => {
      acts += 1;
    });
    to(milliseconds - 1);
    t.equal(acts, 0, `${milliseconds} ms`);
    to(milliseconds);
    to(3 * 365 * DAY_MS);
    t.strictSame([acts, waiting()], [1, 0], `${milliseconds} ms`);
  }
});

t.test("ended before it is due, in any part of it: not done, and no timer is left", async (t) => {
  for (const milliseconds of TIMES.slice(1))
    for (const at of [0, (milliseconds - 1) / 2, milliseconds - 1]) {
      const { to, waiting } = clock(t);
      const cancel = after(milliseconds, () => t.fail(`${milliseconds} ms, ended at ${at}`));
      to(at);
      cancel();
      cancel();
      t.equal(waiting(), 0);
      to(3 * 365 * DAY_MS);
    }
  const { to, waiting } = clock(t);
  after(Number.POSITIVE_INFINITY, () => t.fail("never"));
  to(3 * 365 * DAY_MS);
  t.equal(waiting(), 1);
});

t.test("a pause of 30 days: until then, or until its signal is aborted", async (t) => {
  const { to, waiting } = clock(t);
  const stop = new AbortController();
  let ended = "";
  const first = pausing(30 * DAY_MS, new AbortController().signal).then(() => {
    ended += "first ";
  });
  const second = pausing(30 * DAY_MS, stop.signal).then(() => {
    ended += "second ";
  });
  to(29 * DAY_MS);
  stop.abort();
  await second;
  t.equal(ended, "second ");
  to(30 * DAY_MS);
  await first;
  t.strictSame([ended, waiting()], ["second first ", 0]);
  await pausing(30 * DAY_MS, stop.signal);
});
