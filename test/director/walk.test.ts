/**
 * A random walk over the states of a host: containers come, go, and change their minds; time passes; strangers touch what
 * is theirs and what is ours; the director is killed between two steps. After each run what is must be what shall be.
 * OCDD_WALK=seconds walks longer; OCDD_SEED repeats one.
 */
import fc from "fast-check";
import t from "tap";
import { contains, type Ipv4 } from "../../src/core/addresses/ipv4.ts";
import { decide } from "../../src/core/decide.ts";
import { forwardOf } from "../../src/core/forwards/firewall.ts";
import type { Container, DeviceAddress } from "../../src/core/model.ts";
import { plan } from "../../src/core/plan.ts";
import { ownRecords } from "../../src/core/zone/records.ts";
import { reconcile } from "../../src/director/reconcile.ts";
import { attachment, composeLabels, config, container, id, ip, NOW, network, ZONE } from "../core/make.ts";
import { FakeHost, Killed } from "../fake/host.ts";

const RANGES = {
  small: "192.168.122.11-192.168.122.16",
  usual: "192.168.122.11-192.168.122.30",
  moved: "192.168.122.14-192.168.122.25",
} as const;
const HOLD = 180;

/** What is nobody's of ours, and must be as it was after every run. */
const FOREIGN: readonly DeviceAddress[] = [
  { device: "ens3", address: ip("192.168.122.40"), prefix: 32, label: "ens3" },
  { device: "ens3", address: ip("192.168.122.10"), prefix: 32, label: "ens3:ocdx" },
  { device: "ens3", address: ip("192.168.122.20"), prefix: 24, label: "ens3" },
  { device: "ens4", address: ip("10.3.3.3"), prefix: 32, label: "ens4" },
];
const FOREIGN_RULES = [
  "-A INPUT -s 10.9.9.9/32 -j DROP",
  "-A FORWARD -m comment --comment NOT-OCDD -j ACCEPT",
];
const BY_HAND = "$TTL 300\nprinter IN A 192.168.122.150\nalias IN CNAME printer\n";

class World {
  readonly host: FakeHost;
  now = NOW;
  serial = 0;
  born = 0;
  /** Address → who had it last, and until when it is his or at rest. */
  readonly history = new Map<Ipv4, { key: string; until: number }>();
  /** After lost leases nobody can know who had what: the rest is begun anew for all. */
  forgotten = false;
  runs = 0;

  constructor() {
    this.host = new FakeHost(config({ IP_RANGE: RANGES.usual }));
    this.host.networks = [
      ...this.host.networks,
      network({ name: "lan", cidr: "192.168.122.0/24", driver: "macvlan", bridge: "" }),
    ];
    this.host.zone = BY_HAND;
  }

  start(name: string, labels: ReadonlyMap<string, string>, mode: string): void {
    this.born += 1;
    const number = this.born;
    const attachments =
      mode === "lan"
        ? [attachment("lan", `192.168.122.${100 + (number % 50)}`)]
        : mode === "bridge"
          ? [attachment("bridge", freeAddress(this.host.containers))]
          : [];
    const next = container({
      name,
      id: id(`${number}-${name}`),
      labels: new Map(labels),
      networkMode: mode,
      attachments,
      created: NOW + number,
    });
    this.host.containers = [...this.host.containers.filter((c) => c.name !== name), next];
    if (mode === "bridge")
      this.host.bridgePorts = [
        ...this.host.bridgePorts,
        { name: `veth${number}`, bridge: "docker0", hairpin: false },
      ];
  }

  async run(yes = false): Promise<void> {
    const { host } = this;
    this.runs += 1;
    await reconcile(host.config, host, { now: () => this.now, apply: true, yes, secondLook: 0 });
  }

  /**
   * The newest leases are lost: only what the file before tells is sure to be kept. What the rules in force tell is kept
   * as well, but they name a container's address, which another may have by now.
   */
  forget(): void {
    const { previous } = this.host;
    const told = new Map(
      (typeof previous === "object" ? previous.leases : []).map((l) => [l.address, l.key]),
    );
    for (const [address, { key }] of this.history)
      if (told.get(address) !== key) this.history.delete(address);
  }

  /** Everything that must hold after a run that ended well. */
  async check(): Promise<void> {
    const { host } = this;
    const seen = await host.observe();
    const again = decide(host.config, seen, this.now);
    const rest = plan(seen.actual, again.desired, host.config.zone);
    if (rest.changes.length > 0 || rest.table !== null) fail(`a second plan: ${rest.changes.join("; ")}`);
    const shuffled = decide(
      host.config,
      { ...seen, containers: [...seen.containers].reverse(), networks: [...seen.networks].reverse() },
      this.now,
    );
    if (JSON.stringify(shuffled.desired, maps) !== JSON.stringify(again.desired, maps))
      fail("the order in which Docker lists changes the state");
    this.checkLeases();
    this.#checkForwards();
    this.#checkForeign();
    this.#checkZone(again.services.map((s) => s.name));
  }

  /** What is on disk, after a run that was killed too. */
  checkLeases(): void {
    const { leases } = this.host;
    // a host on which nobody ever had an address
    if (leases === undefined) return;
    if (leases === "torn") fail("the leases are torn");
    const living = leases.leases.filter((l) => l.releasedAt === null);
    unique(
      living.map((l) => l.address),
      "two living leases on one address",
    );
    unique(
      living.map((l) => l.key),
      "two living leases of one owner",
    );
    for (const l of living) {
      const last = this.history.get(l.address);
      if (last !== undefined && last.key !== l.key && this.now < last.until)
        fail(`${l.address} went from ${last.key} to ${l.key} inside its rest`);
    }
    this.history.clear();
    for (const l of leases.leases)
      this.history.set(l.address, {
        key: l.key,
        until: l.releasedAt === null ? Number.POSITIVE_INFINITY : l.releasedAt + HOLD,
      });
  }

  /** Every alias is forwarded, to its lease's owner only, and every forward has its alias. */
  #checkForwards(): void {
    const { host } = this;
    const leases = typeof host.leases === "object" ? host.leases.leases : [];
    const owner = new Map(leases.filter((l) => l.releasedAt === null).map((l) => [l.address, l.container]));
    const target = new Map(host.containers.map((c) => [c.id, c.attachments[0]?.address]));
    const forwards = host.rules
      .split("\n")
      .filter((line) => line.startsWith("-A OCDD "))
      .flatMap(forwardOf);
    for (const { alias, target: to } of forwards)
      if (target.get(owner.get(alias) ?? "") !== to) fail(`${alias} leads to ${to}, not to its owner`);
    const aliases = host.addresses.filter((a) => a.label === "ens3:ocdd").map((a) => a.address);
    unique(aliases, "an alias twice");
    const forwarded = new Set(forwards.map((f) => f.alias));
    if (forwarded.size !== aliases.length || !aliases.every((a) => forwarded.has(a)))
      fail("aliases and forwards differ");
  }

  #checkForeign(): void {
    const { host } = this;
    for (const a of FOREIGN) {
      const there = host.addresses.some((b) => JSON.stringify(a) === JSON.stringify(b));
      if (!there && this.foreign.has(a)) fail(`foreign address ${a.address} is gone`);
    }
    for (const rule of this.foreignRules)
      if (!host.rules.includes(`${rule}\n`)) fail(`foreign rule ${rule} is gone`);
    if (!host.zone.endsWith(BY_HAND)) fail("hand-written records are gone");
  }
  readonly foreign = new Set<DeviceAddress>();
  readonly foreignRules = new Set<string>();

  #checkZone(names: readonly string[]): void {
    unique(names, "a name twice");
    const owned = new Set(ownRecords(this.host.zone, ZONE).map((r) => r.owner));
    for (const name of names) if (!owned.has(name)) fail(`${name} is not in the zone`);
    const serial = Number(/\tSOA\t\S+ \S+ (\d+) /.exec(this.host.zone)?.[1]);
    if (serial < this.serial) fail(`serial ${serial} after ${this.serial}`);
    this.serial = serial;
  }
}

const maps = (_: string, value: unknown): unknown => (value instanceof Map ? [...value] : value);

function fail(message: string): never {
  throw new Error(message);
}

function unique(values: readonly string[], message: string): void {
  const twice = values.find((value, i) => values.indexOf(value) !== i);
  if (twice !== undefined) fail(`${message}: ${twice}`);
}

/** As Docker gives them: the lowest that is free. */
function freeAddress(containers: readonly Container[]): Ipv4 {
  const taken = new Set(containers.flatMap((c) => c.attachments.map((a) => a.address as string)));
  for (let n = 2; ; n++) if (!taken.has(`172.17.0.${n}`)) return ip(`172.17.0.${n}`);
}

type Step = fc.AsyncCommand<object, World>;

/** A command that can always be given. */
function deed(name: string, run: (world: World) => void | Promise<void>): Step {
  return { check: () => true, run: async (_, world) => run(world), toString: () => name };
}

const names = fc.constantFrom(
  "web",
  "db",
  "Web",
  "a_b",
  "a.b",
  "p_web_1",
  "p_web_2",
  "p-web-3",
  "q_web_1",
  "ns1",
  "10.0.0.1",
  "dockerhost",
  "printer",
  "x".repeat(80),
);
const labels = fc.oneof(
  { weight: 3, arbitrary: fc.constant(new Map<string, string>()) },
  {
    weight: 2,
    arbitrary: fc
      .tuple(fc.constantFrom("p", "q"), fc.constantFrom("web", "db"), fc.integer({ min: 1, max: 3 }))
      .map(([p, s, n]) => composeLabels(p, s, n)),
  },
  {
    weight: 1,
    arbitrary: fc
      .constantFrom("p", "q")
      .map((p) => new Map([...composeLabels(p, "web"), ["com.docker.compose.oneoff", "True"]])),
  },
  {
    weight: 2,
    arbitrary: fc
      .dictionary(
        fc.constantFrom(
          "ocdd.name",
          "ocdd.aliases",
          "ocdd.map",
          "ocdd.ports",
          "ocdd.allow",
          "ocdd.srv",
          "ocdd.enable",
        ),
        fc.constantFrom(
          "web",
          "db,web-1",
          "80:8080",
          "80,53/udp",
          "http:80,sip:5060/udp",
          "10.0.0.0/8",
          "false",
          "\n-A OCDD -j ACCEPT",
          "",
        ),
        { maxKeys: 2 },
      )
      .map((d) => new Map(Object.entries(d))),
  },
);
const modes = fc.oneof(
  { weight: 8, arbitrary: fc.constant("bridge") },
  { weight: 1, arbitrary: fc.constantFrom("host", "lan", "none", `container:${id("1-web")}`) },
);

/** One of the host's containers, if there is any. */
const pick = (world: World, n: number): Container | undefined =>
  world.host.containers[n % Math.max(1, world.host.containers.length)];

const commands: fc.Arbitrary<Step>[] = [
  fc
    .tuple(names, labels, modes)
    .map(([n, l, m]) =>
      deed(`start ${n} ${JSON.stringify([...l])} ${m.slice(0, 12)}`, (w) => w.start(n, l, m)),
    ),
  fc.nat(9).map((n) =>
    deed(`stop #${n}`, (w) => {
      const c = pick(w, n);
      w.host.containers = w.host.containers.filter((one) => one !== c);
    }),
  ),
  fc.nat(9).map((n) =>
    deed(`recreate #${n}`, (w) => {
      const c = pick(w, n);
      if (c !== undefined) w.start(c.name, c.labels, c.networkMode);
    }),
  ),
  fc.tuple(fc.nat(9), names).map(([n, to]) =>
    deed(`rename #${n} ${to}`, (w) => {
      const c = pick(w, n);
      if (c !== undefined && !w.host.containers.some((one) => one.name === to))
        w.host.containers = w.host.containers.map((one) => (one === c ? { ...c, name: to } : one));
    }),
  ),
  fc
    .tuple(
      fc.nat(9),
      fc.constantFrom("healthy", "unhealthy", "starting") as fc.Arbitrary<Container["health"]>,
    )
    .map(([n, health]) =>
      deed(`#${n} becomes ${health}`, (w) => {
        const c = pick(w, n);
        w.host.containers = w.host.containers.map((one) => (one === c ? { ...c, health } : one));
      }),
    ),
  fc.constantFrom(1, 30, 179, 181, 700).map((s) =>
    deed(`${s} s pass`, (w) => {
      w.now += s;
    }),
  ),
  fc.constantFrom(...FOREIGN).map((a) =>
    deed(`foreign ${a.address}/${a.prefix} ${a.label}`, (w) => {
      if (w.host.addresses.some((b) => b.address === a.address && b.device === a.device)) return;
      w.host.addresses = [...w.host.addresses, a];
      w.foreign.add(a);
    }),
  ),
  fc.constantFrom(...FOREIGN_RULES).map((rule) =>
    deed(`foreign rule ${rule}`, (w) => {
      w.foreignRules.add(rule);
      const chain = rule.split(" ")[1];
      if (!w.host.rules.includes(rule))
        w.host.rules = w.host.rules.replace(new RegExp(`^-A ${chain} `, "m"), `${rule}\n$&`);
    }),
  ),
  fc.nat(9).map((n) =>
    deed(`alias #${n} vanishes`, (w) => {
      const aliases = w.host.addresses.filter((a) => a.label === "ens3:ocdd");
      w.host.addresses = w.host.addresses.filter((a) => a !== aliases[n % Math.max(1, aliases.length)]);
    }),
  ),
  fc.constantFrom("OCDD", "OCDD-INPUT", "PREROUTING", "DOCKER-USER", "OUTPUT").map((chain) =>
    deed(`flush ${chain}`, (w) => {
      w.host.rules = w.host.rules.replace(new RegExp(`^-A ${chain} .*\\n`, "gm"), "");
    }),
  ),
  fc
    .integer({ min: 11, max: 30 })
    .map((octet) =>
      deed(`.${octet} is somebody else's`, (w) => void w.host.neighbours.add(ip(`192.168.122.${octet}`))),
    ),
  fc.constant(deed("nobody else is there", (w) => w.host.neighbours.clear())),
  fc.constantFrom("leases", "both").map((which) =>
    deed(`${which} torn`, (w) => {
      if (w.host.leases === undefined) return;
      w.host.leases = "torn";
      if (which === "both" || w.host.previous === undefined) w.host.previous = "torn";
      w.forget();
    }),
  ),
  fc.constantFrom(...Object.values(RANGES)).map((range) =>
    deed(`range ${range}`, async (w) => {
      w.host.config = config({ IP_RANGE: range });
      await w.run(true);
      await w.check();
    }),
  ),
  fc.nat(12).map((n) =>
    deed(`run, killed after ${n} steps`, async (w) => {
      w.host.killAfter = n;
      try {
        await w.run(true);
      } catch (error) {
        if (!(error instanceof Killed)) throw error;
      }
      w.host.killAfter = undefined;
      if (w.host.leases !== "torn") w.checkLeases();
    }),
  ),
];
const runIt = deed("run", async (w) => {
  await w.run(true);
  await w.check();
});

const seconds = Number(process.env.OCDD_WALK ?? 12);
t.setTimeout((seconds + 60) * 1000);

t.test("whatever happens, the next run makes it right", async (t) => {
  let runs = 0;
  let steps = 0;
  const seed = process.env.OCDD_SEED === undefined ? undefined : Number(process.env.OCDD_SEED);
  await fc.assert(
    fc.asyncProperty(
      // a run after every few things that happen
      fc.commands([...commands, fc.constant(runIt), fc.constant(runIt), fc.constant(runIt)], {
        maxCommands: 60,
        size: "max",
      }),
      async (walk) => {
        const world = new World();
        await fc.asyncModelRun(() => ({ model: {}, real: world }), [...walk, runIt]);
        runs += world.runs;
        steps += [...walk].length;
      },
    ),
    {
      numRuns: 1_000_000,
      interruptAfterTimeLimit: seconds * 1000,
      markInterruptAsFailure: false,
      ...(seed === undefined ? {} : { seed }),
    },
  );
  t.comment(`${steps} steps, ${runs} runs`);
  t.ok(steps > 1000, "a walk is long");
});

t.test("a range that would end living leases is refused, and nothing has been changed", async (t) => {
  const world = new World();
  for (const name of ["a", "b", "c", "d"]) world.start(name, new Map(), "bridge");
  await world.run();
  const before = String(world.host);
  world.host.config = config({ IP_RANGE: RANGES.moved });
  await t.rejects(world.run(), {
    fault: "refused",
    message: /^3 living leases are outside of the range.*; they stay as they are:\n {2}192\.168\.122\.11 /,
  });
  t.equal(String(world.host), before);
  await world.run(true);
  await world.check();
  t.ok(
    world.host.addresses
      .filter((a) => a.label === "ens3:ocdd")
      .every((a) => world.host.config.pool.some((r) => contains(r, a.address))),
  );
});

t.test("a second run does nothing at all", async (t) => {
  const world = new World();
  for (const name of ["a", "b", "c"]) world.start(name, new Map(), "bridge");
  await world.run();
  const steps = world.host.steps;
  world.now += 3600;
  await world.run();
  t.equal(world.host.steps, steps);
});
