/** The order in which a run changes the host, and what it does on a disk that is full, or when it was killed. */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import t, { type Test } from "tap";
import { HostError } from "../../src/core/errors.ts";
import { canonical } from "../../src/core/forwards/forward.ts";
import type { Container } from "../../src/core/model.ts";
import type { Name } from "../../src/core/services/name.ts";
import { id, ip } from "../core/make.ts";
import { World } from "../director/world.ts";

const AWAKE = canonical({
  name: "lazy" as Name,
  alias: ip("192.168.122.12"),
  target: null,
  bridgePort: null,
  map: [],
  ports: null,
  allow: null,
});

/** A host that serves these, and what its director has done since. */
async function served(t: Test, ...names: string[]): Promise<World> {
  const world = new World("192.168.122.11-192.168.122.30");
  t.teardown(() => world.floor.remove());
  for (const name of names) {
    await world.start(name, new Map(), "bridge");
    await world.run();
  }
  world.floor.calls = [];
  return world;
}

const named = (world: World, name: string): Container => {
  const found = world.floor.docker.containers_.find((one) => one.name === name);
  if (found === undefined) throw new Error(`no container ${name}`);
  return found;
};

/** Places of the last call of each kind, in the order given. */
const order = (world: World, kinds: readonly RegExp[]): number[] =>
  kinds.map((kind) => world.floor.calls.findLastIndex((call) => kind.test(call)));

/** Each kind was called, and the last call of each before the last of the next. */
function inOrder(t: Test, world: World, kinds: readonly RegExp[]): void {
  const places = order(world, kinds);
  t.notOk(places.includes(-1), world.floor.calls.join("\n"));
  t.strictSame(
    places,
    places.toSorted((a, b) => a - b),
  );
}

const inForce = (world: World): string[] =>
  [...world.floor.kernel.rules.matchAll(/-d (\S+)\/32 .*OCDD-(\S+) -j DNAT --to-destination (\S+)/g)].map(
    ([, alias, name, target]) => `${name} ${alias} ${target}`,
  );
const aliases = (world: World): string[] =>
  world.floor.kernel.addresses
    .filter(({ label }) => label === "ens3:ocdd")
    .map(({ address }) => address)
    .sort();

t.test("a container starts: lease, cleanup, guard, rule, address, announcement, zone, page", async (t) => {
  const world = await served(t, "one");
  await world.start("two", new Map(), "bridge");
  world.floor.calls = [];
  await world.run();
  inOrder(t, world, [
    /^rename leases.json$/,
    /^rename owed$/,
    /^nft -f - add element/,
    /^iptables-restore .*OCDD-two/s,
    /addr replace 192\.168\.122\.12/,
    /hairpin on/,
    /^conntrack -D -d 192\.168\.122\.12$/,
    /^announce 192\.168\.122\.12$/,
    /^rename toolbox\.example\.com\.zone$/,
    /^rename services\.json$/,
    /^rename index\.html$/,
    /^unlink owed$/,
  ]);
});

t.test(
  "a container has ended: forward, address, flows and name at once, leases and page by the run",
  async (t) => {
    const world = await served(t, "one", "two");
    await world.stop(named(world, "two"));
    t.strictSame(inForce(world), ["one 192.168.122.11 172.17.0.2"], "its forward is revoked before any run");
    t.strictSame(aliases(world), ["192.168.122.11"], "and its alias is off the device");
    t.ok(world.floor.calls.includes("conntrack -D -d 192.168.122.12"), "its flows are flushed");
    t.notMatch(readFileSync(world.config.zoneFile, "latin1"), "two.", "and its name is withdrawn");
    world.floor.calls = [];
    await world.run();
    inOrder(t, world, [/^rename leases.json$/, /^rename index\.html$/]);
    t.notOk(
      world.floor.calls.some((call) => call.startsWith("conntrack")),
      "once",
    );
  },
);

t.test(
  "one that may sleep has ended: it keeps its alias, and the flows that led to it are flushed",
  async (t) => {
    const world = await served(t, "one");
    await world.start("lazy", new Map([["ocdd.wake", "true"]]), "bridge");
    await world.run();
    world.floor.calls = [];
    await world.stop(named(world, "lazy"));
    t.ok(aliases(world).includes("192.168.122.12"));
    const calls = world.floor.calls.join("\n");
    t.match(calls, /^iptables-restore .*-d 192\.168\.122\.12\/32 .*-g OCDD-ASLEEP/ms);
    t.match(calls, /^conntrack -D -d 192\.168\.122\.12 -r 172\.17\.0\.\d+$/m);
    t.notMatch(calls, /^conntrack -D -d 192\.168\.122\.12$/m, "those to the page stay");
  },
);

t.test(
  "a container that ends while a new director observes: its name goes before its rule, wherever that is",
  async (t) => {
    let met = 0;
    for (let calls = 0; calls < 20; calls++) {
      const world = await served(t, "one", "two");
      world.restart();
      world.floor.calls = [];
      const what = (): void => world.meanwhile(world.stop(named(world, "two")));
      await world.run({ calls, when: "after", what });
      const [name, rule] = [
        /^rename toolbox\.example\.com\.zone$/,
        /^iptables-restore .*(:OCDD |-D OCDD )/s,
      ].map((kind) => world.floor.calls.findIndex((call) => kind.test(call)));
      if (name === undefined || rule === undefined || rule < 0) continue;
      met += 1;
      t.ok(0 <= name && name < rule, `ended after ${world.floor.calls[calls]}: ${name}, ${rule}`);
    }
    t.ok(met > 5, `${met} moments`);
  },
);

t.test(
  "its alias is led to it while a run would flush the flows of that alias: new flows stay",
  async (t) => {
    let met = 0;
    for (let calls = 1; calls < 12; calls++) {
      const world = await served(t, "one");
      await world.start("lazy", new Map([["ocdd.wake", "true"]]), "bridge");
      world.floor.calls = [];
      const flush = "conntrack -D -d 192.168.122.12";
      let opened = -1;
      const what = (): void => {
        const forward = { ...AWAKE, target: named(world, "lazy").attachments[0]?.address ?? null };
        const open = world.director.host.gate(named(world, "lazy").id, forward, "");
        world.meanwhile(
          open.then(() => {
            opened = world.floor.calls.length;
          }),
        );
      };
      await world.run({ calls, when: "after", what });
      if (opened < 0) continue;
      const flushed = world.floor.calls.indexOf(flush);
      if (flushed < opened) met += flushed < 0 ? 1 : 0;
      else t.fail(`flushed at ${flushed}, opened at ${opened}: ${world.floor.calls.join("\n")}`);
    }
    t.ok(met > 3, `${met} flushes were left out`);
  },
);

t.test(
  "a container that ends during a run for another: its name is withdrawn, wherever the run is",
  async (t) => {
    let met = 0;
    for (let calls = 0; calls < 24; calls++) {
      const world = await served(t, "one", "two");
      await world.start("three", new Map(), "bridge");
      world.floor.calls = [];
      const zone = (): string => readFileSync(world.config.zoneFile, "latin1");
      const serial = (): number => Number(/ (\d+) 3600 600 /.exec(zone())?.[1]);
      const before = serial();
      let ended = false;
      const what = (): void => {
        ended = true;
        world.meanwhile(world.stop(named(world, "two")));
      };
      await world.run({ calls, when: "after", what });
      if (!ended) continue;
      met += 1;
      const place = `ended after ${world.floor.calls[calls]}`;
      t.notMatch(zone(), "two.", place);
      t.match(zone(), "three.", place);
      const first = serial();
      t.ok(first > before, place);
      await world.run();
      t.notMatch(zone(), "two.", place);
      t.ok(serial() >= first, place);
    }
    t.ok(met > 10, `${met} moments`);
  },
);

t.test(
  "a container that ends while the run puts it in force: neither alias nor name, wherever the run is",
  async (t) => {
    let published = 0;
    for (let calls = 0; calls < 24; calls++) {
      const world = await served(t, "one");
      await world.start("two", new Map(), "bridge");
      world.floor.calls = [];
      const zone = (): string => readFileSync(world.config.zoneFile, "latin1");
      let ended = false;
      const what = (): void => {
        ended = true;
        world.meanwhile(world.stop(named(world, "two")));
      };
      await world.run({ calls, when: "after", what });
      // a call that fails, as the removal of a file that is not there, has no moment after it
      if (!ended) continue;
      published += 1;
      t.notMatch(zone(), "two.", `ended after ${world.floor.calls[calls]}: its name`);
      t.strictSame(
        inForce(world),
        ["one 192.168.122.11 172.17.0.2"],
        `ended after ${world.floor.calls[calls]}: its rule`,
      );
      t.strictSame(aliases(world), ["192.168.122.11"], `ended after ${world.floor.calls[calls]}`);
      await world.run();
      t.strictSame([aliases(world), zone().includes("two.")], [["192.168.122.11"], false]);
    }
    t.ok(published > 5, `${published} names were at stake`);
  },
);

t.test(
  "rules that another program has removed come back, those that another `ocdd` has removed do not",
  async (t) => {
    const world = await served(t, "one");
    const { director, floor } = world;
    const rules = floor.kernel.rules;
    const remove = (): void => {
      floor.kernel.rules = rules.replace(/^.*OCDD-one .*\n/gm, "");
    };
    const reassert = (): Promise<void> => director.as(() => director.host.reassert());
    remove();
    t.strictSame(inForce(world), []);
    await reassert();
    t.strictSame(inForce(world), ["one 192.168.122.11 172.17.0.2"]);
    remove();
    const leases = join(floor.directory, "leases.json");
    writeFileSync(leases, `${readFileSync(leases, "utf8")}\n`);
    await reassert();
    t.strictSame(inForce(world), [], "teardown, or a run by hand");
  },
);

t.test(
  "a service that is no longer wanted: its name, then its address, then its rule and guard",
  async (t) => {
    const world = await served(t, "one", "two");
    const two = named(world, "two");
    await world.change(two, { labels: new Map([["ocdd.enable", "false"]]) }, "rename");
    world.floor.calls = [];
    await world.run();
    inOrder(t, world, [
      /^rename toolbox\.example\.com\.zone$/,
      /addr del 192\.168\.122\.12/,
      /^nft -f - delete element/,
      /^iptables-restore/,
      /^conntrack -D -d 192\.168\.122\.12$/,
    ]);
    t.strictSame(inForce(world), ["one 192.168.122.11 172.17.0.2"]);
  },
);

t.test("the last service goes: the guard is removed last, when its flows are flushed", async (t) => {
  const world = await served(t, "one");
  world.floor.calls = [];
  await world.stop(named(world, "one"));
  await world.run();
  const at = world.floor.calls.findIndex((call) => /^nft -f - .*delete table/s.test(call));
  t.match(world.floor.calls[at - 1], /^conntrack -D -d 192\.168\.122\.11$/);
  t.equal(world.floor.kernel.nft.tables.size, 0);
});

t.test(
  "a disk that is full: known owners move, no new one is put in force, what has gone is taken down",
  async (t) => {
    const world = await served(t, "one", "two");
    const { floor } = world;
    await world.stop(named(world, "two"));
    await world.start("three", new Map(), "bridge");
    await world.again(named(world, "one"), false);
    // all in one run: ends would have one of their own
    world.director.pending.addAll();
    floor.full = true;
    const zone = readFileSync(world.config.zoneFile, "latin1");
    const error = await world.run().then(
      () => undefined,
      (thrown: unknown) => thrown,
    );
    t.ok(error instanceof HostError);
    t.match(error, { fault: "storage", step: "write the leases" });
    t.strictSame(inForce(world), [`one 192.168.122.11 ${named(world, "one").attachments[0]?.address}`]);
    t.strictSame(aliases(world), ["192.168.122.11"]);
    t.equal(readFileSync(world.config.zoneFile, "latin1"), zone);
    floor.full = false;
    await world.run();
    t.equal(inForce(world).length, 2, "with room again the new one is served");
  },
);

t.test("killed between the rules and the flush: the next director flushes and announces", async (t) => {
  const world = await served(t, "one");
  const { floor } = world;
  await world.start("two", new Map(), "bridge");
  await world.again(named(world, "one"), false);
  floor.calls = [];
  const owed = join(floor.directory, "owed");
  let left = "";
  floor.changed = () => {
    if (!floor.calls.at(-1)?.startsWith("iptables-restore")) return;
    left = readFileSync(owed, "utf8");
    world.director.kill();
  };
  await world.run();
  t.match(left, /^flush 192\.168\.122\.11$/m);
  t.match(left, /^announce 192\.168\.122\.12$/m);
  floor.changed = () => undefined;
  t.notOk(floor.calls.some((call) => call.startsWith("conntrack")));
  await world.run();
  t.ok(floor.calls.includes("conntrack -D -d 192.168.122.11"));
  t.ok(floor.calls.some((call) => /^announce .*192\.168\.122\.12/.test(call)));
  t.notOk(existsSync(owed));
});

t.test("killed between the removal of an alias and the flush: the next director flushes", async (t) => {
  const world = await served(t, "one", "two");
  const { floor } = world;
  floor.changed = () => {
    if (/addr del/.test(floor.calls.at(-1) ?? "")) world.director.kill();
  };
  await world.stop(named(world, "two"));
  await world.run();
  floor.changed = () => undefined;
  t.strictSame(aliases(world), ["192.168.122.11"]);
  floor.calls = [];
  await world.run();
  t.ok(floor.calls.includes("conntrack -D -d 192.168.122.12"), floor.calls.join("\n"));
});

t.test(
  "a program that fails: the step is named, later steps are not done, removals are (O-18)",
  async (t) => {
    const world = await served(t, "one", "two");
    const { floor } = world;
    await world.stop(named(world, "two"));
    await world.start("three", new Map(), "bridge");
    world.director.pending.addAll();
    floor.fails = (command) => command.startsWith("ip -batch");
    floor.calls = [];
    await t.rejects(world.run(), { step: "add aliases", message: /^could not add aliases: ip failed/ });
    t.notOk(floor.calls.some((call) => call.endsWith(".zone") || call.startsWith("announce")));
    t.strictSame(aliases(world), ["192.168.122.11"], "the alias of the one that has ended is removed");
    floor.fails = undefined;
    await world.run();
    t.strictSame(aliases(world), ["192.168.122.11", "192.168.122.13"]);
  },
);

t.test(
  "conntrack that fails with the status of no such flow: the step fails, the next run flushes",
  async (t) => {
    const world = await served(t, "one", "two");
    const { floor } = world;
    floor.fails = (command) => command.startsWith("conntrack -D");
    await world.stop(named(world, "two"));
    await t.rejects(world.run(), {
      step: "flush tracked connections",
      message: /Resource temporarily unavailable/,
    });
    floor.fails = undefined;
    floor.calls = [];
    await world.run();
    t.ok(floor.calls.includes("conntrack -D -d 192.168.122.12"));
  },
);

t.test(
  "an alias leads to a container again after its flows were flushed, then goes: its new flows are flushed too",
  async (t) => {
    const ways: Readonly<Record<string, (world: World) => Promise<void>>> = {
      "by a run that fails after the rules": async (world) => {
        await world.stop(named(world, "two"));
        await world.start("two", new Map(), "bridge");
        world.director.pending.addAll();
        world.floor.fails = (command) => command.startsWith("conntrack -D");
        await t.rejects(world.run(), { step: "flush tracked connections", message: /unavailable/ });
        world.floor.fails = undefined;
      },
      "by a visit, before any run": async (world) => {
        await world.start("two", new Map([["ocdd.wake", "true"]]), "bridge");
        await world.run();
        const two = named(world, "two");
        await world.again(two, false);
        const target = named(world, "two").attachments[0]?.address ?? null;
        const { host } = world.director;
        await world.director.as(() => host.gate(two.id, { ...AWAKE, target }, id("bridge")));
      },
    };
    for (const [way, open] of Object.entries(ways)) {
      const world = await served(t, "one", "two");
      const { flows } = world.floor.kernel;
      await open(world);
      world.judge.connect();
      t.ok(flows.has(ip("192.168.122.12")), `${way}: a client has connected`);
      const { docker } = world.floor;
      docker.containers_ = docker.containers_.filter(({ name }) => name !== "two");
      docker.catchUp();
      world.director.pending.addAll();
      await world.run();
      t.strictSame(aliases(world), ["192.168.122.11"], "no event has announced its end: the run finds it");
      t.notOk(flows.has(ip("192.168.122.12")), `${way}: flushed`);
    }
  },
);

t.test("leases lost, and the container ends during the observation: its alias is removed", async (t) => {
  const world = await served(t, "one");
  const lose = (): void => {
    for (const name of ["leases.json", "leases.json.previous"])
      writeFileSync(join(world.floor.directory, name), "torn");
    world.restart();
    world.floor.calls = [];
  };
  lose();
  await world.run();
  const last = world.floor.calls.lastIndexOf("find bridge ports");
  lose();
  const one = named(world, "one");
  await world.run({ calls: last, when: "after", what: () => world.meanwhile(world.stop(one)) });
  t.ok(last > 0);
  t.strictSame(aliases(world), []);
});

t.test(
  "what containers are told of themselves: follows them, the last one takes the file with it",
  async (t) => {
    const world = await served(t, "one");
    const { floor } = world;
    const file = join(floor.directory, "private/serve/self.json");
    const ports = (): string[] =>
      [...readFileSync(file, "utf8").matchAll(/"port":"(\w+)"/g)].map(([, name]) => name ?? "");
    t.strictSame(ports(), ["veth1"]);
    await world.start("two", new Map(), "bridge");
    await world.run();
    t.strictSame(ports(), ["veth1", "veth2"]);
    floor.calls = [];
    world.director.pending.addAll();
    await world.run();
    t.notOk(floor.calls.includes("rename self.json"), "an idle run does not write it");
    await world.again(named(world, "one"), false);
    await world.run();
    t.ok(floor.calls.includes("rename self.json"));
    t.strictSame(ports(), ["veth3", "veth2"], "another port after a restart");
    for (const name of ["one", "two"]) await world.stop(named(world, name));
    await world.run();
    t.notOk(existsSync(file));
  },
);
