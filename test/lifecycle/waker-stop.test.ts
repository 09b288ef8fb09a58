/** Visits to a service while its container is being stopped, which may take as long as the container likes. */
import t from "tap";
import type { Acts } from "../../src/lifecycle/waker-types.ts";
import { id } from "../core/make.ts";
import { fakeClock, settle } from "./methods/stage.ts";
import { ALIAS, host, STARTED, service, tcp } from "./waker-host.ts";

const SECOND = 1_000;

/** Its stop has begun, and lasts until the test ends it. Its timeout is a minute. */
async function stopping(over: Partial<Acts> = {}) {
  const clock = fakeClock();
  const pages: string[] = [];
  const page = async (): Promise<boolean> => pages.push("page") > 0;
  const scene = host({ now: clock.now, page, ...over }, clock.after);
  scene.waker.update([service("running")]);
  const stop = scene.hold("stop");
  const falling = scene.waker.fallAsleep(ALIAS, "not used");
  await settle();
  return { ...scene, clock, pages, stop, falling };
}

t.test("a visit: the page after 3 s, a refusal with the reason after its timeout", async (t) => {
  const { waker, clock, pages, done, verdicts, notes } = await stopping();
  waker.arrived(1, tcp(4001));
  waker.arrived(2, tcp(4002, 443));
  await clock.advance(2.9 * SECOND);
  t.strictSame([pages, verdicts], [[], []]);
  await clock.advance(0.2 * SECOND);
  t.strictSame([pages, verdicts], [["page"], ["1 release"]], "it is led to the page");
  await clock.advance(56 * SECOND);
  t.strictSame(verdicts, ["1 release"]);
  await clock.advance(SECOND);
  t.strictSame(verdicts, ["1 release", "2 refuse"]);
  t.match(notes, [
    { kind: "visit" },
    { kind: "failed", reason: "it was still being stopped after 60 s", retryMs: 5_000 },
  ]);
  t.strictSame(done, ["shut", "busy?", "stop"], "no start is asked of Docker meanwhile");
  waker.arrived(3, tcp(4003, 443));
  t.equal(verdicts.at(-1), "3 refuse", "at once");
  await clock.advance(6 * SECOND);
  waker.arrived(4, tcp(4004, 443));
  await clock.advance(59 * SECOND);
  t.notOk(verdicts.includes("4 refuse"), "it is tried again");
  await clock.advance(2 * SECOND);
  t.equal(verdicts.at(-1), "4 refuse");
});

t.test("a visit before the stop begins has the same limits from then on", async (t) => {
  const clock = fakeClock();
  const { waker, verdicts, hold } = host({ now: clock.now }, clock.after);
  waker.update([service("running")]);
  const busy = hold("busy?");
  hold("stop");
  void waker.fallAsleep(ALIAS, "not used");
  await settle();
  waker.arrived(1, tcp(4001));
  busy.resolve();
  await clock.advance(61 * SECOND);
  t.strictSame(verdicts, ["1 refuse"]);
});

t.test("the stop ends in time: started then, and released", async (t) => {
  const { waker, clock, done, verdicts, notes, stop, falling } = await stopping();
  waker.arrived(1, tcp(4001, 443));
  await clock.advance(50 * SECOND);
  t.strictSame(done, ["shut", "busy?", "stop"]);
  stop.resolve();
  t.equal(await falling, true);
  await settle();
  t.strictSame(done, ["shut", "busy?", "stop", "start", "ready", "open"]);
  t.strictSame([verdicts, waker.place(ALIAS)?.phase], [["1 release"], "awake"]);
  t.strictSame(
    notes.map(({ kind }) => kind),
    ["visit", "stopped", "ready"],
  );
  t.notOk(waker.shut.has(id("web")));
});

t.test("the stop ends after a visit was refused: asleep, and the next visit starts it at once", async (t) => {
  const failures: number[] = [];
  const note = (): void => void failures.push(waker.failed.size);
  const { waker, clock, verdicts, stop } = await stopping({ note });
  waker.arrived(1, tcp(4001, 443));
  await clock.advance(61 * SECOND);
  t.equal(waker.place(ALIAS)?.phase, "failed");
  stop.resolve();
  await settle();
  t.strictSame([waker.place(ALIAS)?.phase, waker.failed.size], ["asleep", 0]);
  t.strictSame(failures, [0, 1, 0], "stored with each event");
  waker.arrived(2, tcp(4002, 443));
  await settle();
  t.strictSame(verdicts, ["1 refuse", "2 release"]);
});

t.test("the stop fails: it is led to again, also after a visit was refused", async (t) => {
  for (const seconds of [10, 61]) {
    const { waker, clock, verdicts, stop, falling } = await stopping();
    waker.arrived(1, tcp(4001, 443));
    await clock.advance(seconds * SECOND);
    stop.reject(new Error("Docker does not answer"));
    t.equal(await falling, false);
    await settle();
    t.strictSame([waker.place(ALIAS)?.phase, waker.failed.size], ["awake", 0]);
    t.ok(waker.open.has(id("web")));
    t.strictSame(verdicts, [seconds > 60 ? "1 refuse" : "1 release"]);
  }
});

t.test("what is no visit is refused at once", async (t) => {
  const { waker, verdicts } = await stopping({ isVisit: async () => false });
  waker.arrived(1, tcp(4001));
  await settle();
  t.strictSame([verdicts, waker.place(ALIAS)?.phase], [["1 refuse"], "falling"]);
});

t.test("another service asks for it: it is started when the stop has ended", async (t) => {
  const { waker, done, stop } = await stopping();
  waker.wake(ALIAS, "shop");
  stop.resolve();
  await settle();
  t.strictSame(done.slice(2), ["stop", "start", "ready", "open"]);
});

t.test(
  "another container takes its name meanwhile: a visit starts that one, and waits for no stop",
  async (t) => {
    for (const early of [true, false]) {
      const started: string[] = [];
      const { waker, verdicts, stop } = await stopping({
        start: async ({ instances: [instance] }) => void started.push(instance?.name ?? ""),
        ready: async () => STARTED,
      });
      if (early) waker.arrived(1, tcp(4001));
      await settle();
      waker.update([service("asleep", "new")]);
      if (!early) waker.arrived(1, tcp(4001));
      stop.resolve();
      await settle();
      t.strictSame([started, verdicts], [["new"], ["1 release"]], early ? "before" : "after");
      t.strictSame([...waker.open], [id("new")]);
    }
  },
);

t.test("the process ends meanwhile: what waits is refused, without a failure", async (t) => {
  const { waker, verdicts, notes } = await stopping();
  waker.arrived(1, tcp(4001));
  await settle();
  waker.close();
  await settle();
  t.strictSame([verdicts, waker.failed.size], [["1 refuse"], 0]);
  t.notOk(notes.some(({ kind }) => kind === "failed"));
});
