/** Which services are put to sleep, and which are started together. */
import t from "tap";
import type { Ipv4 } from "../../src/core/addresses/ipv4.ts";
import { lifecycleOf } from "../../src/core/lifecycle/settings.ts";
import type { Use } from "../../src/core/lifecycle/usage.ts";
import type { Service } from "../../src/core/model.ts";
import { wokenWith } from "../../src/lifecycle/group.ts";
import { idleWatch } from "../../src/lifecycle/idle.ts";
import type { Phase, PlaceState } from "../../src/lifecycle/place.ts";
import { config, forward, id, ip } from "../core/make.ts";

type Labels = Readonly<Record<string, string>>;

const service = (host: number, key: string, labels: Labels): Service =>
  ({
    key,
    name: key,
    address: ip(`192.168.122.${host}`),
    instances: [{ id: id(key) }],
    sleep: {
      settings: lifecycleOf(new Map(Object.entries({ "ocdd.wake": "true", ...labels })), config()),
      open: forward(host, host),
      networkId: id("bridge"),
    },
  }) as unknown as Service;

const place = (one: Service, phase: Phase): PlaceState => ({
  service: one,
  phase,
  since: 0,
  checking: false,
  paged: false,
  reason: null,
  retryAt: 0,
  held: 0,
});

/** Instances of one service of compose, at 11, 12 and so on. */
const instances = (phases: readonly Phase[], labels: Labels): PlaceState[] =>
  phases.map((phase, i) => place(service(11 + i, `compose:shop/web/${i + 1}`, labels), phase));

/** Last octets of those that one look puts to sleep. */
async function stopped(
  places: readonly PlaceState[],
  seconds: number,
  uses: Readonly<Record<number, Partial<Use>>> = {},
  isNeeded: (one: Service) => boolean = () => false,
): Promise<number[]> {
  const asleep: number[] = [];
  const used = Object.entries(uses).map(([host, use]): [Ipv4, Use] => [
    ip(`192.168.122.${host}`),
    { open: 0, busy: false, idle: 0, ...use } as Use,
  ]);
  const idle = idleWatch({
    waker: {
      places: () => new Map(places.map((one) => [one.service.address, one])),
      fallAsleep: async (alias) => asleep.push(Number(alias.split(".")[3])) > 0,
    },
    usage: async () => new Map(used),
    needed: () => isNeeded,
    now: () => seconds * 1000,
  });
  await idle.look();
  return asleep;
}

t.test("instances of one service are stopped together, when none is used", async (t) => {
  const three = instances(["awake", "awake", "awake"], { "ocdd.idle": "60s" });
  t.strictSame(await stopped(three, 59), []);
  t.strictSame(await stopped(three, 61), [11, 12, 13]);
  t.strictSame(await stopped(three, 61, { 12: { open: 1 } }), []);
  t.strictSame(await stopped(three, 600, { 12: { idle: 30 } }), []);
});

t.test("with ocdd.wake.scale each instance is stopped by itself", async (t) => {
  const two = instances(["awake", "awake"], { "ocdd.idle": "60s", "ocdd.wake.scale": "1" });
  t.strictSame(await stopped(two, 61, { 12: { open: 1 } }), [11]);
});

t.test("what another service needs is not stopped", async (t) => {
  const [db, web] = [service(11, "db", { "ocdd.idle": "60s" }), service(12, "web", { "ocdd.idle": "60s" })];
  const both = [place(db, "awake"), place(web, "awake")];
  t.strictSame(await stopped(both, 61, {}, (one) => one === db), [12]);
});

t.test(
  "a visit wakes all instances of its service; with ocdd.wake.scale as many as are missing",
  async (t) => {
    const woken = (phases: readonly Phase[], labels: Labels = {}): string[] => {
      const other = place(service(50, "compose:shop/db/1", {}), "asleep");
      const [visited, ...others] = instances(phases, labels);
      if (visited === undefined) throw new Error("no instance");
      return wokenWith(visited.service, [visited, ...others, other]).map(({ address }) => address);
    };
    t.strictSame(woken(["starting", "asleep", "failed"]), ["192.168.122.12", "192.168.122.13"]);
    t.strictSame(woken(["starting", "awake", "asleep"]), ["192.168.122.13"]);
    t.strictSame(woken(["starting", "falling", "awake"]), ["192.168.122.12"], "it is being stopped");
    const scale = (most: string): Labels => ({ "ocdd.wake.scale": most });
    t.strictSame(woken(["starting", "asleep", "asleep"], scale("1")), []);
    t.strictSame(woken(["starting", "asleep", "asleep"], scale("2")), ["192.168.122.12"]);
    t.strictSame(woken(["starting", "awake", "asleep"], scale("2")), []);
  },
);

t.test("one that is being stopped for as long as it likes: the next look stops others", async (t) => {
  let seconds = 61;
  const [slow, other] = [
    service(11, "slow", { "ocdd.idle": "60s" }),
    service(12, "other", { "ocdd.idle": "90s" }),
  ];
  const places = [place(slow, "awake"), place(other, "awake")];
  const begun: string[] = [];
  const idle = idleWatch({
    waker: {
      places: () => new Map(places.map((one) => [one.service.address, one])),
      fallAsleep(alias) {
        begun.push(alias);
        places.splice(0, 1);
        return new Promise(() => undefined);
      },
    },
    usage: async () => new Map(),
    needed: () => () => false,
    now: () => seconds * 1000,
  });
  let looks = 0;
  void idle.look().then(() => looks++);
  for (let turns = 0; turns < 10; turns++) await new Promise(setImmediate);
  t.equal(looks, 1, "the first look has ended");
  seconds = 91;
  await idle.look();
  t.strictSame(begun, ["192.168.122.11", "192.168.122.12"]);
});
