/** What an observation shows of Docker, and that a view updated by events equals a whole observation. */
import fc from "fast-check";
import t from "tap";
import type { Docker } from "../../../src/host/docker/client.ts";
import { makeExits } from "../../../src/host/docker/exits.ts";
import type { DockerEvent } from "../../../src/host/docker/json.ts";
import { type DockerView, followedView, lookOnce } from "../../../src/host/docker/view.ts";
import { id } from "../../core/make.ts";
import { OPS, World } from "./world.ts";

const NONE = (): ReadonlySet<string> => new Set();
/** `name state address...` of each container. */
const shown = ({ containers }: DockerView): string[] =>
  containers.map((one) =>
    [one.name, one.state, ...one.attachments.map(({ address }) => address ?? "-")].join(" "),
  );

t.test(
  "a single observation: running containers; a followed view: also starting ones, with their address",
  async (t) => {
    const world = new World();
    world.act("create", "web", "bridge");
    const view = followedView(world.docker(), NONE);
    t.strictSame(shown(await view.whole()), [], "created");
    const events = world.act("endpoint", "web", "bridge");
    t.strictSame(shown(await lookOnce(world.docker())), []);
    t.strictSame(shown(await view.refresh(events)), ["web starting 172.17.0.3"]);
    t.strictSame(shown(await followedView(world.docker(), NONE).whole()), ["web starting 172.17.0.3"]);
    t.strictSame(shown(await view.refresh(world.act("start", "web", "bridge"))), ["web running 172.17.0.3"]);
    t.strictSame(shown(await lookOnce(world.docker())), ["web running 172.17.0.3"]);
  },
);

t.test("containers that exist and do not run: listed apart, by either view", async (t) => {
  const world = new World();
  const existing = ({ containers, stopped }: DockerView): string[][] =>
    [containers, stopped ?? []].map((list) => list.map(({ name }) => name));
  for (const op of ["create", "endpoint", "start"] as const) world.act(op, "web", "bridge");
  world.act("create", "job", "bridge");
  const view = followedView(world.docker(), () => new Set([id("web")]));
  t.strictSame(existing(await lookOnce(world.docker())), [["web"], ["job"]]);
  t.strictSame(existing(await followedView(world.docker(), NONE).whole()), [["web"], ["job"]]);
  t.strictSame(existing(await view.whole()), [[], ["job", "web"]], "its end was announced");
});

t.test("a container whose end was announced: left out while the list still shows it", async (t) => {
  const world = new World();
  for (const op of ["create", "endpoint", "start"] as const) world.act(op, "web", "bridge");
  const ended = new Set<string>();
  const view = followedView(world.docker(), () => ended);
  t.equal((await view.whole()).containers.length, 1);
  ended.add(id("web"));
  t.strictSame((await view.refresh([])).containers, []);
  t.strictSame((await view.whole()).containers, []);
});

t.test(
  "a container in which nothing changes: the same value in each view, whatever its uptime is called",
  async (t) => {
    const world = new World();
    for (const name of ["web", "db"])
      for (const op of ["create", "endpoint", "start"] as const) world.act(op, name, "bridge");
    let status = "Up 2 minutes";
    const real = world.docker();
    const docker: Docker = {
      ...real,
      containers: async (query) => {
        const list = await real.containers(query);
        return { ...list, items: list.items.map((item) => ({ ...item, Status: status })) };
      },
    };
    const view = followedView(docker, NONE);
    const first = (await view.whole()).containers;
    t.equal(first.length, 2);
    for (status of ["Up 2 minutes (Paused)", "Up 3 minutes"]) {
      const again = (await view.whole()).containers;
      t.ok(
        again.every((one, i) => one === first[i]),
        status,
      );
    }
    status = "Up 1 second";
    t.equal((await view.whole()).containers[0] === first[0], false, "started again");
  },
);

t.test("a list that lags behind its events and networks is asked again until it agrees", async (t) => {
  const world = new World();
  const gone = new Set<string>();
  const view = followedView(world.docker(), () => gone);
  await view.whole();
  world.act("create", "web", "bridge");
  const unsettled = async (events: readonly DockerEvent[]): Promise<readonly string[] | undefined> =>
    (await view.refresh(events)).unsettled;
  t.strictSame(await unsettled(world.act("endpoint", "web", "bridge")), [id("web")], "it is being started");
  t.strictSame(await unsettled(world.act("start", "web", "bridge")), []);
  gone.add(id("web"));
  const die = { action: "die", container: id("web"), network: "" };
  t.strictSame(await unsettled([die]), [], "its end needs no question");
  t.strictSame(await unsettled([{ ...die, action: "stop" }]), [id("web")], "the list shows it running still");
  world.act("die", "web", "bridge");
  t.strictSame(await unsettled([{ ...die, action: "" }]), []);
});

t.test("connected to a network that its list entry does not have yet: shown, and asked again", async (t) => {
  const world = new World();
  for (const op of ["create", "endpoint", "start"] as const) world.act(op, "web", "bridge");
  const real = world.docker();
  let stored = true;
  const before = await real.containers({ all: true });
  const docker = { ...real, containers: async (what = {}) => (stored ? real.containers(what) : before) };
  const view = followedView(docker, NONE);
  await view.whole();
  stored = false;
  const events = world.act("connect", "web", "back");
  const first = await view.refresh(events);
  t.strictSame(shown(first), ["web running 172.17.0.4 172.17.0.3"]);
  t.strictSame(first.unsettled, [id("web")]);
  stored = true;
  const later = await view.refresh([{ action: "", container: id("web"), network: "" }]);
  t.strictSame(shown(later), shown(first));
  t.strictSame(later.unsettled, []);
  const lost = await view.refresh(world.act("disconnect", "web", "back"));
  t.strictSame(shown(lost), ["web running - 172.17.0.3"], "the list entry follows");
});

t.test("an endpoint that its network no longer shows: left out while the list still shows it", async (t) => {
  const world = new World();
  for (const op of ["create", "endpoint", "start"] as const) world.act(op, "web", "bridge");
  const real = world.docker();
  const view = followedView({ ...real, network: async () => ({ Containers: {} }) }, NONE);
  t.strictSame(shown(await view.whole()), ["web running -"]);
});

t.test("requests to Docker: only for the containers of the events", async (t) => {
  const world = new World();
  for (const name of ["a", "b"])
    for (const op of ["create", "endpoint", "start"] as const) world.act(op, name, "bridge");
  const real = world.docker();
  const asked: string[] = [];
  const docker: Docker = {
    ...real,
    containers: (query) => {
      asked.push(`containers ${query?.id ?? "all"}`);
      return real.containers(query);
    },
    networks: () => {
      asked.push("networks");
      return real.networks();
    },
    network: (one) => {
      asked.push(`network ${one}`);
      return real.network(one);
    },
  };
  const view = followedView(docker, NONE);
  const all = ["containers all", `network ${id("bridge")}`, "networks"];
  const event = (over: Partial<DockerEvent>): DockerEvent => ({
    action: "x",
    container: "",
    network: "",
    ...over,
  });
  const rows: [string, DockerEvent[] | null, string[]][] = [
    ["a whole observation", null, all],
    ["no event", [], []],
    [
      "events of one container",
      [event({ container: id("a") }), event({ container: id("a") })],
      [`containers ${id("a")}`],
    ],
    [
      "of a container on a network",
      [event({ container: id("b"), network: id("bridge") })],
      [`containers ${id("b")}`, `network ${id("bridge")}`],
    ],
    ["an event without content", [event({ container: id("a") }), event({})], all],
    ["of a network that is not known", [event({ container: id("a"), network: id("new") })], all],
  ];
  for (const [what, events, want] of rows) {
    asked.length = 0;
    await (events === null ? view.whole() : view.refresh(events));
    t.strictSame(asked.sort(), want, what);
  }
});

t.test("a container whose description is too large: a notice from its first event to its end", async (t) => {
  const world = new World();
  const real = world.docker();
  const line = `container ${id("big").slice(0, 12)} is not served`;
  let there = false;
  const docker: Docker = {
    ...real,
    containers: async ({ id: one } = {}) => ({
      items: [],
      notices: there && (one === undefined || one === id("big")) ? [line] : [],
    }),
  };
  const view = followedView(docker, NONE);
  await view.whole();
  there = true;
  const event = (name: string): DockerEvent => ({ action: "start", container: id(name), network: "" });
  t.strictSame((await view.refresh([event("big")])).notices, [line]);
  t.strictSame((await view.refresh([event("other")])).notices, [line]);
  t.strictSame((await view.refresh([event("big")])).notices, [line], "once");
  t.strictSame((await view.whole()).notices, [line]);
  there = false;
  t.strictSame((await view.refresh([event("big")])).notices, []);
});

/** In one order; a network without containers is found by the next whole observation, since its creation sends no event. */
const byId = ({ containers, networks, notices }: DockerView): object => ({
  notices,
  networks: networks.filter(({ id: network }) =>
    containers.some(({ attachments }) => attachments.some(({ networkId }) => networkId === network)),
  ),
  // the same words for an uptime, read a second later, are other moments
  containers: [...containers]
    .sort((a, b) => (a.id < b.id ? -1 : 1))
    .map(({ started, ...one }) => ({ ...one, started: started !== undefined })),
});

t.test("a view after any changes and their events, in batches: equals a whole observation", async (t) => {
  const step = fc.record({
    op: fc.constantFrom(...OPS),
    name: fc.constantFrom("a", "b", "c"),
    net: fc.constantFrom("bridge", "back", "lan"),
    delivered: fc.boolean(),
  });
  const seen = new Set<string>();
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 60, size: "max" }), async (steps) => {
      const world = new World();
      const exits = makeExits(() => 0);
      const view = followedView(world.docker(), exits.ended);
      await view.whole();
      let waiting: DockerEvent[] = [];
      for (const { op, name, net, delivered } of [
        ...steps,
        { ...steps[0], op: "start", delivered: true } as const,
      ]) {
        const events = world.act(op, name ?? "a", net ?? "bridge");
        if (events.length > 0) seen.add(op);
        for (const { action, container } of events) exits.note(action, container);
        waiting.push(...events);
        if (!delivered) continue;
        const { unsettled = [] } = await view.refresh(waiting);
        waiting = [];
        // what an end or a lost endpoint says by itself is asked for afterwards
        const later = unsettled.map((container) => ({ action: "", container, network: "" }));
        const now = JSON.stringify(byId(await view.refresh(later)));
        if (now !== JSON.stringify(byId(await followedView(world.docker(), exits.ended).whole())))
          return false;
      }
      return true;
    }),
    { numRuns: 400 },
  );
  t.strictSame(
    [...seen].sort(),
    OPS.filter((op) => op !== "create").sort(),
    "each kind of change took place",
  );
});
