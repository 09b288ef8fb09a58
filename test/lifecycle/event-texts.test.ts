/** What the lifecycle has done, as lines of the event log and of the log of `watch`. */
import t from "tap";
import type { Service } from "../../src/core/model.ts";
import type { DockerActions } from "../../src/host/docker/actions.ts";
import type { ContainerDetails } from "../../src/host/docker/details.ts";
import { actsOn } from "../../src/lifecycle/acts.ts";
import { commandEvent, eventLine, loggedEvent, neededEvent } from "../../src/lifecycle/event-texts.ts";
import type { WakerEvent } from "../../src/lifecycle/waker-types.ts";
import { config, container, id, ip, name } from "../core/make.ts";

const AT = Date.UTC(2026, 10, 29, 2, 0, 0, 5);
const INSTANCE = { id: id("web"), name: "shop-web-1", image: "web", address: null, network: "bridge" };
const SERVICE = { name: name("web"), instances: [INSTANCE] } as unknown as Service;
const FLOW = {
  protocol: "tcp",
  source: ip("192.168.122.99"),
  sourcePort: 4001,
  destination: ip("192.168.122.11"),
  port: 80,
} as const;

t.test("each event: a start or stop has its reason, in the file and in the log", (t) => {
  const head = { time: "2026-11-29T02:00:00.005Z", service: "web", container: "shop-web-1" };
  const cases: [WakerEvent, object, string][] = [
    [
      { kind: "visit", flow: FLOW },
      { event: "start", reason: "visited by 192.168.122.99, tcp port 80" },
      "web is started: visited by 192.168.122.99, tcp port 80",
    ],
    [
      { kind: "asked", by: "shop" },
      { event: "start", reason: "asked for by shop" },
      "web is started: asked for by shop",
    ],
    [
      { kind: "ready", ms: 812.4, held: 2, woken: true, waited: 900 },
      { event: "ready", reason: null, ms: 812, visitors: 2 },
      "web is ready after 812 ms, 2 visitors waited",
    ],
    [
      { kind: "failed", ms: 40, reason: "no such image", retryMs: 5_000, woken: true },
      { event: "failed", reason: "no such image", ms: 40, retry: 5 },
      "web could not be started: no such image; the next visit after 5 s tries again",
    ],
    [
      { kind: "stopped", reason: "not used for 600 s", note: null },
      { event: "stop", reason: "not used for 600 s" },
      "web is stopped: not used for 600 s",
    ],
    [
      { kind: "kept", reason: "it is used again" },
      { event: "kept", reason: "it is used again" },
      "web is not stopped: it is used again",
    ],
  ];
  for (const [event, logged, line] of cases) {
    t.same(loggedEvent(SERVICE, event, AT), { ...head, ...logged }, event.kind);
    t.equal(eventLine(SERVICE, event), line);
  }
  t.same(neededEvent({ name: "shop-db-1" }, "web", AT), {
    ...head,
    service: null,
    container: "shop-db-1",
    event: "start",
    reason: "needed by web",
  });
  t.match(commandEvent({ name: "shop-db-1" }, "stop", "ocdd stop", AT), {
    event: "stop",
    reason: "ocdd stop",
  });
  t.end();
});

t.test("a hostile reason and name: one bounded line", (t) => {
  const evil = `no\n\u001b[31m${"x".repeat(10_000)}`;
  const failed: WakerEvent = { kind: "failed", ms: 1, reason: evil, retryMs: 5_000, woken: true };
  const service = { ...SERVICE, instances: [{ ...INSTANCE, name: evil }] };
  const text = JSON.stringify(loggedEvent(service, failed, AT));
  t.ok(text.length < 1_000, `${text.length} characters`);
  t.notMatch(`${text}${eventLine(service, failed)}`, /\p{C}|\\u001b|\\n/u);
  t.end();
});

t.test("what a service needs and is started with it: named with the service", async (t) => {
  const started: string[] = [];
  const stopped: ContainerDetails = {
    name: "",
    running: false,
    paused: false,
    dependsOn: [],
    addresses: new Map(),
  } as unknown as ContainerDetails;
  const docker = {
    inspect: async (of: string) => ({
      ...stopped,
      running: started.includes(of),
      addresses: new Map([["", ip("172.17.0.2")]]),
      ports: [],
    }),
    start: async (of: string) => void started.push(of),
    exec: async () => 0,
  } as unknown as DockerActions;
  const web = container({ name: "web", state: "exited", labels: new Map([["ocdd.wake.with", "db"]]) });
  const db = container({ name: "db", state: "exited" });
  const needed: string[] = [];
  const { start } = actsOn({
    config: { ...config(), wakeGrace: 0 },
    methods: {} as never,
    docker,
    gate: async () => undefined,
    conntrack: { flush: async () => undefined },
    pagePort: async () => undefined,
    startedFor: (one, by) => void needed.push(`${one.name} for ${by}`),
    needed: () => false,
    list: async () => ({ containers: [], stopped: [web, db] }),
    useOf: async () => undefined,
    seen: () => ({ containers: [], stopped: [web, db] }),
  });
  const service = { ...SERVICE, instances: [{ ...INSTANCE, id: web.id }] };
  await start(service, new AbortController().signal);
  t.same(started, [db.id, web.id]);
  t.same(needed, ["db for web"]);
});
