/** The waker's states: what it does with packets and containers, on a host that does as it is told. */
import { setTimeout as sleep } from "node:timers/promises";
import t from "tap";
import type { Service } from "../../src/core/model.ts";
import { EndedError } from "../../src/lifecycle/readiness.ts";
import type { Started, Waker } from "../../src/lifecycle/waker-types.ts";
import { id } from "../core/make.ts";
import { until } from "../lab/process.ts";
import { ALIAS, host, STARTED, service, tcp } from "./waker-host.ts";

/** All that has been begun and needs no event has been done. */
async function settled(waker: Waker, phase: string): Promise<void> {
  for (let turns = 0; turns < 2_000; turns++) {
    if (waker.place(ALIAS)?.phase === phase) {
      for (let more = 0; more < 20; more++) await sleep(0);
      return;
    }
    await sleep(1);
  }
  throw new Error(`it is ${waker.place(ALIAS)?.phase}, not ${phase}`);
}

t.test("a visit: started, checked, led to, then released, in this order", async (t) => {
  const { waker, done, verdicts, notes, hold } = host();
  waker.update([service("asleep")]);
  const open = hold("open");
  waker.arrived(1, tcp(4001));
  waker.arrived(2, tcp(4002, 443));
  await settled(waker, "starting");
  t.strictSame(done, ["start", "ready", "open"]);
  t.strictSame(verdicts, [], "nothing is released before the rule is in force");
  open.resolve();
  await settled(waker, "awake");
  t.strictSame(verdicts, ["1 release", "2 release"]);
  t.ok(waker.open.has(id("web")));
  t.strictSame(
    notes.map(({ kind }) => kind),
    ["visit", "ready"],
  );
});

t.test(
  "ready: says for how long the first visitor has waited, and whether it was started here",
  async (t) => {
    const { waker, notes, hold, pass } = host();
    waker.update([service("asleep")]);
    const ready = hold("ready");
    waker.arrived(1, tcp(4001));
    pass(700);
    waker.arrived(2, tcp(4002));
    await settled(waker, "starting");
    pass(300);
    ready.resolve();
    await settled(waker, "awake");
    t.match(notes.at(-1), { kind: "ready", held: 2, waited: 1_000, woken: true });

    const byHand = host();
    byHand.waker.update([service("starting")]);
    await settled(byHand.waker, "awake");
    t.match(byHand.notes, [{ kind: "ready", held: 0, waited: null, woken: false }], "it is only looked at");
  },
);

t.test("a request for the page while it sleeps: it is started, once", async (t) => {
  const { waker, done, notes } = host();
  waker.asked(tcp(4001));
  waker.update([service("asleep")]);
  waker.asked(tcp(4001));
  waker.asked(tcp(4002));
  await settled(waker, "awake");
  waker.asked(tcp(4003));
  t.strictSame(done, ["start", "ready", "open"]);
  t.strictSame(
    notes.map(({ kind }) => kind),
    ["visit", "ready"],
  );
});

t.test("a visitor that sees the page: its whole time counts, not that of the packets left", async (t) => {
  const { waker, notes, hold, pass } = host({ page: async () => true });
  waker.update([service("asleep")]);
  const ready = hold("ready");
  waker.arrived(1, tcp(4001));
  await until("the page is shown", () => waker.place(ALIAS)?.paged === true);
  pass(8_000);
  ready.resolve();
  await settled(waker, "awake");
  t.match(notes.at(-1), { kind: "ready", held: 0, waited: 8_000 });
});

t.test("a repeated SYN takes the place of the first; the datagrams of one flow all wait", async (t) => {
  const { waker, verdicts, hold } = host();
  waker.update([service("asleep")]);
  const ready = hold("ready");
  waker.arrived(1, tcp(4001));
  waker.arrived(2, tcp(4001));
  t.strictSame(verdicts, ["1 drop"]);
  const udp = { ...tcp(5000, 53), protocol: "udp" as const };
  waker.arrived(3, udp);
  waker.arrived(4, udp);
  ready.resolve();
  await settled(waker, "awake");
  t.strictSame(verdicts, ["1 drop", "2 release", "3 release", "4 release"]);
});

t.test("what is no visit is refused, and starts nothing", async (t) => {
  const { waker, done, verdicts } = host({ isVisit: async (_, flow) => flow.port === 80 });
  waker.update([service("asleep")]);
  waker.arrived(1, tcp(4001, 9999));
  await settled(waker, "asleep");
  t.strictSame([done, verdicts], [[], ["1 refuse"]]);
});

t.test("an address of which nothing is known waits for the next decision: started, or refused", async (t) => {
  const looks: (Service | null)[] = [];
  const { waker, verdicts } = host({ look: (service) => void looks.push(service) });
  waker.arrived(1, tcp(4001));
  waker.arrived(2, tcp(4002));
  t.strictSame([verdicts, looks], [[], [null]]);
  waker.update([]);
  t.strictSame(verdicts, ["1 refuse", "2 refuse"]);
  waker.arrived(3, tcp(4003));
  waker.update([service("asleep")]);
  await settled(waker, "awake");
  t.strictSame(verdicts.slice(2), ["3 release"]);
});

t.test("a start that fails: refused, tried again by a visit after 5 s, then 10 s", async (t) => {
  const failing = host({
    start: async () => {
      throw new Error("no such file");
    },
  });
  const { waker, verdicts, notes, pass } = failing;
  waker.update([service("asleep")]);
  waker.arrived(1, tcp(4001));
  await settled(waker, "failed");
  t.strictSame(verdicts, ["1 refuse"]);
  t.equal(waker.failed.get(id("web")), "no such file");
  pass(4_999);
  waker.arrived(2, tcp(4002));
  t.strictSame(verdicts, ["1 refuse", "2 refuse"], "at once");
  pass(2);
  waker.arrived(3, tcp(4003));
  await settled(waker, "failed");
  t.match(notes, [
    { kind: "visit" },
    { kind: "failed", retryMs: 5_000 },
    { kind: "visit" },
    { kind: "failed", retryMs: 10_000 },
  ]);
  t.strictSame(verdicts, ["1 refuse", "2 refuse", "3 refuse"]);
});

/** One that is awake is being stopped, a packet comes meanwhile, and the stop ends. */
async function visitedWhileStopped({ waker, hold }: ReturnType<typeof host>): Promise<void> {
  waker.update([service("running")]);
  const stop = hold("stop");
  const falling = waker.fallAsleep(ALIAS, "not used");
  await settled(waker, "falling");
  waker.arrived(1, tcp(4001));
  stop.resolve();
  if (!(await falling)) throw new Error("it has not been stopped");
}

t.test("it is put to sleep: shut, then looked at, then stopped", async (t) => {
  const { waker, done, verdicts, hold } = host();
  waker.update([service("running")]);
  const busy = hold("busy?");
  const falling = waker.fallAsleep(ALIAS, "not used");
  await settled(waker, "falling");
  t.strictSame(done, ["shut", "busy?"]);
  t.ok(waker.shut.has(id("web")), "a run meanwhile leaves it shut");
  busy.resolve();
  t.equal(await falling, true);
  t.strictSame(done, ["shut", "busy?", "stop"]);
  t.equal(waker.place(ALIAS)?.phase, "asleep");
  t.notOk(waker.shut.has(id("web")));
  t.strictSame(verdicts, []);
});

t.test(
  "a connection is open: its alias leads to it again, and packets that came meanwhile are released",
  async (t) => {
    const { waker, done, verdicts, hold } = host({ busy: async () => true });
    waker.update([service("running")]);
    const shut = hold("shut");
    const falling = waker.fallAsleep(ALIAS, "not used");
    waker.arrived(1, tcp(4001));
    shut.resolve();
    t.equal(await falling, false);
    t.strictSame(done, ["shut", "open"]);
    t.strictSame(verdicts, ["1 release"]);
    t.equal(waker.place(ALIAS)?.phase, "awake");
  },
);

t.test("a visit while it is stopped waits, and starts it again", async (t) => {
  const scene = host();
  const { waker, done, verdicts } = scene;
  await visitedWhileStopped(scene);
  await settled(waker, "awake");
  t.strictSame(done, ["shut", "busy?", "stop", "start", "ready", "open"]);
  t.strictSame(verdicts, ["1 release"]);
});

t.test("a stop that fails: it is led to again", async (t) => {
  const { waker, done } = host({
    stop: async () => {
      throw new Error("Docker does not answer");
    },
  });
  waker.update([service("running")]);
  t.equal(await waker.fallAsleep(ALIAS, "not used"), false);
  t.strictSame(done, ["shut", "busy?", "open"]);
  t.equal(waker.place(ALIAS)?.phase, "awake");
});

t.test(
  "stopped by a command while it is checked: asleep, no failure; the next visit starts it at once",
  async (t) => {
    const ended = Promise.withResolvers<Started>();
    const checks = [() => ended.promise, async () => STARTED];
    const { waker, done, notes, verdicts } = host({
      ready: async () => (checks.shift() ?? (() => null as never))(),
    });
    waker.update([service("starting")]);
    await until("it is checked", () => checks.length === 1);
    ended.reject(new EndedError("it ended with status 143"));
    await until("it is asleep", () => waker.place(ALIAS)?.phase === "asleep");
    t.strictSame([...waker.failed], []);
    t.notOk(notes.some(({ kind }) => kind === "failed"));
    waker.arrived(1, tcp(1));
    await until("it is released", () => verdicts.length > 0);
    t.strictSame([done, verdicts], [["start", "open"], ["1 release"]]);
  },
);

t.test("started by a command: checked, its alias leads to it, and it is not started again", async (t) => {
  const { waker, done } = host();
  waker.update([service("asleep")]);
  waker.update([service("starting")]);
  await settled(waker, "awake");
  t.strictSame(done, ["ready", "open"]);
});

t.test("one that only seems to run is left asleep", async (t) => {
  const { waker, done } = host({ ready: async () => null });
  waker.update([service("asleep")]);
  waker.update([service("starting")]);
  await settled(waker, "asleep");
  t.strictSame(done, []);
  t.equal(waker.failed.size, 0);
});

t.test("a decision that is older than the opening changes nothing", async (t) => {
  const { waker, done } = host();
  waker.update([service("asleep")]);
  waker.arrived(1, tcp(4001));
  await settled(waker, "awake");
  waker.update([service("starting")]);
  waker.update([service("asleep")]);
  t.equal(waker.place(ALIAS)?.phase, "awake");
  t.strictSame(done, ["start", "ready", "open"]);
});

t.test("it has ended by itself: the next visit starts it again", async (t) => {
  const { waker, done } = host();
  waker.update([service("running")]);
  waker.ended(id("web"));
  waker.update([service("asleep")]);
  waker.arrived(1, tcp(4001));
  await settled(waker, "awake");
  t.strictSame(done, ["start", "ready", "open"]);
});

t.test(
  "an end that was missed: believed of Docker's list once that cannot be older than the start",
  async (t) => {
    const { waker, pass } = host();
    waker.update([service("asleep")]);
    waker.arrived(1, tcp(4001));
    await settled(waker, "awake");
    pass(9_000);
    waker.notRunning(id("web"));
    t.ok(waker.open.has(id("web")));
    pass(2_000);
    waker.notRunning(id("other"));
    waker.notRunning(id("web"));
    t.notOk(waker.open.has(id("web")));
    t.equal(waker.place(ALIAS)?.phase, "asleep");
  },
);

t.test("its container is removed while it starts: packets that wait are refused", async (t) => {
  const { waker, verdicts, hold } = host();
  waker.update([service("asleep")]);
  const ready = hold("ready");
  waker.arrived(1, tcp(4001));
  await settled(waker, "starting");
  waker.update([]);
  t.strictSame(verdicts, ["1 refuse"]);
  ready.resolve();
  for (let turns = 0; turns < 20; turns++) await sleep(0);
  t.equal(waker.open.size, 0);
  t.equal(waker.failed.size, 0);
});

t.test("a released flow that comes back again and again is dropped: its rule is not in force", async (t) => {
  const { waker, verdicts } = host();
  waker.update([service("running")]);
  for (let packet = 1; packet <= 7; packet++) waker.arrived(packet, tcp(4001));
  t.strictSame(verdicts.slice(4), ["5 release", "6 drop", "7 drop"]);
});

t.test("many that wait are released a few at a time, none is lost", async (t) => {
  const { waker, verdicts, hold } = host();
  waker.update([service("asleep")]);
  const ready = hold("ready");
  for (let packet = 0; packet < 1_100; packet++) waker.arrived(packet, tcp(packet));
  t.equal(verdicts.length, 76, "a bound of 1 024 flows");
  ready.resolve();
  await settled(waker, "awake");
  while (waker.place(ALIAS)?.held !== 0 || verdicts.length < 1_100) await sleep(5);
  t.equal(verdicts.filter((verdict) => verdict.endsWith("release")).length, 1_024);
});

t.test("a browser that waits is led to the page; a failed start shows it as well", async (t) => {
  const pages: string[] = [];
  const { waker, verdicts, pass } = host({
    page: async () => {
      pages.push("page");
      return true;
    },
    start: async () => {
      throw new Error("no such file");
    },
  });
  waker.update([service("asleep")]);
  waker.arrived(1, tcp(4001));
  await settled(waker, "failed");
  t.strictSame(pages, ["page"]);
  pass(1_000);
  waker.arrived(2, tcp(4002));
  waker.arrived(3, tcp(4003, 443));
  t.strictSame(verdicts, ["1 refuse", "2 release", "3 refuse"]);
});

t.test("what is no visit and came while it was stopped is refused, and starts nothing", async (t) => {
  const scene = host({ isVisit: async () => false });
  const { waker, done, verdicts } = scene;
  await visitedWhileStopped(scene);
  await settled(waker, "asleep");
  t.strictSame([done, verdicts], [["shut", "busy?", "stop"], ["1 refuse"]]);
});

t.test("a decision made before its end was known does not make it awake", async (t) => {
  const { waker, done } = host();
  waker.update([service("running")]);
  waker.observing();
  waker.ended(id("web"));
  waker.update([service("running")]);
  t.equal(waker.place(ALIAS)?.phase, "asleep");
  waker.arrived(1, tcp(4001));
  await settled(waker, "awake");
  t.strictSame(done, ["start", "ready", "open"]);
  waker.ended(id("web"));
  waker.observing();
  waker.update([service("running")]);
  t.equal(waker.place(ALIAS)?.phase, "awake", "started again by a command");
});

t.test(
  "it ends while its rule is written: shut again, and checked again before anything is released",
  async (t) => {
    const { waker, done, verdicts, hold, free } = host();
    waker.update([service("asleep")]);
    const open = hold("open");
    waker.arrived(1, tcp(4001));
    await settled(waker, "starting");
    waker.ended(id("web"));
    free("open");
    const shut = hold("shut");
    open.resolve();
    while (!done.includes("shut")) await sleep(1);
    t.strictSame([verdicts, waker.open.size], [[], 0]);
    shut.resolve();
    await settled(waker, "awake");
    t.strictSame(done, ["start", "ready", "open", "shut", "ready", "open"]);
    t.strictSame(verdicts, ["1 release"]);
  },
);

t.test("it ends for good while its rule is written: what waits is refused", async (t) => {
  let checks = 0;
  const { waker, verdicts, hold } = host({ ready: async () => (++checks === 1 ? STARTED : null) });
  waker.update([service("asleep")]);
  const open = hold("open");
  waker.arrived(1, tcp(4001));
  await settled(waker, "starting");
  waker.ended(id("web"));
  open.resolve();
  await settled(waker, "failed");
  t.strictSame([verdicts, waker.open.size], [["1 refuse"], 0]);
});

t.test("it ends by a command while it is being stopped and is used again: asleep", async (t) => {
  const { waker, hold } = host({ busy: async () => true, ready: async () => null });
  waker.update([service("running")]);
  const shut = hold("shut");
  const falling = waker.fallAsleep(ALIAS, "not used");
  waker.ended(id("web"));
  shut.resolve();
  await falling;
  t.equal(waker.place(ALIAS)?.phase, "asleep");
  t.equal(waker.open.size, 0);
});

t.test(
  "it has failed and is started by another's command: checked and led to, without a visit",
  async (t) => {
    let works = false;
    const { waker, done, pass } = host({
      start: async () => {
        throw new Error("no such file");
      },
      ready: async () => (works ? STARTED : null),
    });
    waker.update([service("asleep")]);
    waker.arrived(1, tcp(4001));
    await settled(waker, "failed");
    waker.started(id("web"));
    await settled(waker, "failed");
    t.equal(waker.failed.get(id("web")), "no such file", "it only seemed to run");
    works = true;
    pass(1);
    waker.started(id("web"));
    await settled(waker, "awake");
    t.strictSame([done, waker.failed.size], [["open"], 0]);
  },
);

t.test("what comes while a failed one is only looked at is refused until it is tried again", async (t) => {
  let look = false;
  const gate = Promise.withResolvers<void>();
  const { waker, verdicts } = host({
    start: async () => {
      throw new Error("no such file");
    },
    ready: async () => {
      look = true;
      await gate.promise;
      return null;
    },
  });
  waker.update([service("asleep")]);
  waker.arrived(1, tcp(4001));
  await settled(waker, "failed");
  waker.started(id("web"));
  while (!look) await sleep(1);
  waker.arrived(2, tcp(4002));
  gate.resolve();
  await settled(waker, "failed");
  t.strictSame(verdicts, ["1 refuse", "2 refuse"]);
});

t.test("another container takes its name while it starts: what waits waits for that one", async (t) => {
  const { waker, done, verdicts, notes, hold, free } = host();
  waker.update([service("asleep", "old")]);
  const ready = hold("ready");
  waker.arrived(1, tcp(4001));
  await settled(waker, "starting");
  waker.update([service("asleep", "new")]);
  free("ready");
  ready.resolve();
  await settled(waker, "awake");
  t.strictSame(done, ["start", "ready", "start", "ready", "open"]);
  t.strictSame([[...waker.open], verdicts], [[id("new")], ["1 release"]]);
  t.notOk(notes.some(({ kind }) => kind === "failed"));
});

t.test(
  "another container takes the name of one that was awake or has failed: it is not taken for that",
  async (t) => {
    const { waker } = host({
      start: async () => {
        throw new Error("no such file");
      },
    });
    waker.update([service("asleep", "old")]);
    waker.arrived(1, tcp(4001));
    await settled(waker, "failed");
    waker.update([service("asleep", "new")]);
    t.strictSame([waker.place(ALIAS)?.phase, waker.failed.size], ["asleep", 0]);
    waker.update([service("starting", "new")]);
    await settled(waker, "awake");
    waker.update([service("asleep", "newer")]);
    t.strictSame([waker.place(ALIAS)?.phase, waker.open.size], ["asleep", 0]);
  },
);

t.test("what is to be said about a stop is told", async (t) => {
  const { waker, notes } = host({ stop: async () => "its restart policy is always" });
  waker.update([service("running")]);
  await waker.fallAsleep(ALIAS, "not used");
  t.match(notes, [{ kind: "stopped", reason: "not used", note: "its restart policy is always" }]);
});

t.test("its container is removed: what waits for a change of it is told", async (t) => {
  const { waker } = host();
  waker.update([service("asleep")]);
  const changed = waker.changed(ALIAS, new AbortController().signal);
  waker.update([]);
  await changed;
  t.equal(waker.place(ALIAS), undefined);
});

t.test(
  "the process ends during a wake: the start ends at once, without a failure, and packets are refused",
  async (t) => {
    const ended = Promise.withResolvers<void>();
    const { waker, verdicts, notes } = host({
      ready: (_service, _ports, signal) =>
        new Promise((_, reject) => {
          signal.addEventListener("abort", () => {
            reject(signal.reason);
            ended.resolve();
          });
        }),
    });
    waker.update([service("asleep")]);
    waker.arrived(1, tcp(4001));
    await settled(waker, "starting");
    waker.close();
    await ended.promise;
    await sleep(0);
    t.strictSame(verdicts, ["1 refuse"]);
    t.strictSame(
      notes.map(({ kind }) => kind),
      ["visit"],
    );
    t.equal(waker.failed.size, 0);
  },
);

t.test("the queue is lost: numbers of its packets are not used for those of the next one", async (t) => {
  const { waker, verdicts, hold } = host();
  waker.update([service("asleep")]);
  const ready = hold("ready");
  waker.arrived(1, tcp(4001));
  await settled(waker, "starting");
  waker.queueLost();
  waker.arrived(1, tcp(4002));
  ready.resolve();
  await settled(waker, "awake");
  t.strictSame(verdicts, ["1 release"], "one packet, one verdict");
});
