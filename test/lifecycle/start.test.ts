/** Starts a container with what it needs, in memory: order, conditions, circles, restarts by Docker. */
import t from "tap";
import type { Dependency } from "../../src/core/lifecycle/depends-on.ts";
import type { ContainerDetails } from "../../src/host/docker/details.ts";
import { startWithNeeds, untilFit } from "../../src/lifecycle/start.ts";
import { composeLabels, id } from "../core/make.ts";
import { type Fake, type FakeContainer, fakeDocker } from "./engine.ts";

const NEVER = new AbortController().signal;
const SETTINGS = { health: null, grace: 0 };

const member = (name: string, more: Partial<FakeContainer> = {}): FakeContainer => ({
  name,
  labels: Object.fromEntries(composeLabels("shop", name)),
  ...more,
});

const needing = (name: string, ...dependsOn: Dependency[]): FakeContainer =>
  member(name, { details: { dependsOn } });

const needs = (service: string, condition: Dependency["condition"] = "service_started"): Dependency => ({
  service,
  condition,
});

const wake = (docker: Fake, name: string, signal = NEVER): Promise<boolean> => {
  const one = docker.containers.find((container) => container.name === name);
  if (one === undefined) throw new Error(`there is no ${name}`);
  return startWithNeeds(one, docker, { containers: [], stopped: docker.containers }, signal);
};

t.test("what a container needs is started first, each once", async (t) => {
  const docker = fakeDocker([
    needing("web", needs("app"), needs("db")),
    needing("app", needs("db")),
    member("db"),
  ]);
  t.ok(await wake(docker, "web"));
  t.strictSame(docker.started, ["db", "app", "web"]);
  t.notOk(await wake(docker, "web"), "it runs: it is not started");
  t.strictSame(docker.started, ["db", "app", "web"]);
});

t.test("ocdd.wake.with: a container by its name, ready before the other is started", async (t) => {
  let checks = 0;
  const docker = fakeDocker([{ name: "web", labels: { "ocdd.wake.with": "db" } }, { name: "db" }], {
    exec: async () => (++checks < 3 ? 1 : 0),
  });
  const started = wake(docker, "web");
  await started;
  t.strictSame(docker.started, ["db", "web"]);
  t.equal(checks, 3);
});

t.test("a circle of needs: each is started once", async (t) => {
  for (const condition of ["service_started", "service_healthy", "service_completed_successfully"] as const) {
    const ends = { running: false, state: "exited" };
    const docker = fakeDocker([
      needing("hen", needs("egg", condition)),
      {
        ...needing("egg", needs("hen", condition)),
        ...(condition.includes("completed") && { becomes: ends }),
      },
    ]);
    await wake(docker, "hen");
    t.strictSame(docker.started, ["egg", "hen"], condition);
  }
});

t.test("many that all need each other are asked about once each", async (t) => {
  const names = Array.from({ length: 12 }, (_, i) => `one${i}`);
  const docker = fakeDocker(names.map((name) => needing(name, ...names.map((other) => needs(other)))));
  await wake(docker, "one0");
  t.equal(docker.started.length, names.length);
  t.equal(docker.started.at(-1), "one0");
});

t.test("a migration that fails: the start fails with its words", async (t) => {
  const ends = (exitCode: number): Partial<ContainerDetails> => ({
    running: false,
    state: "exited",
    exitCode,
  });
  const docker = (exitCode: number): Fake =>
    fakeDocker([
      needing("web", needs("migrate", "service_completed_successfully")),
      member("migrate", { becomes: ends(exitCode) }),
    ]);
  await t.rejects(wake(docker(1), "web"), {
    message: "migrate, which it needs: it ended with status 1",
  });
  const good = docker(0);
  await wake(good, "web");
  await wake(good, "web");
  t.strictSame(good.started, ["migrate", "web"], "one that has succeeded is not run again");
});

t.test("what it needs and does not stay up: its name is said", async (t) => {
  const docker = fakeDocker([
    needing("web", needs("db", "service_healthy")),
    member("db", { becomes: { running: false, state: "exited", exitCode: 3 } }),
  ]);
  await t.rejects(wake(docker, "web"), { message: "db, which it needs: it does not run" });
  t.strictSame(docker.started, ["db"]);
});

t.test("what it needs has no address of its own: started, and not waited for", async (t) => {
  const docker = fakeDocker([
    { name: "web", labels: { "ocdd.wake.with": "db" } },
    { name: "db", details: { addresses: new Map(), healthcheck: null } },
  ]);
  await wake(docker, "web");
  t.strictSame(docker.started, ["db", "web"]);
});

t.test("the wait for what it needs ends with the signal's reason", async (t) => {
  const docker = fakeDocker([
    needing("web", needs("migrate", "service_completed_successfully")),
    member("migrate"),
  ]);
  const late = new AbortController();
  const started = wake(docker, "web", late.signal);
  while (docker.started.length === 0) await new Promise(setImmediate);
  late.abort(new Error("it was not ready within 60 s"));
  await t.rejects(started, { message: "it was not ready within 60 s" });
});

t.test("Docker starts it again by itself: it is ready when one run is", async (t) => {
  const docker = fakeDocker([
    { name: "web", details: { running: true, state: "restarting", addresses: new Map() } },
  ]);
  let looks = 0;
  const inspect: Fake["inspect"] = async (key) => {
    looks += 1;
    // the first run ends while it is checked
    if (looks === 2) docker.set("web", { state: "running", startedAt: 1, addresses: ADDRESS });
    if (looks === 4) docker.set("web", { state: "running", startedAt: 2 });
    return docker.inspect(key);
  };
  const checks: number[] = [];
  const exec: Fake["exec"] = async () => {
    checks.push(looks);
    return looks >= 5 ? 0 : 1;
  };
  const details = await untilFit(id("web"), { ...docker, inspect, exec }, SETTINGS, () => [], NEVER);
  t.equal(details?.startedAt, 2);
});

t.test("one that ends for good while it is checked: said", async (t) => {
  const docker = fakeDocker([{ name: "web", details: { running: true, state: "running", startedAt: 1 } }], {
    exec: async () => {
      docker.set("web", { running: false, state: "exited", exitCode: 7 });
      return 1;
    },
  });
  await t.rejects(
    untilFit(id("web"), docker, SETTINGS, () => [], NEVER),
    {
      message: "it ended with status 7",
    },
  );
});

const ADDRESS: ContainerDetails["addresses"] = new Map([["n", "127.0.0.1" as never]]);
