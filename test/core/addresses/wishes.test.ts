/** `ocdd.address`: which containers get the address that they ask for, and that no lease in use or on hold suffers. */
import fc from "fast-check";
import t from "tap";
import { addressesOf, type Ipv4, type Range } from "../../../src/core/addresses/ipv4.ts";
import {
  type AllocateInput,
  type Allocation,
  allocate,
  isHeld,
  MOVED,
  type Owner,
} from "../../../src/core/addresses/lease.ts";
import { grantWishes } from "../../../src/core/addresses/wishes.ts";
import { decide } from "../../../src/core/decide.ts";
import type { Container, Lease, Observation } from "../../../src/core/model.ts";
import { BARE, composeLabels, config, container, id, ip, lease, NOW, network, observation } from "../make.ts";
import { HOLD, inputOf, LEAST, table } from "./input.ts";

const POOL: readonly Range[] = [{ first: ip("10.0.0.1"), last: ip("10.0.0.8") }];
const owner = (key: string, wish?: string, container = `id-${key}`): Owner => ({
  key,
  container,
  wish: wish === undefined ? undefined : ip(wish),
});

type Given = Allocation & { readonly denied: ReadonlyMap<string, string> };

function given(over: Partial<AllocateInput>): Given {
  const input = inputOf(POOL, over);
  const { granted, denied } = grantWishes(input);
  return { ...allocate({ ...input, granted }), denied };
}

const active = ({ table }: Given): string[] =>
  table.leases
    .filter((one) => one.releasedAt === null)
    .map((one) => `${one.key} ${one.address}`)
    .sort();

t.test("a free address is given to what asks for it, before any other gets it as the lowest", async (t) => {
  const got = given({ owners: [owner("new"), owner("web", "10.0.0.1"), owner("api", "10.0.0.7")] });
  t.same(active(got), ["api 10.0.0.7", "new 10.0.0.2", "web 10.0.0.1"]);
  t.same(got.fresh.toSorted(), ["10.0.0.1", "10.0.0.2", "10.0.0.7"], "all are probed");
  t.same([...got.denied], []);
});

t.test("an address that cannot be given: an ordinary one, and why", async (t) => {
  const leases = table(
    lease("10.0.0.3", "db", { container: "id-db", names: ["db"] }),
    lease("10.0.0.4", "old", { releasedAt: NOW - HOLD + 1, names: ["old"] }),
    lease("10.0.0.5", "", { releasedAt: NOW }),
    lease("10.0.0.6", "back", { releasedAt: NOW - HOLD, names: ["back"] }),
  );
  const conflicts = [{ address: ip("10.0.0.7"), seenAt: NOW }];
  const why = (wish: string): string | undefined => {
    const got = given({
      table: { ...leases, conflicts },
      owners: [owner("web", wish), owner("db"), owner("back")],
      excluded: new Set([ip("10.0.0.2")]),
      avoided: new Set([ip("10.0.0.8")]),
    });
    t.ok(active(got).includes("web 10.0.0.1"), wish);
    t.ok(active(got).includes("db 10.0.0.3") && active(got).includes("back 10.0.0.6"), "others keep theirs");
    return got.denied.get("web");
  };
  t.equal(why("10.0.0.9"), "10.0.0.9 is not in the range");
  t.equal(why("10.0.0.2"), "10.0.0.2 is reserved");
  t.equal(why("10.0.0.8"), "10.0.0.8 is reserved");
  t.equal(why("10.0.0.3"), "10.0.0.3 belongs to db");
  t.equal(why("10.0.0.4"), "10.0.0.4 is on hold for old");
  t.equal(why("10.0.0.5"), "10.0.0.5 is on hold for an unknown owner");
  t.equal(why("10.0.0.6"), "10.0.0.6 belongs to back", "its owner starts again in this run");
  t.equal(why("10.0.0.7"), "10.0.0.7 is in use by another machine on the network");
});

t.test(
  "an address whose hold is over is given; of several that ask for one the oldest gets it",
  async (t) => {
    const leases = table(lease("10.0.0.4", "old", { releasedAt: NOW - HOLD }));
    const got = given({ table: leases, owners: [owner("young", "10.0.0.4"), owner("first", "10.0.0.4")] });
    t.same(active(got), ["first 10.0.0.4", "young 10.0.0.1"]);
    t.match([...got.denied], [["young", /has been given to an older container/]]);
  },
);

t.test("a container that has an address keeps it; a new one, or one that starts again, moves", async (t) => {
  const held = (over: Partial<Lease>) =>
    table(lease("10.0.0.2", "web", { container: "id-web", names: ["web"], ...over }));
  const owners = [owner("web", "10.0.0.7")];
  const stays = given({ table: held({}), owners });
  t.same(active(stays), ["web 10.0.0.2"]);
  t.same(stays.denied.get("web"), "10.0.0.7 is free: restart the container to get it");
  for (const [over, released] of [
    [{ container: "id-before" }, NOW],
    [{ releasedAt: NOW - 20 }, NOW - 20],
  ] as const) {
    const moves = given({ table: held(over), owners });
    t.same(active(moves), ["web 10.0.0.7"]);
    const [before, after] = moves.table.leases;
    t.match(before, { address: "10.0.0.2", key: `${MOVED}web`, names: [], releasedAt: released }, "on hold");
    t.same(after?.names, ["web"], "it keeps its names");
    const other = given({ table: moves.table, owners: [owner("x", "10.0.0.2"), ...owners] });
    t.same(other.denied.get("x"), "10.0.0.2 is on hold for web");
    const back = given({ table: moves.table, owners: [owner("web", "10.0.0.2", "id-again")] });
    t.same(active(back), ["web 10.0.0.2"], "and back, also while it is on hold");
  }
});

// Histories: containers come, go, are created again and change what they ask for, while time passes.
const KEYS = "abcdefgh";
const steps = fc.array(
  fc.record({
    owners: fc.uniqueArray(
      fc.record({
        key: fc.constantFrom(...KEYS),
        wish: fc.option(fc.integer({ min: 0, max: 10 }), { nil: undefined }),
        again: fc.boolean(),
      }),
      { selector: ({ key }) => key, maxLength: 8 },
    ),
    pause: fc.constantFrom(1, LEAST, HOLD, 400),
  }),
  { minLength: 2, maxLength: 12 },
);

t.test(
  "over any history: no lease in use moves, none is taken while it is in use or on hold, each owner has one, a second run changes nothing",
  async () => {
    fc.assert(
      fc.property(steps, (history) => {
        let now = NOW;
        let before = table();
        let round = 0;
        const containers = new Map<string, { id: string; wish: number | undefined }>();
        for (const step of history) {
          now += step.pause;
          round += 1;
          const owners = step.owners.map(({ key, wish, again }) => {
            // labels of a container do not change: another wish is another container
            const known = containers.get(key);
            const one = known === undefined || again ? { id: `${key}${round}`, wish } : known;
            containers.set(key, one);
            return owner(key, one.wish === undefined ? undefined : `10.0.0.${one.wish}`, one.id);
          });
          const input = { table: before, owners, now };
          const got = given(input);
          const own = new Map(owners.map((one) => [one.key, one]));
          const after = new Map(got.table.leases.map((one) => [one.address, one]));
          const mine = got.table.leases.filter((one) => one.releasedAt === null);
          if (after.size !== got.table.leases.length) return false;
          if (new Set(mine.map(({ key }) => key)).size !== mine.length) return false;
          if (got.unserved.length + mine.length !== owners.length) return false;
          for (const was of before.leases) {
            const is = after.get(was.address);
            const mover = own.get(was.key);
            // the same container, in use before and now
            const inUse = was.releasedAt === null && mover?.container === was.container;
            if (inUse && (is?.key !== was.key || is.releasedAt !== null)) return false;
            const owned = [was.key, `${MOVED}${was.key}`, was.key.replace(MOVED, "")];
            if (isHeld(was, now, HOLD) && !owned.includes(is?.key ?? "none")) return false;
            // what asks for no address keeps its own, also when it starts again
            if (mover !== undefined && mover.wish === undefined && is?.key !== was.key) return false;
          }
          for (const one of owners) {
            const has = mine.find(({ key }) => key === one.key)?.address;
            if (has !== undefined && one.wish !== undefined && has !== one.wish && !got.denied.has(one.key))
              return false;
          }
          const free = [...addressesOf(POOL[0] as Range)].filter((address: Ipv4) => {
            const there = after.get(address);
            return there === undefined || !isHeld(there, now, HOLD);
          });
          if (got.unserved.length > 0 && free.length > 0) return false;
          const second = given({ ...input, table: got.table });
          if (second.fresh.length > 0 || JSON.stringify(second.table) !== JSON.stringify(got.table))
            return false;
          before = got.table;
        }
        return true;
      }),
      { numRuns: 1_000 },
    );
  },
);

const decided = (containers: readonly Container[], over: Partial<Observation> = {}, leases: Lease[] = []) =>
  decide(
    config(),
    observation({ containers, actual: { ...BARE, table: { ...BARE.table, leases } }, ...over }),
    NOW,
  );
const asking = (text: string, over: Partial<Container> = {}): Container =>
  container({ name: "web", labels: new Map([["ocdd.address", text]]), ...over });

t.test("the label: the service, its forward and its record have the address", async (t) => {
  const d = decided([asking(" 192.168.122.30 ")]);
  t.match(d.services, [{ name: "web", address: "192.168.122.30", forward: { alias: "192.168.122.30" } }]);
  t.same(
    d.desired.aliases.map(({ address }) => address),
    ["192.168.122.30"],
  );
  t.same(d.fresh, ["192.168.122.30"]);
  t.same(d.warnings, []);
});

t.test("the label when it cannot have what it asks for: served all the same, with a warning", async (t) => {
  const warns = (
    one: Container,
    over: Partial<Observation> = {},
    leases: Lease[] = [],
  ): [unknown, string[]] => {
    const d = decided([one], over, leases);
    return [
      d.services.map(({ address }) => address)[0],
      d.warnings.filter((text) => text.includes("ocdd.address")),
    ];
  };
  t.same(warns(asking("192.168.122.31")), [
    "192.168.122.11",
    [
      'container "web" has 192.168.122.11, not the address that its label ocdd.address asks for: 192.168.122.31 is not in the range',
    ],
  ]);
  const held = lease("192.168.122.20", "container:db", { names: ["db"], releasedAt: NOW - 5 });
  t.match(warns(asking("192.168.122.20"), {}, [held]), [
    "192.168.122.11",
    [/: 192\.168\.122\.20 is on hold for db$/],
  ]);
  t.match(warns(asking("1.2.3\u001b")), [
    "192.168.122.11",
    [/label ocdd\.address cannot be read and is ignored: "1\.2\.3\ufffd"/],
  ]);
  const host = warns(asking("192.168.122.20", { networkMode: "host", attachments: [] }));
  t.match(host, ["192.168.122.200", [/label ocdd\.address has no effect: it has no alias of its own$/]]);
});

t.test("a one-off has its service's label, and not its address", async (t) => {
  const labels = new Map([
    ...composeLabels("p", "web"),
    ["com.docker.compose.oneoff", "True"],
    ["ocdd.address", "192.168.122.30"],
  ]);
  t.same(
    decided([container({ name: "p-web-run-1", labels })]).services.map(({ address }) => address),
    ["192.168.122.11"],
  );
});

t.test("a service asleep keeps its address, whatever its label says", async (t) => {
  const labels = new Map([
    ["ocdd.wake", "true"],
    ["ocdd.address", "192.168.122.30"],
  ]);
  const wiki = container({ name: "wiki", state: "exited", labels });
  const held = lease("192.168.122.15", "container:wiki", { names: ["wiki"], container: id("wiki") });
  const d = decided([], { stopped: [wiki], networks: [network({ name: "bridge", cidr: "172.17.0.0/16" })] }, [
    held,
  ]);
  t.match(d.services, [{ name: "wiki", address: "192.168.122.15", state: "asleep" }]);
});
