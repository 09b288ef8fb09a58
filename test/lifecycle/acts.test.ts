/** What the waker asks Docker for, however many packets arrive. */
import t from "tap";
import { HostError } from "../../src/core/errors.ts";
import { lifecycleOf } from "../../src/core/lifecycle/settings.ts";
import type { Service } from "../../src/core/model.ts";
import type { ContainerDetails } from "../../src/host/docker/details.ts";
import { actsOn } from "../../src/lifecycle/acts.ts";
import { composeLabels, config, forward, id, ip } from "../core/make.ts";
import { type FakeContainer, fakeDocker } from "./engine.ts";

const FLOW = {
  protocol: "tcp",
  source: ip("192.168.122.99"),
  sourcePort: 4_000,
  destination: ip("192.168.122.11"),
  port: 80,
} as const;

const service = (ports?: string): Service => {
  const labels = new Map([["ocdd.wake", "true"], ...(ports ? [["ocdd.wake.ports", ports] as const] : [])]);
  const settings = lifecycleOf(labels, config());
  const sleep = { settings, open: forward(11, 2), networkId: id("bridge") };
  return { sleep, instances: [{ id: id("web") }] } as unknown as Service;
};

/** Docker's answers to `inspect`, given by the test. */
function docker() {
  const asked: PromiseWithResolvers<ContainerDetails>[] = [];
  const inspect = (): Promise<ContainerDetails> => {
    const answer = Promise.withResolvers<ContainerDetails>();
    asked.push(answer);
    return answer.promise;
  };
  const parts = { config: config(), docker: { inspect }, seen: () => ({ containers: [] }) };
  return { asked, acts: actsOn(parts as unknown as Parameters<typeof actsOn>[0]) };
}

const EXPOSES_80 = { ports: [{ protocol: "tcp", port: 80 }] } as unknown as ContainerDetails;

t.test("a flood of packets: the container's ports are asked for once, and kept", async (t) => {
  const { asked, acts } = docker();
  const visits = Array.from({ length: 1_000 }, () => acts.isVisit(service(), FLOW));
  t.equal(asked.length, 1);
  asked[0]?.resolve(EXPOSES_80);
  t.ok((await Promise.all(visits)).every(Boolean));
  t.notOk(await acts.isVisit(service(), { ...FLOW, port: 81 }));
  t.equal(asked.length, 1);
});

t.test("Docker does not answer: the next packet asks again", async (t) => {
  const { asked, acts } = docker();
  const first = acts.isVisit(service(), FLOW);
  asked[0]?.reject(new HostError("docker", "no answer"));
  await t.rejects(first, { message: "no answer" });
  const second = acts.isVisit(service(), FLOW);
  asked[1]?.resolve(EXPOSES_80);
  t.ok(await second);
});

t.test("the labels name the ports: Docker is not asked", async (t) => {
  const { asked, acts } = docker();
  t.ok(await acts.isVisit(service("80"), FLOW));
  t.notOk(await acts.isVisit(service("443"), FLOW));
  t.equal(asked.length, 0);
});

/** A lifecycle that may start two containers at a time, and a service for each container. */
function starts(list: readonly FakeContainer[], over: Parameters<typeof fakeDocker>[1] = {}) {
  const engine = fakeDocker(list, over);
  const seen = { containers: [], stopped: engine.containers };
  const parts = {
    config: { ...config(), wakeConcurrency: 2 },
    docker: engine,
    seen: () => seen,
    list: async () => seen,
    startedFor: () => undefined,
  };
  const acts = actsOn(parts as unknown as Parameters<typeof actsOn>[0]);
  const end = new AbortController();
  const start = (name: string): Promise<void> =>
    acts.start({ name, instances: [{ id: id(name) }] } as unknown as Service, end.signal);
  return { engine, start, end };
}

t.test(
  "containers that wait for what they need, in any state of it: every other one is started",
  async (t) => {
    const conditions = ["service_healthy", "service_completed_successfully"] as const;
    const waiting = conditions.flatMap((condition) =>
      [1, 2, 3].map(
        (n): FakeContainer => ({
          name: `${condition}-${n}`,
          labels: {
            "com.docker.compose.project": "shop",
            "com.docker.compose.depends_on": `slow:${condition}:false`,
          },
          details: { dependsOn: [{ service: "slow", condition }] },
        }),
      ),
    );
    const slow = { name: "shop-slow-1", labels: Object.fromEntries(composeLabels("shop", "slow")) };
    const asked: string[] = [];
    const { engine, start, end } = starts([slow, { name: "other" }, ...waiting], {
      exec: async (key) => {
        asked.push(key);
        return 1;
      },
    });
    const failures = waiting.map(({ name }) => t.rejects(start(name), { message: /given up/ }));
    let over = false;
    const settled = Promise.allSettled(failures).then(() => {
      over = true;
    });
    while (asked.length === 0 && !over) await new Promise(setImmediate);
    const other = start("other").catch(() => undefined);
    // checks are made again and again: those that wait have no reason to end
    const checks = asked.length + 10;
    while (asked.length < checks && !engine.started.includes("other")) await new Promise(setImmediate);
    t.ok(engine.started.includes("other"));
    end.abort(new Error("given up"));
    await Promise.all([other, settled]);
  },
);

t.test("Docker starts as many at a time as it may, those that are needed counted", async (t) => {
  const names = ["a", "b", "c", "d"];
  let now = 0;
  let most = 0;
  const needed = names.map((name) => ({ name: `${name}-needed` }));
  const needing = names.map((name) => ({ name, labels: { "ocdd.wake.with": `${name}-needed` } }));
  const scene = starts([...needed, ...needing]);
  const begin = scene.engine.start;
  scene.engine.start = async (key) => {
    most = Math.max(most, ++now);
    await new Promise(setImmediate);
    now -= 1;
    return begin(key);
  };
  await Promise.all(names.map(scene.start));
  t.equal(scene.engine.started.length, 8);
  t.equal(most, 2);
});

t.test(
  "a container that Docker cannot start in its time leaves its place to others between two tries",
  async (t) => {
    const hung = new HostError("docker", "Docker did not answer POST /start within 10 s");
    const tries: string[] = [];
    const scene = starts([{ name: "a" }, { name: "b" }, { name: "other" }]);
    const begin = scene.engine.start;
    scene.engine.start = async (key) => {
      if (key === id("other")) return begin(key);
      tries.push(key);
      await new Promise(setImmediate);
      throw hung;
    };
    const failures = ["a", "b"].map((name) => t.rejects(scene.start(name)));
    while (tries.length < 2) await new Promise(setImmediate);
    const other = scene.start("other").catch(() => undefined);
    const last = tries.length + 6;
    while (tries.length < last && scene.engine.started.length === 0) await new Promise(setImmediate);
    t.strictSame(scene.engine.started, ["other"]);
    scene.end.abort(new Error("given up"));
    await Promise.all([other, ...failures]);
  },
);
