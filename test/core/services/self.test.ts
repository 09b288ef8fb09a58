/** What containers are told of themselves: which are told, at which addresses, and when the file changes. */
import t from "tap";
import { decide } from "../../../src/core/decide.ts";
import type { BridgePort, Container, Observation, State } from "../../../src/core/model.ts";
import { plan } from "../../../src/core/plan.ts";
import { describeAll } from "../../../src/core/report/steps.ts";
import { MOST_LABELS, readSelves } from "../../../src/core/services/self.ts";
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
  ZONE,
} from "../make.ts";

const port = (of: string, name: string, bridge = "docker0"): BridgePort => ({
  name,
  bridge,
  hairpin: true,
  container: id(of),
});

const decided = (over: Partial<Observation>, keys: Record<string, string> = {}): State =>
  decide(config(keys), observation(over), NOW).desired;

/** Address → what is told there. */
const told = (state: State): Record<string, { port: string; name: string }> =>
  Object.fromEntries(
    [...(readSelves(state.self) ?? [])].map(([address, self]) => [
      address,
      { port: self.port, name: JSON.parse(self.text).name },
    ]),
  );

const at = (state: State, address: string) =>
  JSON.parse(readSelves(state.self)?.get(address)?.text ?? "null");

t.test("a container: its names, its address, its labels of two kinds and what runs; no other label", (t) => {
  const labels = new Map([
    ["org.opencontainers.image.version", "2.4"],
    ["ocdd.meta.openssl", "3"],
    ["ocdd.meta.owner", "it"],
    ["ocdd.meta.__proto__", "{}"],
    ["ocdd.aliases", "ci"],
    ["traefik.http.middlewares.auth.basicauth.users", "admin:secret"],
    ["ocdd.title", "not of this kind"],
  ]);
  const containers = [
    container({
      name: "web",
      at: "172.17.0.3",
      labels,
      created: NOW - 90,
      started: { earliest: NOW - 95, latest: NOW - 80 },
    }),
  ];
  const state = decided({ containers, bridgePorts: [port("web", "veth1")] });
  t.strictSame(told(state), { "172.17.0.3": { port: "veth1", name: "web" } });
  t.strictSame(
    readSelves(state.self)?.get("172.17.0.3")?.text,
    `${JSON.stringify({
      schemaVersion: 1,
      name: "web",
      fqdn: `web.${ZONE}`,
      names: [`ci.${ZONE}`],
      address: "192.168.122.11",
      container: "web",
      containerId: id("web").slice(0, 12),
      labels: { "org.opencontainers.image.version": "2.4" },
      meta: { openssl: 3, owner: "it", ["__proto__"]: {} },
      runtime: {
        deployed_at: "2027-01-15T07:58:30Z",
        started_at: "2027-01-15T07:58:30Z",
        host: "192.168.122.200",
        host_name: `dockerhost.${ZONE}`,
        address: "192.168.122.11",
        image: "busybox:1",
      },
    })}\n`,
  );
  t.notMatch(state.self, /secret|not of this kind/);
  t.end();
});

t.test("told are containers with an alias only, at each of their addresses on bridge networks", (t) => {
  const networks = [
    BRIDGE,
    network({ name: "back", cidr: "172.20.0.0/16" }),
    network({ name: "lan", cidr: "192.168.122.0/24", driver: "macvlan", bridge: "" }),
  ];
  const containers: Container[] = [
    container({
      name: "two",
      attachments: [
        attachment("bridge", "172.17.0.2"),
        attachment("back", "172.20.0.2"),
        attachment("lan", "192.168.122.77"),
      ],
    }),
    container({ name: "host", networkMode: "host", attachments: [] }),
    container({ name: "direct", attachments: [attachment("lan", "192.168.122.78")] }),
    container({ name: "new", at: "172.17.0.9" }),
    container({ name: "hidden", at: "172.17.0.4", labels: new Map([["ocdd.hide", "true"]]) }),
    container({ name: "off", at: "172.17.0.5", labels: new Map([["ocdd.enable", "false"]]) }),
  ];
  const bridgePorts = [
    port("two", "veth2"),
    port("two", "veth2b", "br-back"),
    port("hidden", "veth4"),
    port("off", "veth5"),
    { ...port("new", "veth9"), container: null },
  ];
  const state = decided({ containers, networks, bridgePorts });
  t.strictSame(told(state), {
    "172.17.0.2": { port: "veth2", name: "two" },
    "172.20.0.2": { port: "veth2b", name: "two" },
    "172.17.0.4": { port: "veth4", name: "hidden" },
  });
  t.equal(at(state, "172.17.0.4").runtime.started_at, null, "nothing is stored of a hidden one");
  t.end();
});

t.test(
  "a shared network: neither container is told anything, also while the second one does not run",
  (t) => {
    const web = container({ name: "web", at: "172.17.0.3" });
    const side = (mode: string) => container({ name: "side", networkMode: mode, attachments: [] });
    const bridgePorts = [port("web", "veth1")];
    const alone = decided({ containers: [web], bridgePorts });
    t.strictSame(Object.keys(told(alone)), ["172.17.0.3"]);
    for (const mode of [`container:${web.id}`, "container:web"]) {
      t.equal(decided({ containers: [side(mode), web], bridgePorts }).self, "", mode);
      const stopped = [{ ...side(mode), state: "exited" }];
      t.equal(decided({ containers: [web], stopped, bridgePorts }).self, "", `${mode}, stopped`);
      const partial = [{ ...side(mode), partial: true as const }, web];
      t.equal(decided({ containers: partial, bridgePorts }).self, "", `${mode}, too large to be served`);
    }
    t.end();
  },
);

t.test("without a page, and after the last container: no file", (t) => {
  const containers = [container({ name: "web" })];
  const bridgePorts = [port("web", "veth1")];
  t.not(decided({ containers, bridgePorts }).self, "");
  t.equal(decided({ containers, bridgePorts }, { WEB_ENABLED: "0" }).self, "");
  t.equal(decided({}).self, "");
  t.end();
});

t.test("labels without end: those that fit, the file stays small", (t) => {
  const labels = new Map(
    Array.from({ length: 200 }, (_, i) => [`ocdd.meta.k${String(i).padStart(3, "0")}`, "x".repeat(4_000)]),
  );
  labels.set("ocdd.meta.small", "1");
  const state = decided({
    containers: [container({ name: "web", labels })],
    bridgePorts: [port("web", "veth1")],
  });
  const { meta } = at(state, "172.17.0.2");
  t.strictSame(Object.keys(meta), ["k000", "k001", "k002", "k003", "small"]);
  t.ok(state.self.length < MOST_LABELS + 2_000);
  t.end();
});

t.test("the file changes with its containers, in a step of its own, and not otherwise", (t) => {
  const containers = [
    container({ name: "b", at: "172.17.0.3", labels: composeLabels("p", "b") }),
    container({ name: "a", at: "172.17.0.2", created: NOW - 2_000 }),
  ];
  const bridgePorts = [port("a", "veth1"), port("b", "veth2")];
  const first = decided({ containers, bridgePorts });
  const again = decided({ actual: first, containers: containers.toReversed(), bridgePorts });
  t.equal(again.self, first.self, "in whatever order Docker gives them");
  const moved = decided({ actual: first, containers, bridgePorts: [port("a", "veth1"), port("b", "veth3")] });
  t.not(moved.self, first.self);
  const steps = plan(first, moved).steps.filter(({ kind }) => kind === "self");
  t.strictSame(describeAll(steps), ["~ what containers are told of themselves"]);
  t.same(plan(BARE, { ...BARE, self: first.self }).steps, [{ kind: "self" }]);
  t.end();
});

t.test("a file that cannot be read, or is a newer version's: none is told anything", (t) => {
  for (const text of ["", "{", "null", "[]", '{"schemaVersion":2,"containers":[]}', '{"schemaVersion":1}'])
    t.equal(readSelves(text), undefined, text);
  t.equal(readSelves('{"schemaVersion":1,"containers":[{"at":7}]}'), undefined);
  t.end();
});
