/** A key of compose's stays with the name that has it: over re-creation, a hold, files of earlier versions, many containers. */
import t, { type Test } from "tap";
import { decide } from "../../../src/core/decide.ts";
import type { Container, Decision, State } from "../../../src/core/model.ts";
import { plan } from "../../../src/core/plan.ts";
import { needsOf } from "../../../src/lifecycle/needs.ts";
import { BARE, composeLabels, config, container, id, NOW, observation } from "../make.ts";

const LABELS = composeLabels("shop", "web");
const web = (name: string, round = 0, more: Partial<Container> = {}): Container =>
  container({ name, id: id(`${round}${name}`), labels: LABELS, created: NOW - 100 + round, ...more });
/** Of the labels of shop's web, made before all others. */
const copy = (name: string, more: Partial<Container> = {}): Container =>
  container({ name, labels: LABELS, at: "172.17.0.9", created: NOW - 9_000, ...more });
const asleep = (one: Container): Container => ({ ...one, state: "created" });

/** Runs of one host, each with what runs and what does not; decided once more nothing is written again. */
function host(t: Test, keys: Readonly<Record<string, string>> = {}, before: State = BARE) {
  return {
    run(now: number, containers: readonly Container[], stopped: readonly Container[] = []): Decision {
      const decided = () =>
        decide(config(keys), observation({ containers, stopped, actual: before }), NOW + now);
      const d = decided();
      before = d.desired;
      t.notOk(plan(before, decided().desired).writeLeases, `${now}: nothing to write again`);
      return d;
    },
    table: () => before.table,
    forget(): void {
      before = { ...before, table: { ...before.table, holders: [] } };
    },
  };
}

/** Container and address of a name. */
const has = (d: Decision, name = "web.shop"): string[] =>
  d.services.filter((s) => s.names.includes(name)).map((s) => `${s.instances[0]?.name} ${s.address}`);

const AT = "192.168.122.11";
const SPELLINGS = [
  ["shop-web-1", "shop_web_1"],
  ["shop_web_1", "shop-web-1"],
] as const;

t.test(
  "a service created again beside a copy that was never seen running: it keeps name and address",
  async (t) => {
    for (const [real, other] of SPELLINGS)
      for (const seenBefore of [true, false]) {
        const h = host(t);
        t.strictSame(has(h.run(0, [web(real)])), [`${real} ${AT}`]);
        if (seenBefore) h.run(1, [web(real)], [asleep(copy(other))]);
        t.strictSame(has(h.run(2, [web(real, 1), copy(other)])), [`${real} ${AT}`]);
        t.strictSame(has(h.run(3, [copy(other)], [asleep(web(real, 2))])), []);
        t.strictSame(has(h.run(4, [copy(other)])), [], "removed, a moment ago");
        t.strictSame(has(h.run(5, [copy(other), web(real, 3)])), [`${real} ${AT}`]);
      }
  },
);

t.test(
  "compose changes from one of its names to the other: the place follows after ADDRESS_HOLD",
  async (t) => {
    for (const [real, other] of SPELLINGS) {
      const h = host(t, { ADDRESS_HOLD: "600" });
      h.run(0, [web(real)]);
      const between = h.run(1, [web(other)]);
      t.strictSame(has(between), []);
      t.match(between.warnings.join("\n"), `was that of "${real}"`);
      t.strictSame(has(h.run(600, [web(other)])), []);
      t.strictSame(has(h.run(601, [web(other)])), [`${other} ${AT}`]);
      t.strictSame(has(h.run(602, [web(other), copy(real)])), [`${other} ${AT}`]);
      t.strictSame(has(h.run(603, [web(other, 1), copy(real)])), [`${other} ${AT}`]);
    }
  },
);

t.test(
  "a leases file of an earlier version: the container last seen has the place, and its name from then on",
  async (t) => {
    for (const [real, other] of SPELLINGS) {
      const h = host(t);
      h.run(0, [web(real)]);
      h.forget();
      t.strictSame(has(h.run(1, [web(real), copy(other)])), [`${real} ${AT}`]);
      t.strictSame(has(h.run(2, [web(real, 1), copy(other)])), [`${real} ${AT}`]);
      h.forget();
      t.strictSame(has(h.run(3, [web(real, 2)])), [`${real} ${AT}`], "created again meanwhile");
    }
  },
);

t.test(
  "compose up of version 1 renames the container that it replaces: the new one has the place",
  async (t) => {
    const h = host(t);
    const old = web("shop_web_1");
    const renamed = { ...old, name: "0a1b2c3d4e5f_shop_web_1" };
    h.run(0, [old]);
    t.strictSame(has(h.run(1, [renamed], [asleep(web("shop_web_1", 1))])), [`${renamed.name} ${AT}`]);
    t.strictSame(has(h.run(2, [web("shop_web_1", 1)], [{ ...renamed, state: "exited" }])), [
      `shop_web_1 ${AT}`,
    ]);
    t.strictSame(has(h.run(3, [web("shop_web_1", 1)])), [`shop_web_1 ${AT}`]);
  },
);

t.test(
  "containers that copy labels and are removed: no number of them ends the hold of a service's place",
  async (t) => {
    const h = host(t, { EXPOSE: "labelled" });
    h.run(0, [web("shop-web-1")]);
    h.run(10, []);
    const flood = Array.from({ length: 2_500 }, (_, i) =>
      container({ name: `x${i}`, created: NOW - 9_000, labels: composeLabels("x", `x${i}`) }),
    );
    h.run(11, flood.slice(0, 1_250));
    h.run(12, flood.slice(1_250));
    h.run(13, []);
    t.equal(h.table().holders?.length, 1_000);
    t.ok(h.table().holders?.some(({ key, name }) => key === "compose:shop/web/1" && name === "shop-web-1"));
  },
);

t.test(
  "a container with container_name is created again, beside copies of its labels: it is what depends_on means",
  async (t) => {
    const app = container({ name: "shop-app-1", labels: composeLabels("shop", "app") });
    const needs = (
      h: ReturnType<typeof host>,
      containers: Container[],
      stopped: Container[] = [],
    ): string[] =>
      needsOf(app, [{ service: "web", condition: "service_healthy" }], {
        containers,
        stopped,
        actual: { table: h.table() },
      }).map((need) => need.container.name);
    // not served, as most databases, or served
    for (const EXPOSE of ["labelled", "all"])
      for (const name of ["web", "mydb"]) {
        const h = host(t, { EXPOSE });
        h.run(0, [app, web(name)]);
        for (const [containers, stopped] of [
          [[web(name, 1)], [asleep(copy("evil"))]],
          [[web(name, 1), copy("evil")], []],
          [[copy("evil")], [asleep(web(name, 1))]],
          [[], [asleep(copy("evil")), asleep(web(name, 1))]],
        ] as const) {
          t.strictSame(needs(h, [app, ...containers], [...stopped]), [name], "before a run");
          h.run(1, [app, ...containers], stopped);
          t.strictSame(needs(h, [app, ...containers], [...stopped]), [name]);
        }
        h.run(2, [app, copy("evil")]);
        t.strictSame(needs(h, [app, copy("evil"), web(name, 2)]), [name], "removed for a moment");
        h.run(3, [app, copy("evil"), web(name, 2)]);
        const proved = web("shop-web-1");
        t.strictSame(needs(h, [app, web(name, 2), proved]), ["shop-web-1"], "a name proves more than labels");
      }
  },
);

t.test(
  "a copy that was there before the service: the name proves the service, and it has the place",
  async (t) => {
    const h = host(t);
    h.run(0, [copy("evil")]);
    h.run(1, [copy("evil"), web("shop-web-1")]);
    const d = h.run(2, [copy("evil"), web("shop-web-1", 1)]);
    t.equal(d.services.find(({ instances: [one] }) => one?.name === "shop-web-1")?.key, "compose:shop/web/1");
    t.notOk(h.table().holders?.some(({ key, name }) => key === "compose:shop/web/1" && name === "evil"));
  },
);

t.test("a copy that has never run: it has no place, whenever it was created", async (t) => {
  for (const [real, other] of SPELLINGS)
    for (const state of ["created", "exited"]) {
      const left = { ...copy(other), state };
      const fresh = host(t);
      fresh.run(0, [], [left]);
      for (const round of [1, 2, 3])
        t.strictSame(
          has(fresh.run(round, [web(real, round)], [left])),
          [`${real} ${AT}`],
          "before its start",
        );
      const down = host(t);
      down.run(0, [web(real)]);
      down.run(1, []);
      down.run(4_000, [], [left]);
      t.strictSame(has(down.run(4_001, [web(real, 1)], [left])), [`${real} ${AT}`], "down for an hour");
    }
});

t.test("the end of a hold alone writes nothing; a later change leaves it out", async (t) => {
  const h = host(t, { EXPOSE: "labelled" });
  h.run(0, [web("shop-web-1")]);
  h.run(1, []);
  const before = h.table();
  h.run(4_000, []);
  t.equal(h.table().holders, before.holders);
  h.run(4_001, [copy("shop_web_1")]);
  t.match(h.table().holders, [{ name: "shop_web_1" }]);
  t.equal(h.table().holders.length, 1);
});
