/** Services that may sleep: what is decided while their containers do not run, start, or are about to be stopped. */
import t from "tap";
import { decide } from "../../../src/core/decide.ts";
import { canonical, waiting } from "../../../src/core/forwards/forward.ts";
import { type Gates, NO_GATES } from "../../../src/core/lifecycle/gates.ts";
import type { Container, Decision, Observation, Service, State } from "../../../src/core/model.ts";
import { plan } from "../../../src/core/plan.ts";
import { whyNotServed } from "../../../src/core/services/unserved.ts";
import { attachment, config, container, id, ip, NOW, network, observation } from "../make.ts";

const LABELS = new Map([["ocdd.wake", "true"]]);
const CONFIG = config();
const QUEUE = 47_053;
const READ: Gates = { ...NO_GATES, queue: QUEUE };

const running = (over: Partial<Container> = {}): Container =>
  container({ name: "web", at: "172.17.0.2", labels: LABELS, ...over });
const stopped = (over: Partial<Container> = {}): Container =>
  running({ state: "exited", attachments: [attachment("bridge", undefined)], ...over });

/** What the first run has put in force, with the container running. */
const before = (): State => decide(CONFIG, observation({ containers: [running()] }), NOW).desired;

function decided(over: Partial<Observation>, actual: State = before()): Decision {
  return decide(CONFIG, observation({ containers: [], stopped: [], ...over, actual }), NOW + 10);
}
const web = ({ services }: Decision): Service | undefined => services.find(({ name }) => name === "web");

t.test("stopped: name, lease and alias stay, and first packets wait", async (t) => {
  const decision = decided({ stopped: [stopped()], gates: READ });
  t.match(web(decision), {
    state: "asleep",
    address: "192.168.122.11",
    forward: { waits: true, target: null },
  });
  const { desired } = decision;
  t.match(desired.table.leases, [{ names: ["web"], releasedAt: null }]);
  t.equal(desired.dataPath.frame?.queue, QUEUE);
  t.strictSame(
    desired.aliases.map(({ address }) => address),
    ["192.168.122.11"],
  );
  t.ok(desired.zone.records.some(({ owner, rdata }) => owner === "web" && rdata === "192.168.122.11"));
  t.strictSame(plan(before(), desired).flushed, ["192.168.122.11"], "flows of the container that has ended");
});

t.test(
  "the page's traffic is let in while the page is served, also while it is shown for no alias",
  async (t) => {
    const page = 40_080;
    const frameOf = (gates: Gates) => decided({ containers: [running()], gates }).desired.dataPath.frame;
    t.equal(frameOf({ ...READ, page, paged: new Set() })?.page, page);
    t.equal(frameOf(READ)?.page, undefined);
  },
);

t.test("a container of which not all is known: never served, whether it runs or not, and why", async (t) => {
  const all = config({ WAKE: "all" });
  const one = { partial: true, labels: new Map() } as const;
  for (const seen of [{ containers: [running(one)] }, { containers: [], stopped: [stopped(one)] }]) {
    const observed = observation({ ...seen, gates: READ });
    const decision = decide(all, observed, NOW);
    t.strictSame([decision.services, decision.desired.table.leases], [[], []]);
    const [it = running()] = [...seen.containers, ...(seen.stopped ?? [])];
    t.match(whyNotServed(it, all, decision, observed), /description of it is too large/);
  }
});

t.test("without its label, or where the label cannot be read: the address is on hold", async (t) => {
  for (const labels of [new Map(), new Map([["ocdd.wake", "perhaps"]])]) {
    const decision = decided({ stopped: [stopped({ labels })], gates: READ });
    t.strictSame([decision.services.length, decision.desired.dataPath.frame], [0, null]);
  }
});

t.test("nothing reads a queue: refused, and one that runs is led to at once", async (t) => {
  const asleep = decided({ stopped: [stopped()] });
  t.match(web(asleep), { state: "asleep", forward: { waits: true } });
  t.equal(asleep.desired.dataPath.frame?.queue, undefined);
  const again = decided({ containers: [running()] }, asleep.desired);
  t.match(web(again)?.forward, { target: "172.17.0.2" });
  t.equal(web(again)?.forward?.waits, undefined);
});

t.test("started: its packets wait until it is ready, and no flow is flushed then", async (t) => {
  const asleep = decided({ stopped: [stopped()], gates: READ }).desired;
  const starting = decided({ containers: [running()], gates: READ }, asleep);
  t.match(web(starting), { state: "starting", forward: { waits: true, target: "172.17.0.2" } });
  const open = { ...READ, open: new Set([id("web")]) };
  const ready = decided({ containers: [running()], gates: open }, starting.desired);
  t.match(web(ready), { state: "running" });
  t.equal(web(ready)?.forward?.waits, undefined);
  t.strictSame(plan(starting.desired, ready.desired).flushed, []);
  const later = decided({ containers: [running()], gates: READ }, ready.desired);
  t.equal(web(later)?.forward?.waits, undefined, "what leads to it stays");
});

t.test("about to be stopped: packets wait, and its flows stay", async (t) => {
  const shut = { ...READ, shut: new Set([id("web")]) };
  const decision = decided({ containers: [running()], gates: shut });
  t.match(web(decision), { state: "running", forward: { waits: true, target: "172.17.0.2" } });
  t.strictSame(plan(before(), decision.desired).flushed, []);
});

t.test(
  "being stopped for long, with a visitor that sees the page: the page stays, its flows stay",
  async (t) => {
    const page = 40_080;
    const own = new Set([id("web")]);
    const gates = { ...READ, shut: own, page, paged: new Set([ip("192.168.122.11")]) };
    const decision = decided({ containers: [running()], gates });
    t.match(web(decision), { state: "running", forward: { waits: true, page } });
    t.strictSame(plan(before(), decision.desired).flushed, []);
    const refused = decided({
      containers: [running()],
      gates: { ...gates, failed: new Map([[id("web"), "late"]]) },
    });
    t.match(web(refused), { state: "failed", failure: "late", forward: { waits: true, page } });
  },
);

t.test("paused: asleep", async (t) => {
  const decision = decided({ containers: [running({ state: "paused" })], gates: READ });
  t.match(web(decision), { state: "asleep", forward: { waits: true } });
});

t.test("Docker takes its address away a moment before its end: it keeps its alias", async (t) => {
  const containers = [running({ attachments: [attachment("bridge", undefined)] })];
  const decision = decided({ containers, gates: READ });
  t.match(web(decision), { address: "192.168.122.11", forward: { waits: true, target: null } });
});

t.test("a failed start: its state, and the reason on the page", async (t) => {
  const failed = new Map([[id("web"), "no such file"]]);
  const decision = decided({ stopped: [stopped()], gates: { ...READ, failed } });
  t.match(web(decision), { state: "failed", failure: "no such file" });
  t.match(decision.desired.page.html, "no such file");
});

t.test("its ports are remembered, Docker lists none of a stopped container", async (t) => {
  const ports = [{ protocol: "tcp" as const, port: 8080 }];
  const first = decide(CONFIG, observation({ containers: [running({ ports })] }), NOW).desired;
  const decision = decided({ stopped: [stopped()], gates: READ }, first);
  t.strictSame(web(decision)?.ports, ports);
  t.match(decision.desired.page.html, "http://web.toolbox.example.com:8080/");
});

t.test("a container that runs has the place of a stopped one of the same name", async (t) => {
  const labels = new Map([
    ...LABELS,
    ["com.docker.compose.project", "shop"],
    ["com.docker.compose.service", "web"],
    ["com.docker.compose.container-number", "1"],
  ]);
  const old = stopped({ id: id("old"), name: "shop-web-1", labels, created: NOW - 5_000 });
  const now = running({ name: "shop_web_1", id: id("now"), labels });
  const decision = decided({ containers: [now], stopped: [old], gates: READ });
  t.strictSame(
    decision.services.map(({ instances }) => instances[0]?.id),
    [id("now")],
  );
});

t.test("a network of its own on the LAN, or the host's: not served while it is stopped", async (t) => {
  const lan = network({ name: "lan", driver: "macvlan", cidr: "192.168.122.0/24" });
  for (const over of [
    { networkMode: "host", attachments: [] },
    { attachments: [attachment("lan", undefined)] },
  ]) {
    const decision = decided({ stopped: [stopped(over)], networks: [lan], gates: READ });
    t.equal(decision.services.length, 0);
  }
});

t.test("nftables alone: served only while it runs", async (t) => {
  const firewall = { backend: "nft", unguarded: null, obstacles: [], iptables: false } as const;
  t.equal(decided({ stopped: [stopped()], gates: READ, firewall }).services.length, 0);
});

t.test("lost leases: a service that sleeps is found again by the name in its rule", async (t) => {
  const asleep = decided({ stopped: [stopped()], gates: READ }).desired;
  const lost = { ...asleep, table: { leases: [], conflicts: [], hairpins: [], nameHolds: [], holders: [] } };
  const decision = decided({ stopped: [stopped()], gates: READ, leasesIntact: false }, lost);
  t.equal(web(decision)?.address, "192.168.122.11");
});

t.test("a second run changes nothing, in any of these states", async (t) => {
  const shut = { ...READ, shut: new Set([id("web")]) };
  for (const over of [
    { stopped: [stopped()], gates: READ },
    { containers: [running()], gates: READ },
    { containers: [running()], gates: shut },
    { containers: [running({ state: "paused" })], gates: READ },
  ]) {
    const first = decided(over);
    const second = decided(over, first.desired);
    t.strictSame(plan(first.desired, second.desired).steps, []);
  }
});

t.test("while its packets wait, a mapped port waits as itself", async (t) => {
  const open = canonical({
    ...(before().dataPath.forwards[0] as typeof waiting extends (f: infer F) => unknown ? F : never),
    map: [{ protocol: "tcp", port: 80, to: 8080 }],
    ports: [{ protocol: "tcp", port: 80 }],
  });
  t.match(waiting(open), { map: [], ports: [{ port: 80 }], waits: true, alias: ip("192.168.122.11") });
});

t.test("opened, by a list from before its start: leads on, and none of its connections is cut", async (t) => {
  const open = { ...READ, open: new Set([id("web")]) };
  const decision = decided({ stopped: [stopped()], gates: open });
  t.match(web(decision), { state: "running", forward: { target: "172.17.0.2" } });
  t.equal(web(decision)?.forward?.waits, undefined);
  t.strictSame(plan(before(), decision.desired).flushed, []);
  const asleep = decided({ stopped: [stopped()], gates: READ }).desired;
  const notLed = decided({ stopped: [stopped()], gates: open }, asleep);
  t.match(web(notLed), { state: "asleep", forward: { waits: true, target: null } });
});
