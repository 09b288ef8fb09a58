/** What a run has to observe, after events and after changes without details. */
import t from "tap";
import { makePending } from "../../src/director/pending.ts";

const event = (n: number) => ({ action: "start", container: `c${n}`, network: "" });

t.test("the first run observes everything, one without events nothing again", async (t) => {
  const pending = makePending(() => 5);
  t.ok(pending.isWhole());
  t.strictSame(pending.take(), { scope: undefined, since: null, announced: false, more: false });
  t.notOk(pending.isWhole());
  t.strictSame(pending.take(), { scope: { events: [] }, since: null, announced: false, more: false });
});

t.test("events are handed to one run, with the time of the first", async (t) => {
  let now = 100;
  const pending = makePending(() => now);
  pending.take();
  pending.add(event(1));
  now = 200;
  pending.add(event(2));
  t.strictSame(pending.take(), {
    scope: { events: [event(1), event(2)] },
    since: 100,
    announced: true,
    more: false,
  });
  pending.add(event(3));
  t.strictSame(
    pending.take(),
    { scope: { events: [event(3)] }, since: 200, announced: true, more: false },
    "nothing of the previous run",
  );
});

t.test("a change without an event: everything is observed once, and the event's time is kept", async (t) => {
  const pending = makePending(() => 7);
  pending.take();
  pending.add(event(1));
  pending.addAll();
  t.strictSame(pending.take(), { scope: undefined, since: 7, announced: true, more: false });
  pending.add(event(2));
  t.strictSame(pending.take(), { scope: { events: [event(2)] }, since: 7, announced: true, more: false });
});

t.test("a request to look once more is no event of Docker's", async (t) => {
  const pending = makePending(() => 7);
  pending.add({ ...event(1), action: "" });
  t.notOk(pending.take().announced);
  pending.add(event(1));
  pending.addAll();
  t.ok(pending.take().announced, "also where everything is observed");
});

t.test("more than 64 events: everything is observed", async (t) => {
  const pending = makePending(() => 7);
  pending.take();
  const add = (count: number): void => {
    for (let n = 0; n < count; n++) pending.add(event(n));
  };
  add(64);
  t.equal(pending.take().scope?.events?.length, 64);
  add(65);
  t.equal(pending.take().scope, undefined);
});

t.test(
  "ends come first, in a run of their own; no event of a container that came back is taken first",
  async (t) => {
    const pending = makePending(() => 7);
    pending.take();
    const about = (action: string, n: number) => ({ ...event(n), action });
    const [started, ended, again, back, other] = [
      about("connect", 1),
      about("die", 2),
      about("die", 3),
      about("start", 3),
      about("die", 4),
    ] as const;
    const stopped = about("stop", 4);
    for (const one of [started, ended, again, back, other, stopped]) pending.add(one);
    t.strictSame(pending.take(), {
      scope: { events: [ended, other] },
      since: 7,
      announced: true,
      more: true,
    });
    t.strictSame(pending.take(), {
      scope: { events: [started, again, back, stopped] },
      since: 7,
      announced: true,
      more: false,
    });
    t.strictSame(pending.take(), { scope: { events: [] }, since: null, announced: false, more: false });
  },
);
