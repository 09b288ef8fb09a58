import t from "tap";
import { decide, labelOf } from "../../src/core/decide.ts";
import { NO_DATA_PATH } from "../../src/core/forwards/forward.ts";
import type { Container, Decision, Observation } from "../../src/core/model.ts";
import {
  attachment,
  BARE,
  BRIDGE,
  CONTRACT,
  composeLabels,
  config,
  container,
  forward,
  HOST,
  id,
  ip,
  lease,
  NOW,
  name,
  network,
  observation,
  ZONE,
  zoneFile,
  zoneOnDisk,
} from "./make.ts";

const decided = (
  containers: readonly Container[],
  over: Partial<Observation> = {},
  keys: Record<string, string | null> = {},
): Decision => decide(config(keys), observation({ containers, ...over }), NOW);

/** `name address` of every service. */
const served = (d: Decision): string[] => d.services.map((s) => `${s.name} ${s.address}`).sort();

t.test("the contract's table from a fresh host: newest first, lowest address first", async (t) => {
  const d = decided(CONTRACT);
  t.strictSame(served(d), ["dns 192.168.122.11", "jenkins 192.168.122.12"]);
  t.equal(d.hostIp, HOST);
  t.strictSame(d.desired.aliases, [
    { device: "ens3", address: "192.168.122.11", prefix: 32, label: "ens3:ocdd" },
    { device: "ens3", address: "192.168.122.12", prefix: 32, label: "ens3:ocdd" },
  ]);
  t.strictSame(d.warnings, []);
});

t.test(
  "each network mode: served by alias, by its own address, or skipped with the reason (N-3)",
  async (t) => {
    const networks = [
      BRIDGE,
      network({ name: "lan", cidr: "192.168.122.0/24", driver: "macvlan", bridge: "" }),
      network({ name: "closed", cidr: "172.30.0.0/16", internal: true }),
      network({ name: "a_net", cidr: "172.21.0.0/16" }),
      network({ name: "b_net", cidr: "172.22.0.0/16" }),
      network({ name: "swarm", cidr: "10.0.1.0/24", driver: "overlay" }),
    ];
    const at = attachment;
    const list = [
      container({ name: "web" }),
      container({
        name: "boss",
        networkMode: "host",
        attachments: [attachment("host", undefined)],
      }),
      container({
        name: "none",
        networkMode: "none",
        attachments: [attachment("none", undefined)],
      }),
      container({ name: "inner", networkMode: "closed", attachments: [at("closed", "172.30.0.2")] }),
      container({ name: "side", networkMode: `container:${container({ name: "web" }).id}`, attachments: [] }),
      container({
        name: "side2",
        networkMode: `container:${container({ name: "side" }).id}`,
        attachments: [],
      }),
      container({ name: "orphan", networkMode: `container:${"f".repeat(64)}`, attachments: [] }),
      container({ name: "card", networkMode: "lan", attachments: [at("lan", "192.168.122.77")] }),
      container({
        name: "two",
        networkMode: "b_net",
        attachments: [at("b_net", "172.22.0.9"), at("a_net", "172.21.0.9")],
      }),
      container({
        name: "two-prio",
        networkMode: "b_net",
        attachments: [at("b_net", "172.22.0.8", 9), at("a_net", "172.21.0.8")],
      }),
      container({
        name: "two-wish",
        networkMode: "a_net",
        labels: new Map([["ocdd.network", "b_net"]]),
        attachments: [at("a_net", "172.21.0.7"), at("b_net", "172.22.0.7")],
      }),
      container({ name: "bad-wish", labels: new Map([["ocdd.network", "closed"]]), at: "172.17.0.6" }),
      container({ name: "task", networkMode: "swarm", attachments: [at("swarm", "10.0.1.5")] }),
      container({
        name: "starting",
        networkMode: "bridge",
        attachments: [attachment("bridge", undefined)],
        state: "restarting",
      }),
    ].map((c, i) => ({ ...c, created: NOW - i }));
    const d = decided(list, { networks });
    const of = (name: string) => d.services.find((s) => s.name === name);
    t.match(of("boss"), { kind: "host", address: HOST, forward: null });
    t.match(of("side"), { kind: "shared", address: of("web")?.address ?? "?" });
    t.match(of("side2"), { kind: "shared", address: of("web")?.address ?? "?" }, "sharing on");
    t.match(of("card"), { kind: "direct", address: "192.168.122.77", forward: null });
    t.equal(of("two")?.forward?.target, "172.21.0.9", "the lowest name carries the default route");
    t.equal(of("two-prio")?.forward?.target, "172.22.0.8");
    t.equal(of("two-wish")?.forward?.target, "172.22.0.7");
    t.equal(of("bad-wish")?.forward?.target, "172.17.0.6");
    t.match(
      d.warnings.join("\n"),
      /"bad-wish": label ocdd.network names "closed", which it cannot be reached on; "bridge" is used/,
    );
    t.strictSame(
      d.skipped.map((s) => `${s.container}: ${s.reason}`),
      [
        "none: the container has no network: if that is meant, label it ocdd.enable=false",
        'inner: its network "closed" is internal, and cannot be reached from outside: connect it to another one as well, or label it ocdd.enable=false',
        "orphan: it shares the network of a container that is not served",
        'task: the network driver "overlay" of its network "swarm" is not supported',
        "starting: it has no IPv4 address yet (restarting)",
      ],
    );
  },
);

t.test("containers that share each other's network in a circle: skipped", async (t) => {
  const a = container({
    name: "a",
    networkMode: `container:${container({ name: "b" }).id}`,
    attachments: [],
  });
  const b = container({ name: "b", networkMode: `container:${a.id}`, attachments: [] });
  t.equal(decided([a, b, container({ name: "web" })]).services.length, 1);
});

t.test("a container that gives itself a leased address: the lease stays with its service", async (t) => {
  const networks = [
    BRIDGE,
    network({ name: "lan", cidr: "192.168.122.0/24", driver: "macvlan", bridge: "" }),
  ];
  const web = container({ name: "web" });
  const thief = container({
    name: "thief",
    networkMode: "lan",
    created: NOW,
    attachments: [attachment("lan", "192.168.122.11")],
  });
  const actual = {
    ...BARE,
    table: { ...BARE.table, leases: [lease("192.168.122.11", "container:web", { container: web.id })] },
  };
  const d = decided([web, thief], { networks, actual });
  t.strictSame(d.evicted, []);
  t.equal(d.services.find((s) => s.name === "web")?.address, "192.168.122.11");
  t.strictSame(served(decided([thief, container({ name: "new" })], { networks })), [
    "new 192.168.122.12",
    "thief 192.168.122.11",
  ]);
});

t.test("a full range: the other containers are served, the reason is reported", async (t) => {
  const many = Array.from({ length: 5 }, (_, i) =>
    container({ name: `c${i}`, at: `172.17.0.${i + 2}`, created: NOW - i }),
  );
  const d = decided(many, {}, { IP_RANGE_END: "13" });
  t.equal(d.services.length, 3);
  t.equal(d.unserved, 2);
  t.match(d.skipped, [
    {
      container: "c3",
      reason: "the address range is full: 3 addresses, 3 in use, 0 on hold, 0 conflicts",
    },
    { container: "c4", reason: /full/ },
  ]);
});

t.test(
  "a full range: an address on hold for a container that exists, under its id or its key, is not given to another",
  async (t) => {
    const hold = config().addressHold;
    const leases = [
      lease("192.168.122.11", "container:web", { container: id("web"), releasedAt: NOW - hold + 1 }),
      lease("192.168.122.12", "compose:shop/db/1", { container: "gone", releasedAt: NOW - hold + 1 }),
      lease("192.168.122.13", "container:job", { container: "gone", releasedAt: NOW - hold + 1 }),
    ];
    const stopped = [
      container({ name: "renamed", id: id("web"), state: "exited" }),
      container({ name: "shop-db-1", state: "created", labels: composeLabels("shop", "db") }),
    ];
    const fresh = [container({ name: "a" }), container({ name: "b" })];
    const actual = { ...BARE, table: { ...BARE.table, leases } };
    const given = (over: Partial<Observation>, keys: Record<string, string> = {}): string[] =>
      served(decided(fresh, { actual, ...over }, { IP_RANGE_END: "13", ...keys }));
    t.strictSame(given({ stopped }), ["a 192.168.122.13"]);
    t.strictSame(given({ stopped: [] }), ["a 192.168.122.11", "b 192.168.122.12"]);
    t.strictSame(given({}), [], "not asked which exist");
    const filters = { DOCKER_API_URL: 'http://localhost/containers/json?filters={"label":["x"]}' };
    t.strictSame(given({ stopped: [] }, filters), [], "filters leave out containers that exist");
  },
);

t.test("the host's own, network, broadcast and foreign addresses are never handed out", async (t) => {
  const addresses = [
    ...observation().addresses,
    { device: "ens4", address: ip("192.168.122.12"), prefix: 32, label: "ens4" },
    { device: "ens5", address: ip("192.168.122.17"), prefix: 30, label: "ens5" },
  ];
  const many = Array.from({ length: 20 }, (_, i) =>
    container({ name: `c${i}`, at: `172.17.0.${i + 2}`, created: NOW - i }),
  );
  const got = new Set(decided(many, { addresses }).services.map((s) => s.address as string));
  for (const never of [12, 16, 17, 19]) t.notOk(got.has(`192.168.122.${never}`), `.${never}`);
  t.equal(got.size, 16);
});

t.test(
  "two containers that claim one key: the one last seen with it keeps it, else the oldest",
  async (t) => {
    const real = container({ name: "shop_web_1", labels: composeLabels("shop", "web"), created: NOW - 50 });
    const fake = container({
      name: "shop-web-1",
      at: "172.17.0.9",
      labels: composeLabels("shop", "web"),
      created: NOW - 10,
    });
    const d = decided([fake, real]);
    t.equal(d.services.find((s) => s.instances[0]?.name === "shop_web_1")?.key, "compose:shop/web/1");
    t.match(d.services.find((s) => s.instances[0]?.name === "shop-web-1")?.key, /^container:#[0-9a-f]{12}$/);
    t.match(d.warnings, [/^container "shop-web-1": "shop_web_1" has the place that it claims$/]);
    const older = { ...fake, created: NOW - 90 };
    const actual = {
      ...BARE,
      table: {
        ...BARE.table,
        leases: [lease("192.168.122.20", "compose:shop/web/1", { container: real.id })],
      },
    };
    const next = decided([real, older], { actual });
    t.equal(next.services.find((s) => s.instances[0]?.name === "shop_web_1")?.address, "192.168.122.20");
  },
);

t.test(
  "forged compose labels, in any state of the real service: they take neither its name nor its address",
  async (t) => {
    const real = container({
      name: "example_jenkins_1",
      labels: composeLabels("example", "jenkins"),
      created: NOW - 99,
    });
    const first = decided([real]);
    const after = (containers: readonly Container[], before: Decision, now: number) =>
      decide(config(), observation({ containers, actual: before.desired }), now);
    for (const number of [1, 7]) {
      const thief = container({
        name: "evil",
        at: "172.17.0.9",
        created: NOW - 999,
        labels: composeLabels("example", "jenkins", number),
      });
      const name = (d: Decision, who: string) => d.services.find((s) => s.instances[0]?.name === who)?.names;
      const joined = after([real, thief], first, NOW + 1);
      const stopped = after([thief], joined, NOW + 2);
      const recreated = after([{ ...real, id: id("again"), created: NOW + 3 }, thief], stopped, NOW + 3);
      for (const d of [joined, recreated]) {
        t.strictSame(name(d, "example_jenkins_1"), ["jenkins", "jenkins.example"]);
        t.equal(d.services.find((s) => s.name === "jenkins")?.address, "192.168.122.11");
      }
      for (const d of [joined, stopped, recreated]) {
        t.strictSame(name(d, "evil"), ["jenkins-example"], "not even the dotted name");
        t.ok(d.warnings.some((w) => /"evil": its labels say "jenkins" of "example", but its name/.test(w)));
      }
    }
    const replica = container({
      name: "example_jenkins_2",
      at: "172.17.0.8",
      labels: composeLabels("example", "jenkins", 2),
    });
    const joined = after([real, replica], first, NOW + 1);
    t.match(joined.warnings, [
      /"example_jenkins_2": it is a new container of "jenkins" of "example" and answers to that name/,
    ]);
    t.strictSame(after([real, replica], joined, NOW + 2).warnings, [], "reported once");
  },
);

t.test(
  "a one-off and its service, started and ended in any order, never exchange the service's name",
  async (t) => {
    const service = container({ name: "shop_web_1", labels: composeLabels("shop", "web"), created: NOW - 5 });
    const steps = [["off"], ["off", "web"], ["web"], ["web", "off"], ["off"], ["web"]];
    for (const numbered of [true, false]) {
      const labels = new Map([
        ...composeLabels("shop", "web"),
        ["com.docker.compose.oneoff", "True"],
        ["ocdd.aliases", "www"],
      ]);
      if (!numbered) labels.delete("com.docker.compose.container-number");
      const oneOff = container({ name: "shop_web_run_1", at: "172.17.0.9", created: NOW - 9, labels });
      const there = {
        off: oneOff,
        web: { ...service, labels: new Map([...service.labels, ["ocdd.aliases", "www"]]) },
      };
      for (let start = 0; start < steps.length; start++) {
        let state = BARE;
        for (const step of [...steps.slice(start), ...steps.slice(0, start)]) {
          const containers = step.map((which) => there[which as keyof typeof there]);
          const d = decide(config(), observation({ containers, actual: state }), NOW);
          state = d.desired;
          const names = (who: string) => d.services.find((s) => s.instances[0]?.name === who)?.names;
          if (step.includes("web"))
            t.strictSame(names("shop_web_1"), ["web", "www", "web.shop"], step.join());
          if (step.includes("off")) t.strictSame(names("shop_web_run_1"), ["shop-web-run-1"], step.join());
        }
      }
    }
  },
);

t.test("a name that would be too long for the zone is left out, not the zone", async (t) => {
  const zone = `${"z".repeat(60)}.${"y".repeat(60)}.${"x".repeat(60)}`;
  const d = decided(
    [container({ name: "c", labels: composeLabels("p".repeat(60), "s".repeat(60)) })],
    {},
    { TOOLBOX_SUBDOMAIN_NAME: zone },
  );
  t.strictSame(
    d.services.map((s) => s.names),
    [["s".repeat(60)]],
  );
  t.match(d.warnings, [/does not get a further name: .* is too long for the zone/]);
});

t.test("EXPOSE, ocdd.enable and unreadable labels: hidden, shown or skipped", async (t) => {
  const list = [
    container({ name: "open" }),
    container({ name: "hidden", labels: new Map([["ocdd.enable", "false"]]) }),
    container({ name: "asked", labels: new Map([["ocdd.enable", "true"]]) }),
    container({
      name: "broken",
      labels: new Map([
        ["ocdd.enable", "true"],
        ["ocdd.allow", "everyone"],
      ]),
    }),
  ];
  t.strictSame(
    decided(list)
      .services.map((s) => s.name)
      .sort(),
    ["asked", "open"],
  );
  t.strictSame(
    decided(list, {}, { EXPOSE: "labelled" }).services.map((s) => s.name),
    ["asked"],
  );
  t.match(decided(list).skipped, [
    { container: "broken", reason: 'label ocdd.allow cannot be read: "everyone"' },
  ]);
});

t.test("a label that can no longer be read: the lease is kept, the container is not served", async (t) => {
  const bad = container({ name: "web", labels: new Map([["ocdd.ports", "x"]]) });
  const actual = { ...BARE, table: { ...BARE.table, leases: [lease("192.168.122.15", "container:web")] } };
  const d = decided([bad], { actual });
  t.match(d.desired.table.leases, [{ key: "container:web", address: "192.168.122.15", releasedAt: null }]);
  t.strictSame(d.desired.aliases, []);
});

t.test("a reserved or hand-written name is not the container's", async (t) => {
  const zone = zoneFile("db\t60\tIN\tCNAME\telsewhere.example.org.\nsub IN NS ns.example.org.\n");
  const list = ["ns1", "dockerhost", "db", "localhost"].map((name, i) =>
    container({ name, created: NOW - i, at: `172.17.0.${i + 2}` }),
  );
  const d = decided(list, { actual: { ...BARE, zone } });
  for (const s of d.services) t.match(s.name, /-[0-9a-f]{4}$/);
  t.match(d.warnings.join("\n"), /"db" has a hand-written CNAME record in the zone file/);
  t.match(d.warnings.join("\n"), /"ns1" is reserved/);
  const below = decided([container({ name: "c", labels: composeLabels("sub", "web") })], {
    actual: { ...BARE, zone },
  });
  t.strictSame(below.services[0]?.names, ["web"], "web.sub lies below a delegation");
});

t.test(
  "a running container whose bridge port is not found gets no packets, and the run says so",
  async (t) => {
    const firewall = { backend: "iptables", unguarded: null, obstacles: [], iptables: true } as const;
    const ago = (least: number, most: number) => ({ earliest: NOW - most, latest: NOW - least });
    const one = { ...container({ name: "web", at: "172.17.0.2" }), started: ago(60, 120) };
    const port = { name: "veth1", bridge: "docker0", hairpin: true, container: one.id };
    t.match(decided([one], { firewall }).warnings, [/"web" gets no packets.*--pid host/]);
    t.strictSame(decided([one], { firewall, bridgePorts: [port] }).warnings, []);
    t.strictSame(decided([{ ...one, state: "starting" }], { firewall }).warnings, [], "while it starts");
    t.strictSame(decided([{ ...one, started: ago(2, 3) }], { firewall }).warnings, [], "at first");
    t.strictSame(decided([one]).warnings, [], "without a guard");
    t.match(decided([one], { firewall }).services, [{ portless: true }]);
    const told = decided([one], { portless: new Set([one.id]) });
    t.match(told.warnings, [/"web" gets no packets/], "the firewall is not seen, and watch has found it");
    t.strictSame(
      decided([one], { firewall, bridgePorts: [port], portless: new Set([one.id]) }).warnings,
      [],
      "seen at first hand",
    );
  },
);

t.test("no containers: nothing of OCDD's is desired", async (t) => {
  const d = decided([]);
  t.strictSame(d.desired.dataPath, NO_DATA_PATH);
  t.strictSame([d.desired.aliases, d.services, d.fresh], [[], [], []]);
  t.match(d.desired.zone.text, `dockerhost.${ZONE}.\t60\tIN\tA\t192.168.122.200`);
});

t.test("hairpin mode: on the ports of containers, not on a network card of the same bridge", async (t) => {
  const port = { bridge: "docker0", hairpin: false, container: null };
  const bridgePorts = [
    { ...port, name: "veth1" },
    { ...port, name: "eth1", foreign: true },
    { ...port, name: "veth2", bridge: "virbr0" },
  ];
  const { desired } = decided([container({ name: "web" })], { bridgePorts });
  t.strictSame(desired.hairpins, ["veth1"]);
  t.strictSame(desired.table.hairpins, ["veth1"]);
});

t.test(
  "an alias that another machine claims: the service stays, and the conflict is shown until it is over",
  async (t) => {
    const web = container({ name: "web" });
    const run = (before: Decision | null, now: number, claimed: readonly string[]): Decision =>
      decide(
        config(),
        observation({
          containers: [web],
          ...(before === null ? {} : { actual: before.desired }),
          claimed: new Set(claimed.map(ip)),
        }),
        now,
      );
    const first = run(null, NOW, []);
    t.equal(first.range.conflict, 0);
    const second = run(first, NOW + 1, ["192.168.122.11"]);
    t.strictSame(served(second), ["web 192.168.122.11"]);
    t.match(second.warnings, [/^192.168.122.11 of "web" is in use by another machine/]);
    t.match(second.range, { used: 0, conflict: 1 });
    t.match(second.desired.page.html, /uses this address as well/);
    t.match(second.desired.zone.text, /web\S*\t60\tIN\tA\t192\.168\.122\.11/);
    const soon = run(second, NOW + 60, ["192.168.122.11"]);
    t.strictSame(soon.desired.table, second.desired.table, "not written at each look");
    const later = run(soon, NOW + 61, ["192.168.122.11"]);
    t.strictSame(later.desired.table.conflicts, [{ address: "192.168.122.11", seenAt: NOW + 61 }]);
    t.match(run(later, NOW + 660, []).range, { used: 0, conflict: 1 });
    const over = run(later, NOW + 661, []);
    t.match(over.range, { used: 1, conflict: 0 });
    t.strictSame(over.warnings, []);
  },
);

t.test("the mark of an alias fits the kernel's 15 characters", async (t) => {
  t.equal(labelOf("enp0s31f6"), "enp0s31f6:ocdd");
  t.equal(labelOf("abcdefghij"), "abcdefghij:ocdd");
  t.equal(labelOf("enx001122334455"), "enx001122334455");
});

t.test(
  "a service that must move to another range keeps its name; a lease that ends there keeps none",
  async (t) => {
    const actual = {
      ...BARE,
      table: {
        ...BARE.table,
        leases: [
          lease("10.0.0.5", "container:web", { names: [name("web")] }),
          lease("10.0.0.6", "container:gone", { names: [name("db")] }),
        ],
      },
    };
    const older = container({ name: "p_web_1", at: "172.17.0.8", created: NOW - 9999 });
    const d = decided([container({ name: "web" }), older, container({ name: "db", at: "172.17.0.9" })], {
      actual,
    });
    t.equal(d.services.find((s) => s.instances[0]?.name === "web")?.name, "web");
    t.equal(d.services.find((s) => s.instances[0]?.name === "db")?.name, "db");
  },
);

t.test(
  "with only the previous leases file: later leases in force are kept, and no new container gets their addresses",
  async (t) => {
    const actual = {
      ...BARE,
      table: { ...BARE.table, leases: [lease("192.168.122.11", "container:a", { names: [name("a")] })] },
    };
    const forwards = [
      { ...forward(11, 2), name: name("a") },
      { ...forward(12, 3), name: name("b") },
    ];
    const list = [
      container({ name: "newest", at: "172.17.0.4", created: NOW }),
      container({ name: "b", at: "172.17.0.3", created: NOW - 5 }),
      container({ name: "a", at: "172.17.0.2", created: NOW - 9 }),
    ];
    const d = decided(list, {
      actual: { ...actual, dataPath: { ...NO_DATA_PATH, forwards } },
      leasesStale: true,
    });
    t.strictSame(served(d), ["a 192.168.122.11", "b 192.168.122.12", "newest 192.168.122.13"]);
  },
);

t.test("one container of many changes: every value of the others is the very same object", async (t) => {
  const of = (n: number, over: Partial<Container> = {}): Container =>
    container({
      name: `shop${n}-web${n}-1`,
      at: `172.17.1.${n}`,
      created: NOW - 1000 - n,
      labels: composeLabels(`shop${n}`, `web${n}`),
      ports: [{ protocol: "tcp", port: 80 }],
      ...over,
    });
  const pool = {
    IP_RANGE: "192.168.122.1-192.168.122.199",
    IP_SUBNET: null,
    IP_RANGE_START: null,
    IP_RANGE_END: null,
  };
  const all = Array.from({ length: 150 }, (_, n) => of(n + 1));
  const first = decided(all, {}, pool);
  /** As for a process that has written the zone itself. */
  const again = (containers: readonly Container[], actual = first.desired): Decision =>
    decided(
      containers,
      { actual, zone: { ...zoneOnDisk(actual.zone.text), records: actual.zone.records } },
      pool,
    );
  /** How many of `after` are in no list of `before`. */
  const made = <T>(before: readonly T[], after: readonly T[]): number =>
    after.filter((one) => !new Set(before).has(one)).length;
  const counts = (before: Decision, after: Decision): Record<string, number> => ({
    services: made(before.services, after.services),
    forwards: made(before.desired.dataPath.forwards, after.desired.dataPath.forwards),
    records: made(before.desired.zone.records, after.desired.zone.records),
    names: made(
      before.services.map((one) => one.names),
      after.services.map((one) => one.names),
    ),
    cards: made(
      before.services.map((one) => one.card),
      after.services.map((one) => one.card),
    ),
  });
  const settled = again(all);
  const sick = again(all.with(70, of(71, { health: "unhealthy" })), settled.desired);
  t.strictSame(counts(settled, sick), { services: 1, forwards: 1, records: 0, names: 1, cards: 1 });
  const moved = again(all.with(70, of(71, { attachments: [attachment("bridge", "172.17.2.9")] })));
  t.strictSame(counts(settled, moved), { services: 1, forwards: 1, records: 0, names: 1, cards: 1 });
  const gone = again(all.toSpliced(70, 1), settled.desired);
  // what is left of the zone is made of the records that there were, but for the host's own
  t.strictSame(counts(settled, gone), { services: 0, forwards: 0, records: 4, names: 0, cards: 0 });
});
