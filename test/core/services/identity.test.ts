import fc from "fast-check";
import t from "tap";
import { groupOf, identityOf } from "../../../src/core/services/identity.ts";
import { composeLabels, container } from "../make.ts";

const identity = (name: string, labels: Map<string, string>, lastSeen = new Map<string, string>()) =>
  identityOf(container({ name, labels }), lastSeen);
const key = (name: string, labels: Map<string, string> = new Map()): string => identity(name, labels).key;

t.test(
  "a lease's key, by compose's labels and the name that compose gives, is the service's place",
  async (t) => {
    t.equal(key("shop-web-2", composeLabels("shop", "web", 2)), "compose:shop/web/2");
    t.equal(key("shop_web_2", composeLabels("shop", "web", 2)), "compose:shop/web/2");
    t.equal(key("web"), "container:web");
    for (const bad of ["", "-1", "1e3", "1234567", "x"]) {
      const labels = new Map([...composeLabels("s", "w"), ["com.docker.compose.container-number", bad]]);
      t.equal(key(`s-w-${bad}`, labels), `container:s-w-${bad}`, bad);
    }
    t.equal(groupOf("compose:shop/web/2"), "compose:shop/web");
    t.equal(groupOf("swarm:mon/grafana/1"), "swarm:mon/grafana");
    t.equal(groupOf("container:a/1"), "container:a/1");
  },
);

t.test(
  "compose's labels on a container of another name: not accepted, except of the one that had the key",
  async (t) => {
    const labels = composeLabels("example", "jenkins", 1);
    for (const name of [
      "evil",
      "example-jenkins-2",
      "example-jenkins-1x",
      "examplejenkins1",
      "example-jenkins_1",
    ]) {
      t.match(
        identity(name, labels),
        { key: `container:${name}`, rejectedKey: "compose:example/jenkins/1" },
        name,
      );
    }
    const had = new Map([["compose:example/jenkins/1", container({ name: "evil" }).id]]);
    t.match(
      identity("evil", labels, had),
      { key: "compose:example/jenkins/1", rejectedKey: null },
      "renamed since",
    );
  },
);

t.test("a one-off, in every spelling of compose's versions, is never the service", async (t) => {
  for (const word of ["True", "true", "TRUE", " true "]) {
    for (const name of ["shop_web_run_1", "shop-web-run-1a2b3c", "shop-web-1"]) {
      const labels = new Map([...composeLabels("shop", "web"), ["com.docker.compose.oneoff", word]]);
      t.match(identity(name, labels), { key: `container:${name}`, membership: null, oneOff: true });
    }
  }
  const no = new Map([...composeLabels("shop", "web"), ["com.docker.compose.oneoff", "False"]]);
  t.equal(key("shop-web-1", no), "compose:shop/web/1");
});

t.test("a swarm task, replaced by another, keeps the key of service and slot", async (t) => {
  const task = (service: string, rest: string, stack?: string) =>
    identity(
      `${service}.${rest}`,
      new Map([
        ["com.docker.swarm.service.name", service],
        ...(stack === undefined ? [] : ([["com.docker.stack.namespace", stack]] as const)),
      ]),
    );
  const [a, b] = ["x3k9".padEnd(25, "a"), "y7".padEnd(25, "b")];
  t.equal(task("mon_grafana", `1.${a}`, "mon").key, "swarm:mon/grafana/1");
  t.equal(task("mon_grafana", `1.${b}`, "mon").key, "swarm:mon/grafana/1");
  t.match(task("mon_grafana", `2.${a}`, "mon"), {
    key: "swarm:mon/grafana/2",
    membership: { project: "mon", service: "grafana", number: 2 },
  });
  t.match(task("grafana", `1.${a}`), { key: "swarm:/grafana/1", membership: { project: null } });
  t.equal(task("agent", `${b}.${a}`).key, "swarm:/agent/0", "one a node");
  t.match(task("grafana", "1.short"), {
    key: "container:grafana.1.short",
    membership: { service: "grafana" },
  });
});

t.test("no two services share a key by the spelling of their names, and none is long", async () => {
  const part = fc.oneof(fc.stringMatching(/^[a%2F/:_-]{1,6}$/), fc.string({ minLength: 1, maxLength: 400 }));
  fc.assert(
    fc.property(fc.tuple(part, part), fc.tuple(part, part), ([p, s], [q, r]) => {
      const one = key(`${p}-${s}-1`, composeLabels(p, s));
      return one.length < 1300 && (one === key(`${q}-${r}-1`, composeLabels(q, r))) === (p === q && s === r);
    }),
  );
});
