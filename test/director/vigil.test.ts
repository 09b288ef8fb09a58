/** Who dies while a run waits for something else is taken down meanwhile. */
import { setTimeout as sleep } from "node:timers/promises";
import t from "tap";
import { reconcile } from "../../src/director/reconcile.ts";
import { makeVigil } from "../../src/director/vigil.ts";
import { config, container, NOW } from "../core/make.ts";
import { FakeHost } from "../fake/host.ts";

const CONFIG = config({ IP_RANGE: "192.168.122.11-192.168.122.30" });
const one = container({ name: "one", at: "172.17.0.2" });
const two = container({ name: "two", at: "172.17.0.3" });
const three = container({ name: "three", at: "172.17.0.4" });

/** Deaths that a test announces. */
function announcer() {
  const listeners = new Set<() => void>();
  let bereaved = false;
  return {
    bereaved: () => bereaved,
    listen(heard: () => void) {
      listeners.add(heard);
      return () => void listeners.delete(heard);
    },
    looked() {
      bereaved = false;
    },
    die() {
      bereaved = true;
      for (const heard of listeners) heard();
    },
    listeners,
  };
}

/** A host that serves these two, with a disk that is waited for until `written`. */
async function served() {
  const host = new FakeHost(CONFIG);
  const deaths = announcer();
  host.containers = [one, two];
  host.deaths = deaths;
  const observe = host.observe.bind(host);
  host.observe = async (...leaveOut) => {
    deaths.looked();
    return await observe(...leaveOut);
  };
  const run = () => reconcile(CONFIG, host, { now: () => NOW, apply: true, yes: false, secondLook: 0 });
  await run();
  const { promise, resolve: written } = Promise.withResolvers<void>();
  host.disk = promise;
  const die = ({ id }: { readonly id: string }): void => {
    host.containers = host.containers.filter((c) => c.id !== id);
    host.dead = new Set([...(host.dead ?? []), id]);
    deaths.die();
  };
  return { host, deaths, run, written, die };
}

const targets = (host: FakeHost): string[] =>
  [...new Set([...host.rules.matchAll(/--to-destination (\S+)/g)].map((match) => match[1] ?? ""))].sort();

t.test("the disk keeps nobody's rule", async (t) => {
  const { host, deaths, run, written, die } = await served();
  host.containers = [...host.containers, three];
  const running = run();
  await sleep(5);
  t.same(targets(host), ["172.17.0.2", "172.17.0.3", "172.17.0.4"], "who has come is served");
  die(two);
  await sleep(50);
  t.same(targets(host), ["172.17.0.2", "172.17.0.4"], "who has died is not, and the disk is still at work");
  // whose lease is not on the disk yet
  die(three);
  await sleep(50);
  t.same(targets(host), ["172.17.0.2"]);
  t.notMatch(host.zone, "three", "no file was written meanwhile");
  written();
  await running;
  t.match(host.zone, "three", "the files are those of the plan");
  t.equal(deaths.listeners.size, 0, "nobody listens any more");
  await run();
  t.notMatch(host.zone, /\b(two|three)\./, "and the next run puts them right");
});

t.test("what was seen while somebody was taken down is looked at again", async (t) => {
  const { host, run, written, die } = await served();
  written();
  const observe = host.observe;
  let looks = 0;
  host.observe = async (...leaveOut) => {
    looks += 1;
    const seen = await observe(...leaveOut);
    if (looks > 1) return seen;
    die(two);
    await sleep(50);
    t.same(targets(host), ["172.17.0.2"], "Docker has not answered yet");
    return seen;
  };
  await run();
  t.equal(looks, 3);
  t.same(targets(host), ["172.17.0.2"]);
});

t.test("what ends by itself is not disturbed, and failures are told", async (t) => {
  const deaths = announcer();
  let taken = 0;
  const vigil = makeVigil(deaths, async () => {
    taken += 1;
    deaths.looked();
    throw new Error("iptables refuses");
  });
  deaths.die();
  t.equal(await vigil.keep(Promise.resolve("soon")), "soon");
  t.equal(taken + vigil.count, 0);
  await t.rejects(vigil.keep(sleep(40)), /iptables refuses/);
  t.equal(vigil.count, 1);
  await t.rejects(vigil.keep(sleep(40).then(() => Promise.reject(new Error("the disk is full")))), /full/);
  t.equal(vigil.count, 1, "nobody has died since");
  t.equal(await makeVigil(null, async () => void t.fail("nobody is heard")).keep(Promise.resolve(1)), 1);
});

t.test("what could not be taken down is tried again", async (t) => {
  const deaths = announcer();
  let tries = 0;
  const vigil = makeVigil(deaths, async () => {
    tries += 1;
    deaths.looked();
    if (tries === 1) throw new Error("iptables is busy");
  });
  deaths.die();
  await vigil.keep(sleep(1_200));
  t.equal(tries, 2);
});

t.test("what taking down has left to be waited for is waited for as watchfully", async (t) => {
  const deaths = announcer();
  const { promise: disk, resolve: written } = Promise.withResolvers<void>();
  let taken = 0;
  const vigil = makeVigil(deaths, async (later) => {
    taken += 1;
    deaths.looked();
    later(disk);
  });
  let over = false;
  const kept = vigil.keep(sleep(30)).then(() => {
    over = true;
  });
  deaths.die();
  await sleep(60);
  t.same([taken, over], [1, false], "what the run waited for has come, the disk has not");
  deaths.die();
  await sleep(40);
  t.same([taken, over], [2, false], "and another has died");
  written();
  await kept;
  t.equal(deaths.listeners.size, 0);
});
