import fc from "fast-check";
import t from "tap";
import { decide } from "../../../src/core/decide.ts";
import type { Container, Decision, NameHold, State } from "../../../src/core/model.ts";
import { plan } from "../../../src/core/plan.ts";
import { heldNames, nameHoldsBefore } from "../../../src/core/services/held-names.ts";
import {
  attachment,
  BARE,
  BRIDGE,
  composeLabels,
  config,
  container,
  id,
  NOW,
  network,
  observation,
} from "../make.ts";

const LAN = network({ name: "lan", driver: "macvlan", bridge: "", cidr: "192.168.50.0/24" });
const VPN = container({ name: "vpn", at: "172.17.0.5", created: NOW - 9_000 });

/** How the service is reached: the fields of its container. */
const REACH: Readonly<Record<string, Partial<Container>>> = {
  alias: {},
  host: { networkMode: "host", attachments: [] },
  macvlan: { networkMode: "lan", attachments: [attachment("lan", "192.168.50.7")] },
  shared: { networkMode: `container:${VPN.id}`, attachments: [] },
};

const SWARM = new Map([
  ["com.docker.swarm.service.name", "shop_web"],
  ["com.docker.stack.namespace", "shop"],
]);
const task = (round: number): string => `shop_web.1.${String(round).padStart(25, "t")}`;

/** What the service is called, its labels, and those of a container that copies them under the other name of the same key. */
const KINDS = {
  "compose 2": {
    name: () => "shop-web-1",
    labels: composeLabels("shop", "web"),
    copy: "shop_web_1",
  },
  "compose 1": {
    name: () => "shop_web_1",
    labels: composeLabels("shop", "web"),
    copy: "shop-web-1",
  },
  // what a task's name ends in proves nothing
  swarm: { name: task, labels: SWARM, copy: null },
  plain: { name: () => "web", labels: new Map<string, string>(), copy: null },
} as const;

type Kind = keyof typeof KINDS;

/** One run of the director: which containers run, are stopped, or are not there. */
interface Look {
  readonly real: "runs" | "stopped" | "gone";
  readonly copy: "runs" | "stopped" | "gone";
  readonly named: "runs" | "stopped" | "gone";
}

const place = fc.constantFrom("runs" as const, "stopped" as const, "gone" as const);
const looks = fc.array(fc.record({ real: place, copy: place, named: place }), { minLength: 2, maxLength: 9 });

const who = (d: Decision, name: string): string[] =>
  d.services.filter((s) => s.names.includes(name)).flatMap((s) => s.instances.map((one) => one.name));

t.test(
  "a service stops, starts and is created again in any order, beside one of the other name of its key and one that asks for its name: both get neither its names nor its address",
  async (t) => {
    const kinds = Object.keys(KINDS) as Kind[];
    fc.assert(
      fc.property(
        fc.constantFrom(...kinds),
        fc.constantFrom(...Object.keys(REACH)),
        fc.constantFrom(...Object.keys(REACH)),
        looks,
        (kind, reach, thiefReach, steps) => {
          const { name, labels, copy } = KINDS[kind];
          let round = 0;
          const real = () =>
            container({
              name: name(round),
              id: id(`real${round}`),
              labels,
              at: "172.17.0.2",
              created: NOW - 5_000 + round,
              ...REACH[reach],
            });
          const thief = (thiefName: string, more: ReadonlyMap<string, string>) =>
            container({
              name: thiefName,
              labels: more,
              at: "172.17.0.9",
              created: NOW - 8_000,
              ...REACH[thiefReach],
            });
          const copying = copy === null ? undefined : thief(copy, labels);
          const named = thief("evil", new Map([["ocdd.name", "web"]]));
          let before: State = BARE;
          let address: string | undefined;
          let wasGone = false;
          const all: Look[] = [{ real: "runs", copy: "gone", named: "gone" }, ...steps];
          for (const [i, look] of all.entries()) {
            if (look.real === "gone") wasGone = true;
            else if (wasGone) {
              round += 1;
              wasGone = false;
            }
            const containers: Container[] = [VPN];
            const stopped: Container[] = [];
            const put = (one: Container, where: string): void => {
              if (where === "runs") containers.push(one);
              if (where === "stopped") stopped.push({ ...one, state: "exited" });
            };
            put(real(), look.real);
            if (copying !== undefined) put(copying, look.copy);
            put(named, look.named);
            const decided = () => {
              const seen = observation({ containers, stopped, networks: [BRIDGE, LAN], actual: before });
              return decide(config(), seen, NOW + i);
            };
            const d = decided();
            const runs = look.real === "runs";
            for (const taken of kind === "plain" ? ["web"] : ["web", "web.shop"])
              if (who(d, taken).join() !== (runs ? name(round) : "")) return false;
            const now = d.services.find((s) => s.names.includes("web"))?.address;
            address ??= now;
            if (runs && now !== address) return false;
            before = d.desired;
            if (plan(before, decided().desired).writeLeases) return false;
          }
          return true;
        },
      ),
      { numRuns: 400 },
    );
    t.pass("400 histories");
  },
);

const hold = (key: string, over: Partial<NameHold> = {}): NameHold => ({
  key,
  names: [key],
  container: id(key),
  releasedAt: null,
  ...over,
});

t.test("names without a lease: on hold for the time given", async (t) => {
  const table = { ...BARE.table, nameHolds: [hold("a"), hold("c", { releasedAt: NOW + 50 })] };
  const at = (now: number, nameHolds: readonly NameHold[] = table.nameHolds) =>
    nameHoldsBefore({ ...table, nameHolds }, [], 100, now);
  const released = at(NOW);
  t.strictSame(
    released.map(({ key, releasedAt }) => [key, releasedAt]),
    [
      ["a", NOW],
      ["c", NOW],
    ],
    "also where the clock was set back",
  );
  t.strictSame(
    [...heldNames({ ...table, nameHolds: at(NOW + 99, released) }, NOW + 99, 100)],
    [
      ["a", "a"],
      ["c", "c"],
    ],
  );
  t.strictSame(at(NOW + 100, released), []);
});

t.test(
  "a service that gets a lease: its names pass to that, and to no older one that asks for them",
  async (t) => {
    const thief = container({
      name: "thief",
      at: "172.17.0.9",
      created: NOW - 9_000,
      labels: new Map([["ocdd.name", "ha"]]),
    });
    const ha = (round: number, reach: string): Container =>
      container({ name: "ha", id: id(`ha${round}`), created: NOW - 50 + round, ...REACH[reach] });
    for (const from of Object.keys(REACH))
      for (const to of Object.keys(REACH)) {
        let before: State = BARE;
        const step = (now: number, ...containers: Container[]): Decision => {
          const decided = () =>
            decide(
              config(),
              observation({ containers: [VPN, ...containers], networks: [BRIDGE, LAN], actual: before }),
              now,
            );
          const d = decided();
          before = d.desired;
          t.notOk(plan(before, decided().desired).writeLeases);
          return d;
        };
        step(NOW, ha(0, from));
        step(NOW + 1, thief, ha(0, from));
        t.strictSame(who(step(NOW + 2, thief, ha(1, to)), "ha"), ["ha"], `${from}, then ${to}`);
        t.strictSame(who(step(NOW + 3, thief, ha(1, to)), "ha"), ["ha"], `${from}, then ${to}, the next run`);
        t.equal(
          before.table.nameHolds.filter(({ key }) => key === "container:ha").length,
          to === "alias" ? 0 : 1,
        );
      }
  },
);

t.test(
  "thousands of containers without an alias that come and go: a bounded number of names is kept, those held longest",
  async (t) => {
    const victim = container({ name: "nas", created: NOW - 9_000, ...REACH.host });
    const flood = Array.from({ length: 3_000 }, (_, i) =>
      // created long before it is started: what counts is how long it has held its name
      container({ name: `flood${i}`, created: NOW - 9_500, ...REACH.host }),
    );
    let before: State = BARE;
    const step = (now: number, ...containers: Container[]): Decision => {
      const d = decide(config(), observation({ containers, stopped: [], actual: before }), now);
      before = d.desired;
      return d;
    };
    step(NOW, victim);
    step(NOW + 60);
    for (let i = 0; i < 3; i++) step(NOW + 61 + i, ...flood.slice(i * 1_000, (i + 1) * 1_000));
    const thief = container({ name: "thief", created: NOW + 64, labels: new Map([["ocdd.name", "nas"]]) });
    t.strictSame(who(step(NOW + 65, thief), "nas"), []);
    t.equal(before.table.nameHolds.length, 1_000);
  },
);

t.test(
  "swarm's next task, begun before or after the end of the one before: it has name and address from that end on",
  async (t) => {
    const tasks = [0, 1, 2].map((n) =>
      container({
        name: task(n),
        id: id(`task${n}`),
        labels: SWARM,
        at: `172.17.0.${n + 2}`,
        created: NOW + n,
      }),
    );
    // beside it, and before all of them, one that copies the name
    const copy = container({ name: task(9_999), labels: SWARM, at: "172.17.0.9", created: NOW - 50 });
    for (const others of [[], [copy]]) {
      let before: State = BARE;
      const holder = (now: number, ...running: number[]): string[] => {
        const containers = [...running.map((n) => tasks[n] as Container), ...(now > 0 ? others : [])];
        const d = decide(config(), observation({ containers, stopped: [], actual: before }), NOW + now);
        before = d.desired;
        return d.services
          .filter((s) => s.names.includes("web"))
          .map((s) => `${s.instances[0]?.name} ${s.address}`);
      };
      const address = "192.168.122.11";
      t.strictSame(holder(0, 0), [`${task(0)} ${address}`]);
      t.strictSame(holder(10, 0, 1), [`${task(0)} ${address}`], "start-first: both run");
      t.strictSame(holder(20, 1), [`${task(1)} ${address}`], "the first has ended");
      t.strictSame(holder(700, 1), [`${task(1)} ${address}`], "after ADDRESS_HOLD");
      t.strictSame(holder(710, 1, 2), [`${task(1)} ${address}`], "the next update");
      t.strictSame(holder(720, 2), [`${task(2)} ${address}`]);
    }
  },
);
