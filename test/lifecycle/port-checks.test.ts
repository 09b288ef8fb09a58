/** The checks of ports at their times: a clock that the test moves, and real sockets on loopback. */
import { once } from "node:events";
import { type AddressInfo, createConnection, createServer, type Server } from "node:net";
import { Worker } from "node:worker_threads";
import t, { type Test } from "tap";
import { decide } from "../../src/core/decide.ts";
import { share } from "../../src/core/methods/tasks.ts";
import type { Container } from "../../src/core/model.ts";
import { accepts, type ContainerPort } from "../../src/host/connect.ts";
import { makePortChecks, type PortCheckParts } from "../../src/lifecycle/port-checks.ts";
import { config, container, id, ip, NOW, observation } from "../core/make.ts";
import { fakeClock, settle } from "./methods/stage.ts";

const MINUTE = 60_000;
const CONFIG = config({
  IP_RANGE: "10.9.0.1-10.9.3.250",
  IP_SUBNET: null,
  IP_RANGE_START: null,
  IP_RANGE_END: null,
});

const web = (name: string, at = "172.17.0.2", ...ports: number[]): Container =>
  container({
    name,
    at,
    ports: (ports.length > 0 ? ports : [80]).map((port) => ({ protocol: "tcp", port })),
  });

/** `accept` answers for the containers; it may be changed by the test. */
function makeStage(
  accept: (to: ContainerPort) => boolean | Promise<boolean>,
  over: Partial<PortCheckParts> = {},
) {
  const clock = fakeClock();
  const log: string[] = [];
  const changed: string[] = [];
  const stored: (readonly string[])[] = [];
  const tried: ContainerPort[] = [];
  const stage = { accept, clock, log, changed, stored, tried, now: 0, most: 0 };
  const checks = makePortChecks({
    clock,
    async accepts(to) {
      tried.push(to);
      stage.most = Math.max(stage.most, ++stage.now);
      const result = await stage.accept(to);
      stage.now -= 1;
      return result;
    },
    changed: (one) => void changed.push(one),
    store: (all) => void stored.push(all),
    say: (level, text) => void log.push(`${level}: ${text}`),
    ...over,
  });
  const update = (containers: readonly Container[], conf = CONFIG): void =>
    checks.update(conf, decide(conf, observation({ containers: [...containers] }), NOW));
  return Object.assign(stage, { checks, update });
}

t.test(
  "a container that accepts nothing: shown after the second check, back with the first success",
  async (t) => {
    const stage = makeStage(() => false);
    stage.update([web("web")]);
    await stage.clock.advance(MINUTE);
    t.equal(stage.tried.length, 1, "within the first interval");
    t.strictSame(
      [[...stage.checks.unanswered()], stage.changed, stage.log],
      [[], [], []],
      "one miss is none",
    );
    await stage.clock.advance(MINUTE);
    t.strictSame([...stage.checks.unanswered()], [id("web")]);
    await stage.clock.advance(3 * MINUTE);
    t.strictSame(stage.changed, [id("web")], "told once");
    stage.accept = () => true;
    await stage.clock.advance(MINUTE);
    t.strictSame([...stage.checks.unanswered()], []);
    t.strictSame(stage.changed, [id("web"), id("web")]);
    t.strictSame(stage.stored, [[id("web")], []]);
    t.strictSame(stage.log, [
      'warning: "web" runs and does not answer: no connection is accepted on TCP port 80',
      'info: "web" answers again',
    ]);
    t.equal(stage.tried.length, 6, "once in each interval");
  },
);

t.test("misses that are not in a row: nothing is shown", async (t) => {
  const stage = makeStage(() => stage.tried.length % 2 === 0);
  stage.update([web("web")]);
  await stage.clock.advance(10 * MINUTE);
  t.equal(stage.tried.length, 10);
  t.strictSame([stage.changed, stage.stored], [[], []]);
});

t.test("several ports: one is enough, and it is tried first the next time", async (t) => {
  const stage = makeStage(({ port }) => port === 443);
  stage.update([web("web", "172.17.0.2", 80, 443, 8080)]);
  await stage.clock.advance(3 * MINUTE);
  t.strictSame(
    stage.tried.map(({ port }) => port),
    [80, 443, 443, 443],
  );
  t.strictSame(stage.changed, []);
});

t.test(
  "many containers: at most ten checks a second, and the one after a first miss is not later",
  async (t) => {
    const all = Array.from({ length: 960 }, (_, n) => web(`w${n}`, `172.17.${1 + (n >> 8)}.${n & 255}`));
    const silent = all.find((one) => share(one.id) < 0.1);
    const stage = makeStage(({ address }) => address !== silent?.attachments[0]?.address);
    stage.update(all);
    const triedIn = async (seconds: number): Promise<number> => {
      const before = stage.tried.length;
      for (let n = 0; n < seconds; n += 4) await stage.clock.advance(4_000);
      return stage.tried.length - before;
    };
    t.equal(await triedIn(96), 961, "once in 96 s, and the one that missed once more");
    t.equal(await triedIn(192), 2 * 960, "after its second miss as often as the others");
    t.strictSame([...stage.checks.unanswered()], [silent?.id]);
  },
);

t.test("SYNC_INTERVAL counts where it is longer than a minute", async (t) => {
  for (const [interval, count] of [
    ["5", 10],
    ["300", 2],
  ] as const) {
    const stage = makeStage(() => true);
    stage.update([web("web")], config({ SYNC_INTERVAL: interval }));
    await stage.clock.advance(10 * MINUTE);
    t.equal(stage.tried.length, count, `SYNC_INTERVAL=${interval}`);
  }
});

t.test("500 services: spread over the interval, eight connections at once", async (t) => {
  const waiting: (() => void)[] = [];
  const stage = makeStage(() => new Promise((resolve) => waiting.push(() => resolve(true))));
  stage.update(Array.from({ length: 500 }, (_, n) => web(`web-${n}`, `172.17.${1 + (n >> 8)}.${n & 255}`)));
  await stage.clock.advance(MINUTE);
  t.strictSame([stage.tried.length, stage.most], [8, 8], "the others wait");
  while (waiting.length > 0) {
    for (const end of waiting.splice(0)) end();
    await settle();
  }
  t.strictSame([stage.tried.length, stage.most], [500, 8]);
  const quick = makeStage(() => true);
  quick.update(Array.from({ length: 500 }, (_, n) => web(`web-${n}`, `172.17.${1 + (n >> 8)}.${n & 255}`)));
  for (let n = 0, before = 0; n < 4; n++, before = quick.tried.length) {
    await quick.clock.advance(MINUTE / 4);
    const part = quick.tried.length - before;
    t.ok(part > 80 && part < 170, `${part} in a quarter of it`);
  }
});

t.test("one that ends, or gets another address, begins anew", async (t) => {
  const stage = makeStage(() => false);
  stage.update([web("web")]);
  await stage.clock.advance(2 * MINUTE);
  t.strictSame([...stage.checks.unanswered()], [id("web")]);
  stage.update([web("web", "172.17.0.9")]);
  t.strictSame([[...stage.checks.unanswered()], stage.changed.length], [[], 2]);
  await stage.clock.advance(MINUTE);
  t.strictSame([[...stage.checks.unanswered()], stage.tried.at(-1)?.address], [[], "172.17.0.9"]);
  await stage.clock.advance(MINUTE);
  t.strictSame([...stage.checks.unanswered()], [id("web")]);
  stage.update([]);
  t.strictSame([[...stage.checks.unanswered()], stage.stored.at(-1)], [[], []]);
  t.equal(stage.changed.length, 3, "no run is needed for one that is gone");
  t.equal(stage.clock.timers, 0);
});

t.test("while runs fail, as without Docker: nothing is tried, and what is known stays", async (t) => {
  const stage = makeStage(({ address }) => address === "172.17.0.3");
  const both = [web("web"), web("db", "172.17.0.3")];
  stage.update(both);
  await stage.clock.advance(2 * MINUTE);
  stage.checks.pause();
  stage.accept = () => false;
  await stage.clock.advance(5 * MINUTE);
  t.strictSame([stage.tried.length, [...stage.checks.unanswered()]], [4, [id("web")]]);
  stage.update(both);
  await stage.clock.advance(MINUTE);
  t.strictSame([stage.tried.length, [...stage.checks.unanswered()]], [6, [id("web")]], "both, once");
  await stage.clock.advance(MINUTE);
  t.strictSame([...stage.checks.unanswered()], [id("web"), id("db")]);
});

t.test("a run fails while a container is tried: its result does not count", async (t) => {
  const waiting: (() => void)[] = [];
  const stage = makeStage(() => new Promise((resolve) => waiting.push(() => resolve(false))));
  stage.update([web("web")]);
  for (const _ of [1, 2, 3]) {
    await stage.clock.advance(MINUTE);
    stage.checks.pause();
    for (const end of waiting.splice(0)) end();
    await settle();
    stage.update([web("web")]);
  }
  t.equal(stage.tried.length, 3);
  t.strictSame(stage.changed, []);
});

t.test("what is known is a value: later changes are not seen in it", async (t) => {
  const stage = makeStage(() => false);
  stage.update([web("web")]);
  await stage.clock.advance(2 * MINUTE);
  const before = stage.checks.unanswered();
  stage.update([]);
  t.strictSame([...before], [id("web")]);
});

t.test("it ends while a container is tried: no result, no timer", async (t) => {
  const signals: AbortSignal[] = [];
  const stage = makeStage(() => true, {
    accepts: (_, __, signal) =>
      new Promise((resolve) => {
        signals.push(signal);
        signal.addEventListener("abort", () => resolve(false));
      }),
  });
  stage.update([web("web"), web("db", "172.17.0.3")]);
  await stage.clock.advance(MINUTE);
  t.equal(signals.length, 2);
  await stage.checks.close();
  t.ok(signals.every(({ aborted }) => aborted));
  t.strictSame([stage.changed, stage.stored, stage.log, stage.clock.timers], [[], [], [], 0]);
});

/** An address of loopback on which no other process's socket is, so that a port that was free stays free. */
const HERE = ip(`127.84.${(process.pid >> 8) & 255}.${process.pid & 255}`);

async function listening(t: Test, server: Server, port = 0): Promise<number> {
  server.listen(port, HERE);
  await once(server, "listening");
  t.teardown(() => server.close());
  return (server.address() as AddressInfo).port;
}

/** A port whose queue of connections is full and is not read: packets to it are dropped. */
async function silentPort(t: Test): Promise<number> {
  const worker = new Worker(
    `const { parentPort, workerData } = require("node:worker_threads");
     const server = require("node:net").createServer();
     server.listen({ port: 0, host: workerData, backlog: 1 }, () => {
       parentPort.postMessage(server.address().port);
       Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
     });`,
    { eval: true, workerData: HERE },
  );
  t.teardown(() => worker.terminate());
  const [port] = (await once(worker, "message")) as [number];
  for (const _ of [1, 2]) {
    const socket = createConnection({ host: HERE, port });
    await once(socket, "connect");
    t.teardown(() => void socket.destroy());
  }
  return port;
}

t.test("on the network: a listener, a closed port, one that is silent", async (t) => {
  const open = await listening(
    t,
    createServer((socket) => socket.on("error", () => undefined).resume()),
  );
  const later = createServer();
  const closed = await listening(t, later);
  later.close();
  await once(later, "close");
  const silent = await silentPort(t);
  const pending = new Set<Promise<boolean>>();
  const deadlines = new Set<number>();
  const stage = makeStage(() => true, {
    accepts(to, deadlineMs, signal) {
      deadlines.add(deadlineMs);
      const result = accepts(to, 50, signal);
      pending.add(result);
      return result;
    },
  });
  const round = async (): Promise<ReadonlySet<string>> => {
    await stage.clock.advance(MINUTE);
    for (let seen = -1; seen < pending.size; ) {
      seen = pending.size;
      await Promise.all(pending);
      await settle();
    }
    return stage.checks.unanswered();
  };
  const at = HERE as string;
  stage.update([
    web("good", at, open),
    web("second", at, closed, open),
    web("closed", at, closed),
    web("silent", at, silent),
  ]);
  t.strictSame(await round(), new Set());
  t.strictSame(await round(), new Set([id("closed"), id("silent")]));
  await listening(t, createServer(), closed);
  t.strictSame(await round(), new Set([id("silent")]));
  t.strictSame([...deadlines], [2_000]);
  await stage.checks.close();
});
