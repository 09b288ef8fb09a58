/** Calls to Docker that wait for it, and the bound on starts at the same time. */
import t from "tap";
import { HostError } from "../../src/core/errors.ts";
import { patient } from "../../src/lifecycle/patient.ts";
import { slots } from "../../src/lifecycle/slots.ts";
import { id } from "../core/make.ts";
import { fakeDocker } from "./engine.ts";

const WEB = id("web");
const NEVER = new AbortController().signal;
const settled = async (): Promise<void> => undefined;
const away = (): HostError =>
  new HostError("docker", "Docker's socket refuses connections", {
    cause: Object.assign(new Error("connect"), { code: "ECONNREFUSED" }),
  });
const refusal = (): HostError =>
  new HostError("docker", "no such image", { cause: Object.assign(new Error(), { statusCode: 404 }) });

t.test("Docker does not answer: asked again until it does", async (t) => {
  let asked = 0;
  const docker = fakeDocker([{ name: "web" }], {
    inspect: async () => {
      asked += 1;
      if (asked < 3) throw away();
      return undefined;
    },
  });
  t.equal(await patient(docker, NEVER, settled).inspect(WEB), undefined);
  t.equal(asked, 3);
});

t.test("Docker refuses: not asked again", async (t) => {
  let asked = 0;
  const start = async (): Promise<void> => {
    asked += 1;
    throw refusal();
  };
  await t.rejects(patient(fakeDocker([], { start }), NEVER, settled).start(WEB), {
    message: "no such image",
  });
  t.equal(asked, 1);
});

t.test("Docker does not answer until the time is over: its own words", async (t) => {
  const late = new AbortController();
  const start = async (): Promise<void> => {
    setImmediate(() => late.abort(new Error("too late")));
    throw away();
  };
  await t.rejects(patient(fakeDocker([], { start }), late.signal, settled).start(WEB), {
    message: "Docker's socket refuses connections",
  });
});

t.test("a call that hangs ends with the signal", async (t) => {
  const late = new AbortController();
  const start = (): Promise<void> => new Promise(() => undefined);
  const call = patient(fakeDocker([], { start }), late.signal, settled).start(WEB);
  late.abort(new Error("too late"));
  await t.rejects(call, { message: "too late" });
});

t.test("a container that is just being stopped is looked at after that", async (t) => {
  const docker = fakeDocker([{ name: "web", details: { running: true, state: "running" } }]);
  const stopped = Promise.withResolvers<void>();
  const seen = patient(docker, NEVER, () => stopped.promise).inspect(WEB);
  docker.set("web", { running: false, state: "exited" });
  stopped.resolve();
  t.match(await seen, { running: false });
});

t.test("one that waits for a slot leaves with its signal; the others keep their order", async (t) => {
  const inSlot = slots(1);
  const done: string[] = [];
  const first = Promise.withResolvers<void>();
  const late = new AbortController();
  const act = (name: string) => async (): Promise<void> => void done.push(name);
  const running = inSlot(() => first.promise, NEVER);
  const leaving = inSlot(act("leaves"), late.signal);
  const [second, third] = [inSlot(act("second"), NEVER), inSlot(act("third"), NEVER)];
  late.abort(new Error("too late"));
  await t.rejects(leaving, { message: "too late" });
  t.strictSame(done, [], "the slot is not free");
  first.resolve();
  await Promise.all([running, second, third]);
  t.strictSame(done, ["second", "third"]);
});

t.test(
  "one that lasts longer than it counts: the next begins, and its own end frees no second slot",
  async (t) => {
    const timers: (() => void)[] = [];
    const after = (_: number, act: () => void): (() => void) => {
      timers.push(act);
      return () => undefined;
    };
    const inSlot = slots(1, { ms: 60_000, after });
    const gates = [0, 1, 2].map(() => Promise.withResolvers<void>());
    const begun: number[] = [];
    const runs = gates.map(({ promise }, n) => {
      const act = (): Promise<void> => {
        begun.push(n);
        return promise;
      };
      return inSlot(act, NEVER);
    });
    await new Promise(setImmediate);
    t.strictSame(begun, [0]);
    timers[0]?.();
    await new Promise(setImmediate);
    t.strictSame(begun, [0, 1]);
    gates[0]?.resolve();
    await runs[0];
    await new Promise(setImmediate);
    t.strictSame(begun, [0, 1], "the second one counts");
    gates[1]?.resolve();
    await runs[1];
    await new Promise(setImmediate);
    t.strictSame(begun, [0, 1, 2]);
    timers[1]?.();
    gates[2]?.resolve();
    await Promise.all(runs);
  },
);
