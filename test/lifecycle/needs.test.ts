/** Which containers are started before another one, and which services a container that runs keeps awake. */
import t from "tap";
import { dependenciesOf, dependenciesOfContainer } from "../../src/core/lifecycle/depends-on.ts";
import type { Container } from "../../src/core/model.ts";
import { type Known, neededIn, needsOf } from "../../src/lifecycle/needs.ts";
import { BARE, composeLabels, container, id, lease } from "../core/make.ts";

const one = (name: string, labels: Readonly<Record<string, string>> = {}, state = "running"): Container =>
  container({ name, labels: new Map(Object.entries(labels)), state });

const isNeeded = (
  all: readonly Container[],
  name: string,
  starting: readonly Container[] = [],
  more: Partial<Known> = {},
): boolean => {
  const found = all.find((other) => other.name === name) ?? one(name);
  const instances = [{ id: found.id, name, image: "", address: null, network: null }];
  return neededIn({ containers: all, ...more }, new Set(starting.map((other) => other.id)))({ instances });
};

t.test("needed by a container that runs or is started, not by one that sleeps", async (t) => {
  const user = (state: string): Container => one("web", { "ocdd.wake.with": "db" }, state);
  t.ok(isNeeded([one("db"), user("running")], "db"));
  for (const state of ["paused", "exited"]) t.notOk(isNeeded([one("db"), user(state)], "db"), state);
  const starting = user("exited");
  t.ok(isNeeded([one("db"), starting], "db", [starting]));
  t.notOk(isNeeded([one("db"), user("running")], "web"));
});

/** As compose makes it. */
const member = (
  project: string,
  service: string,
  dependsOn = "",
  name = `${project}-${service}-1`,
): Container =>
  one(name, {
    ...Object.fromEntries(composeLabels(project, service)),
    ...(dependsOn && { "com.docker.compose.depends_on": `${dependsOn}:service_started:false` }),
  });

t.test("depends_on names services of the same compose project only", async (t) => {
  const all = [member("shop", "db"), member("blog", "db"), member("shop", "web", "db")];
  t.ok(isNeeded(all, "shop-db-1"));
  t.notOk(isNeeded(all, "blog-db-1"));
});

t.test("depends_on means no container outside of the project, ocdd.wake.with does", async (t) => {
  const web = member("shop", "web", "db");
  for (const other of [
    one("db"),
    one("db", Object.fromEntries(composeLabels("blog", "db"))),
    one("db", { "com.docker.compose.project": "shop" }),
  ]) {
    t.strictSame(needsOf(web, dependenciesOfContainer(web), { containers: [web], stopped: [other] }), []);
    t.notOk(isNeeded([web, other], "db"));
    t.ok(isNeeded([one("web", { "ocdd.wake.with": "db" }), other], "db"));
  }
});

t.test("depends_on of any number of services that a compose file has: each is needed", async (t) => {
  for (const [number, name] of [
    [33, "s"],
    [200, "a-rather-long-name-of-a-service-that-is-one-of-many-and-ends-in-its-number-"],
  ] as const) {
    const others = Array.from({ length: number }, (_, i) => ({
      ...member("shop", `${name}${i}`),
      id: id(`${i}`),
    }));
    const label = others.map((_, i) => `${name}${i}:service_completed_successfully:false`).join();
    const web = one("shop-web-1", {
      ...Object.fromEntries(composeLabels("shop", "web")),
      "com.docker.compose.depends_on": label,
    });
    const seen = { containers: [web, ...others] };
    t.strictSame(
      needsOf(web, dependenciesOf(label), seen).map(({ container }) => container),
      others,
    );
    t.ok(
      others.every((other) => neededIn(seen)({ instances: [{ ...other, address: null, network: null }] })),
    );
  }
});

t.test("a container of compose run needs what its service needs", async (t) => {
  const db = member("shop", "db");
  for (const labels of [
    { "com.docker.compose.depends_on": "db:service_started:false" },
    { "ocdd.wake.with": "db" },
  ]) {
    const job = one("shop-web-run-3f2a", {
      ...Object.fromEntries(composeLabels("shop", "web")),
      "com.docker.compose.oneoff": "True",
      ...labels,
    });
    t.ok(isNeeded([db, job], "shop-db-1"));
    t.strictSame(
      needsOf(job, [{ service: "db", condition: "service_started" }], { containers: [db, job] }).map(
        ({ container }) => container.name,
      ),
      ["shop-db-1"],
    );
  }
});

t.test("services that need each other do not keep each other awake; a third one does", async (t) => {
  const circle = [
    one("a", { "ocdd.wake.with": "b" }),
    one("b", { "ocdd.wake.with": "c" }),
    one("c", { "ocdd.wake.with": "a" }),
  ];
  for (const { name } of circle) t.notOk(isNeeded(circle, name), name);
  t.ok(isNeeded([...circle, one("web", { "ocdd.wake.with": "a" })], "a"));
  t.notOk(isNeeded([one("self", { "ocdd.wake.with": "self" })], "self"));
});

t.test(
  "labels of a service on a container that is not compose's: neither started for another one nor kept awake",
  async (t) => {
    const app = member("shop", "app", "db");
    const asks = one("asks", { ...Object.fromEntries(app.labels), "ocdd.wake.with": "db" });
    const db = member("shop", "db");
    const forged: readonly [string, Container, boolean?][] = [
      ["all labels", member("shop", "db", "", "evil"), true],
      ["a name that begins so", member("shop", "db", "", "shop-db-1-evil"), true],
      [
        "no number",
        one("shop-db", { ...Object.fromEntries(db.labels), "com.docker.compose.container-number": "" }),
      ],
      [
        "another number than in its name",
        one("shop-db-1", { ...Object.fromEntries(db.labels), "com.docker.compose.container-number": "2" }),
        true,
      ],
      [
        "of compose's run",
        one("shop-db-1", { ...Object.fromEntries(db.labels), "com.docker.compose.oneoff": "True" }),
      ],
      [
        "swarm's",
        one(`shop_db.1.${"a".repeat(25)}`, {
          "com.docker.swarm.service.name": "shop_db",
          "com.docker.stack.namespace": "shop",
        }),
      ],
    ];
    for (const [what, evil, isAlone] of forged)
      for (const user of [app, asks]) {
        const needs = (others: readonly Container[]): string[] =>
          needsOf(user, [{ service: "db", condition: "service_healthy" }], {
            containers: [user, ...others],
          }).map((need) => need.container.name);
        // where no other is the service it may be: compose gives a container with `container_name` the same labels
        t.strictSame(needs([evil]), isAlone === true ? [evil.name] : [], what);
        t.equal(isNeeded([user, evil], evil.name), isAlone === true, what);
        if (evil.name === db.name) continue;
        t.strictSame(needs([evil, db]), ["shop-db-1"], what);
        t.strictSame(
          [isNeeded([user, evil, db], evil.name), isNeeded([user, evil, db], db.name)],
          [false, true],
        );
      }
  },
);

t.test(
  "a container that was renamed stays the service's whose lease it has; a name means one without a service as well",
  async (t) => {
    const app = member("shop", "app", "db");
    const renamed = member("shop", "db", "", "database");
    const leases = [lease("192.168.122.11", "compose:shop/db/1", { container: renamed.id })];
    const actual = { table: { ...BARE.table, leases } };
    const copy = { ...member("shop", "db", "", "copy"), created: renamed.created - 10 };
    t.ok(isNeeded([app, copy, renamed], "database", [], { actual }));
    t.notOk(isNeeded([app, copy, renamed], "copy", [], { actual }));
    t.ok(isNeeded([app, member("shop", "db", "", "db")], "db"), "container_name: db");
  },
);

t.test(
  "of several containers that say that they are one: the last seen with its lease, else the oldest",
  async (t) => {
    const app = member("shop", "app", "db");
    const aged = (name: string, created: number): Container => ({
      ...member("shop", "db", "", name),
      created,
    });
    for (const [first, second] of [
      ["mydb", "evil"],
      ["shop-db-1", "shop_db_1"],
      ["shop_db_1", "shop-db-1"],
    ] as const) {
      const all = [app, aged(second, 200), aged(first, 100)];
      t.strictSame([isNeeded(all, first), isNeeded(all, second)], [true, false], first);
      if (first === "mydb") continue;
      const leases = [lease("192.168.122.11", "compose:shop/db/1", { container: aged(second, 0).id })];
      const actual = { table: { ...BARE.table, leases } };
      t.strictSame(
        [isNeeded(all, first, [], { actual }), isNeeded(all, second, [], { actual })],
        [false, true],
        `${first}, with the lease of the other`,
      );
    }
    const blog = one("db", Object.fromEntries(composeLabels("blog", "db")));
    t.ok(
      isNeeded([app, blog, aged("mydb", 100)], "mydb"),
      "of its own project, not one whose name is the service's",
    );
    t.notOk(isNeeded([app, blog, aged("mydb", 100)], "db"));
  },
);
