/**
 * A random walk over the states of a host: containers come, go and change; Docker's list is updated late; time passes; other
 * programs change their own state and OCDD's; the director is killed before or after any of its calls, or a program that it
 * starts fails. After each step no packet reaches a container that does not hold its alias's lease; after each successful run
 * the actual state is the desired one, and a director updated by events decides the same as a new one.
 * OCDD_WALK=seconds walks for so long instead of a fixed number of times; OCDD_SEED repeats one.
 */
import fc from "fast-check";
import t from "tap";
import { contains } from "../../src/core/addresses/ipv4.ts";
import { decide } from "../../src/core/decide.ts";
import type { Container, State } from "../../src/core/model.ts";
import { isEmpty, plan } from "../../src/core/plan.ts";
import { describe } from "../../src/core/report/steps.ts";
import { fail, HOLD } from "./judge.ts";
import { commands, RANGES, runs } from "./walk-commands.ts";
import { type Kind, USUAL, World } from "./world.ts";

const maps = (_: string, value: unknown): unknown => (value instanceof Map ? [...value] : value);
/** Ports have no order. */
const text = (state: State): string =>
  JSON.stringify({ ...state, hairpins: state.hairpins.toSorted() }, maps, 1);

/** A run on a host whose lists are up to date, and everything that must hold after it. */
async function converge(world: World): Promise<void> {
  await world.settle();
  const outcome = await world.run();
  const { config, now } = world;
  const other = world.floor.start(config);
  const seen = await other.as(() => other.host.observe());
  const again = decide(config, seen, now);
  const rest = plan(seen.actual, again.desired, seen.leasesStale);
  if (outcome !== undefined) same(outcome.decision.desired, again.desired, "by events and by a whole look");
  if (!isEmpty(rest)) fail(`a second plan: ${rest.steps.flatMap(describe).join("; ")}`);
  const shuffled = {
    ...seen,
    containers: seen.containers.toReversed(),
    networks: seen.networks.toReversed(),
  };
  same(decide(config, shuffled, now).desired, again.desired, "by another order of Docker's list");
  world.judge.checkConverged(again.services.map((s) => s.name));
}

function same(a: State, b: State, how: string): void {
  const [one, other] = [text(a).split("\n"), text(b).split("\n")];
  const at = one.findIndex((line, i) => line !== other[i]);
  if (at >= 0)
    fail(
      `another state ${how}: ${one.slice(at - 3, at + 2).join(" ")} / ${other.slice(at - 3, at + 2).join(" ")}`,
    );
}

const seconds = Number(process.env.OCDD_WALK ?? 0);
t.setTimeout((seconds + 600) * 1000);
/** Walks of each host: some 3 s on a machine with nothing else to do. */
const WALKS = 20;

/** Hosts by backend, installed programs and what the kernel supports. */
const HOSTS: Readonly<Record<string, Kind>> = {
  "guarded, by nft": USUAL,
  "guarded, by netlink": { ...USUAL, netlink: true },
  "without nft": { ...USUAL, nft: false },
  "FIREWALL=nft, by nft": { ...USUAL, firewall: "nft" },
  "FIREWALL=nft, by netlink": { ...USUAL, firewall: "nft", netlink: true },
  "Docker 29, without iptables": { ...USUAL, docker29: true, netlink: true },
};

for (const [name, kind] of Object.entries(HOSTS))
  t.test(`${name}: after any events, the next run brings the host to its desired state`, async (t) => {
    let count = 0;
    let steps = 0;
    const seed = process.env.OCDD_SEED === undefined ? undefined : Number(process.env.OCDD_SEED);
    await fc.assert(
      fc.asyncProperty(
        // a run after every few commands
        fc.commands([...commands, ...runs(converge)], { maxCommands: 60, size: "max" }),
        async (walk) => {
          const world = new World(RANGES.usual, kind);
          try {
            await fc.asyncModelRun(() => ({ model: {}, real: world }), walk);
            await converge(world);
          } finally {
            world.floor.remove();
          }
          count += world.runs;
          steps += [...walk].length;
        },
      ),
      {
        ...(seconds === 0
          ? { numRuns: WALKS }
          : { numRuns: 1_000_000, interruptAfterTimeLimit: (seconds * 1000) / Object.keys(HOSTS).length }),
        markInterruptAsFailure: false,
        ...(seed === undefined ? {} : { seed }),
      },
    );
    t.comment(`${steps} steps, ${count} runs`);
    t.ok(steps > 0 && count > 0, "a walk has steps and runs");
  });

async function served(names: readonly string[]): Promise<World> {
  const world = new World(RANGES.usual);
  t.teardown(() => world.floor.remove());
  for (const name of names) await world.start(name, new Map(), "bridge");
  await converge(world);
  return world;
}

t.test(
  "a container that was seen while it started comes back on another port: the earlier one is gone",
  async (t) => {
    const world = new World(RANGES.usual);
    t.teardown(() => world.floor.remove());
    await world.start("web", new Map(), "bridge", true);
    await world.run();
    for (const one of [...world.floor.docker.containers_]) await world.again(one, false);
    await world.run();
    t.equal((await world.run())?.seen.bridgePorts.length, 1);
    await converge(world);
  },
);

t.test("a moved range: the services outside of it get other addresses, the rest keep theirs", async (t) => {
  const world = await served(["a", "b", "c", "d"]);
  world.reconfigure(RANGES.moved);
  await converge(world);
  const aliases = world.floor.kernel.addresses.filter((a) => a.label === "ens3:ocdd");
  t.equal(aliases.length, 4);
  t.ok(aliases.every(({ address }) => world.config.pool.some((range) => contains(range, address))));
});

t.test(
  "a second run, by events or whole: no program and no file operation that changes anything",
  async (t) => {
    const world = await served(["a", "b", "c"]);
    const { kernel } = world.floor;
    const before = JSON.stringify([
      kernel.rules,
      kernel.addresses,
      [...kernel.nft.tables].map((x) => JSON.stringify(x, maps)),
    ]);
    const changing: string[] = [];
    world.floor.fails = (command) => {
      if (!/show|save|list/.test(command)) changing.push(command);
      return false;
    };
    world.now += HOLD * 20;
    await world.run();
    world.restart();
    await world.run();
    t.strictSame(changing, []);
    t.equal(
      JSON.stringify([
        kernel.rules,
        kernel.addresses,
        [...kernel.nft.tables].map((x) => JSON.stringify(x, maps)),
      ]),
      before,
    );
  },
);

t.test("nft refuses the first trial of the tables: the next run guards", async (t) => {
  const world = new World(RANGES.usual);
  t.teardown(() => world.floor.remove());
  await world.start("web", new Map(), "bridge");
  world.floor.fails = (command) => command === "nft -f -";
  t.match((await world.run())?.seen.firewall, { unguarded: /temporarily unavailable/ });
  world.floor.fails = undefined;
  world.director.host.invalidate();
  t.match((await world.run())?.seen.firewall, { unguarded: null });
  await converge(world);
});

t.test(
  "one of the two tables is deleted by another program: what the other leads is still seen, and flushed",
  async () => {
    const world = new World(RANGES.usual, { ...USUAL, firewall: "nft" });
    t.teardown(() => world.floor.remove());
    for (let starts = 0; starts < 2; starts++) {
      const what = (): void => world.meanwhile(world.start("web", new Map(), "bridge"));
      await world.attempt({ calls: 0, when: "before", what });
    }
    world.floor.kernel.nft.tables.delete("bridge ocdd");
    world.tampered();
    for (const one of world.floor.docker.running()) await world.again(one, false);
    for (const one of world.floor.docker.running()) await world.again(one, false);
    world.reconfigure("192.168.122.14-192.168.122.25");
    await converge(world);
  },
);

for (const range of Object.values(RANGES))
  t.test(
    `it ends before a director that has just started knows its lease, range ${range}: no flow to its alias stays`,
    async (t) => {
      const world = new World(RANGES.usual, { ...USUAL, nft: false });
      t.teardown(() => world.floor.remove());
      await world.start("web", new Map([["ocdd.address", "192.168.122.11"]]), "bridge");
      await world.attempt();
      world.restart();
      const [web] = world.floor.docker.running();
      const what = (): void => world.meanwhile(world.stop(web as Container));
      await world.attempt({ calls: 0, when: "before", what });
      t.strictSame([...world.floor.kernel.flows], [], "after the run in which it ended");
      world.reconfigure(range);
      await converge(world);
    },
  );
