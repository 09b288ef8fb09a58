import fc from "fast-check";
import t from "tap";
import {
  addressesOf,
  compareIpv4,
  contains,
  type Ipv4,
  parseCidr,
  type Range,
} from "../../../src/core/addresses/ipv4.ts";
import {
  type AllocateInput,
  allocate,
  CONFLICT_RETRY,
  isHeld,
  type Owner,
  rebuildTable,
} from "../../../src/core/addresses/lease.ts";
import type { Lease, LeaseTable } from "../../../src/core/model.ts";
import { ip, lease, NOW, name } from "../make.ts";
import { HOLD, inputOf, LEAST, table } from "./input.ts";

const POOL: readonly Range[] = [{ first: ip("10.0.0.1"), last: ip("10.0.0.8") }];
const owner = (key: string): Owner => ({ key, container: `id-${key}` });

function given(over: Partial<AllocateInput>) {
  return allocate(inputOf(POOL, over));
}

/** Active leases as `key address`. */
const active = (t: LeaseTable): string[] =>
  t.leases
    .filter((l) => l.releasedAt === null)
    .map((l) => `${l.key} ${l.address}`)
    .sort();

t.test("lowest free first, in the order of the owners", async (t) => {
  const got = given({ owners: ["c", "a", "b"].map(owner), excluded: new Set([ip("10.0.0.2")]) });
  t.strictSame(active(got.table), ["a 10.0.0.3", "b 10.0.0.4", "c 10.0.0.1"]);
  t.strictSame(got.fresh, ["10.0.0.1", "10.0.0.3", "10.0.0.4"]);
  t.strictSame(got.spare.slice(0, 2), ["10.0.0.5", "10.0.0.6"]);
});

t.test("an owner keeps its address, whichever other comes first", async (t) => {
  const got = given({ table: table(lease("10.0.0.5", "old")), owners: ["new", "old"].map(owner) });
  t.strictSame(active(got.table), ["new 10.0.0.1", "old 10.0.0.5"]);
  t.strictSame(got.fresh, ["10.0.0.1"]);
  t.equal(
    got.table.leases.find((l) => l.key === "old")?.container,
    "id-old",
    "the lease names the container seen last",
  );
});

t.test(
  "a released address is on hold, then the longest released is reused, after all that were never leased",
  async (t) => {
    const pool = [{ first: ip("10.0.0.1"), last: ip("10.0.0.3") }];
    const released = table(
      lease("10.0.0.1", "x", { releasedAt: NOW - HOLD }),
      lease("10.0.0.2", "y", { releasedAt: NOW - HOLD - 50 }),
    );
    t.strictSame(active(given({ pool, table: released, owners: ["a", "b", "c"].map(owner) }).table), [
      "a 10.0.0.3",
      "b 10.0.0.2",
      "c 10.0.0.1",
    ]);
    const onHold = table(lease("10.0.0.1", "x", { releasedAt: NOW - HOLD + 1 }));
    const got = given({
      pool: [{ first: ip("10.0.0.1"), last: ip("10.0.0.1") }],
      table: onHold,
      owners: [owner("a")],
    });
    t.strictSame(active(got.table), []);
    t.strictSame(got.unserved, [owner("a")]);
    t.strictSame(
      active(given({ table: onHold, owners: [owner("x")] }).table),
      ["x 10.0.0.1"],
      "its owner gets it back at any time",
    );
  },
);

t.test(
  "a full range: addresses on hold for containers that no longer exist are given, the longest released first",
  async (t) => {
    const pool = [{ first: ip("10.0.0.1"), last: ip("10.0.0.4") }];
    const held = table(
      lease("10.0.0.1", "late", { releasedAt: NOW - LEAST }),
      lease("10.0.0.2", "kept", { releasedAt: NOW - HOLD + 1 }),
      lease("10.0.0.3", "early", { releasedAt: NOW - LEAST - 9 }),
      lease("10.0.0.4", "now", { releasedAt: NOW - LEAST + 1 }),
    );
    const isGone = ({ key }: Lease): boolean => key !== "kept";
    const got = given({ pool, table: held, owners: ["a", "b", "c"].map(owner), isGone });
    t.strictSame(active(got.table), ["a 10.0.0.3", "b 10.0.0.1"]);
    t.strictSame(got.unserved, [owner("c")], "neither one that still exists nor one released a moment ago");
    const roomy = [{ first: ip("10.0.0.1"), last: ip("10.0.0.5") }];
    t.strictSame(active(given({ pool: roomy, table: held, owners: [owner("a")], isGone }).table), [
      "a 10.0.0.5",
    ]);
  },
);

t.test(
  "a service that is gone: released now; a release in the future, after a change of the clock: the hold starts again",
  async (t) => {
    const got = given({
      table: table(lease("10.0.0.1", "a"), lease("10.0.0.2", "b", { releasedAt: NOW + 9999 })),
    });
    t.strictSame(
      got.table.leases.map((l) => l.releasedAt),
      [NOW, NOW],
    );
  },
);

t.test("an address that another machine answered for: not given out for a while (O-14)", async (t) => {
  const conflicts = [{ address: ip("10.0.0.1"), seenAt: NOW - CONFLICT_RETRY + 1 }];
  t.strictSame(active(given({ table: { ...table(), conflicts }, owners: [owner("a")] }).table), [
    "a 10.0.0.2",
  ]);
  const old = [{ address: ip("10.0.0.1"), seenAt: NOW - CONFLICT_RETRY }];
  const got = given({ table: { ...table(), conflicts: old }, owners: [owner("a")] });
  t.strictSame(active(got.table), ["a 10.0.0.1"]);
  t.strictSame(got.table.conflicts, []);
  const future = [{ address: ip("10.0.0.1"), seenAt: NOW + 5 }];
  t.strictSame(
    given({ table: { ...table(), conflicts: future } }).table.conflicts,
    [],
    "the clock was set back",
  );
});

t.test("a range that no longer covers an active lease: the lease is evicted, and reported", async (t) => {
  const got = given({
    table: table(lease("10.0.9.9", "a"), lease("10.0.9.8", "gone")),
    owners: [owner("a")],
  });
  t.strictSame(
    got.evicted.map((l) => l.address),
    ["10.0.9.9"],
  );
  t.strictSame(active(got.table), ["a 10.0.0.1"]);
});

t.test("an address of another device: not given out, but ends no lease", async (t) => {
  const got = given({
    table: table(lease("10.0.0.1", "a")),
    owners: ["a", "b"].map(owner),
    avoided: new Set([ip("10.0.0.1"), ip("10.0.0.2")]),
  });
  t.strictSame(got.evicted, []);
  t.strictSame(active(got.table), ["a 10.0.0.1", "b 10.0.0.3"]);
});

// Histories: containers come and go while time passes, in every order.
const keys = fc.uniqueArray(fc.constantFrom(..."abcdefghijkl"), { maxLength: 10 });
const history = fc.array(fc.record({ owners: keys, pause: fc.constantFrom(1, 60, HOLD, 400) }), {
  minLength: 1,
  maxLength: 12,
});

t.test(
  "over any history, with and without containers that are gone: one owner an address, none reused during its hold, lowest first, no service without one while one is free",
  async () => {
    fc.assert(
      fc.property(history, fc.constantFrom("", "abc", "abcdefghijkl"), (steps, gone) => {
        const isGone = (one: Lease): boolean => gone.includes(one.key);
        const holdOf = (one: Lease): number => (isGone(one) ? LEAST : HOLD);
        let now = NOW;
        let held = table();
        const before = new Map<Ipv4, { key: string; until: number }>();
        for (const step of steps) {
          now += step.pause;
          const owners = step.owners.map(owner);
          const got = given({ table: held, owners, now, isGone });
          const mine = got.table.leases.filter((l) => l.releasedAt === null);
          if (new Set(got.table.leases.map((l) => l.address)).size !== got.table.leases.length) return false;
          if (new Set(mine.map((l) => l.key)).size !== mine.length) return false;
          if (!mine.every((l) => step.owners.includes(l.key) && POOL.some((r) => contains(r, l.address))))
            return false;
          for (const l of mine) {
            const last = before.get(l.address);
            if (last !== undefined && last.key !== l.key && now < last.until) return false;
          }
          for (const [address, last] of before) {
            const then = got.table.leases.find((l) => l.address === address);
            if (step.owners.includes(last.key) && now < last.until && then?.key !== last.key) return false;
          }
          // every service has an address while one is free
          const free = [...addressesOf(POOL[0] as Range)].filter((a) => {
            const l = got.table.leases.find((one) => one.address === a);
            return l === undefined || !isHeld(l, now, holdOf(l));
          });
          if (got.unserved.length > 0 && free.length > 0) return false;
          if (got.unserved.length + mine.length !== owners.length) return false;
          const again = given({ table: got.table, owners, now, isGone });
          if (again.fresh.length > 0 || JSON.stringify(again.table) !== JSON.stringify(got.table))
            return false;
          for (const l of got.table.leases)
            before.set(l.address, {
              key: l.key,
              until: l.releasedAt === null ? Number.POSITIVE_INFINITY : l.releasedAt + holdOf(l),
            });
          held = got.table;
        }
        return true;
      }),
      { numRuns: 500 },
    );
  },
);

t.test("lost leases: rebuilt from the rules; an address of an unknown owner is on hold", async (t) => {
  const owners = new Map([[ip("172.17.0.2"), owner("web")]]);
  const forwards = [
    { name: name("web"), alias: ip("10.0.0.3"), target: ip("172.17.0.2") },
    { name: name("web"), alias: ip("10.0.0.3"), target: ip("172.17.0.2") },
    { name: name("db"), alias: ip("10.0.0.4"), target: ip("172.17.0.9") },
  ];
  const got = rebuildTable(forwards, ({ target }) => owners.get(target), POOL, NOW);
  t.strictSame(active(got), ["web 10.0.0.3"]);
  t.equal(got.leases.length, 8);
  t.ok(got.leases.filter((l) => l.key !== "web").every((l) => l.key === "" && l.releasedAt === NOW));
  t.strictSame(got.leases.find((l) => l.key === "web")?.names, ["web"]);
  const next = given({ table: got, owners: ["web", "db"].map(owner) });
  t.strictSame(active(next.table), ["web 10.0.0.3"]);
  t.equal(next.unserved.length, 1, "until the rest is over");
  t.strictSame(
    active(given({ table: got, owners: ["web", "db"].map(owner), now: NOW + HOLD }).table).length,
    2,
  );
});

t.test("a pool of many parts is used in order (O-29)", async (t) => {
  const pool = ["10.9.0.8/30", "10.1.0.0/31"]
    .flatMap((c) => parseCidr(c) ?? [])
    .sort((a, b) => compareIpv4(a.first, b.first));
  const got = given({ pool, owners: ["a", "b", "c"].map(owner) });
  t.strictSame(got.fresh, ["10.1.0.0", "10.1.0.1", "10.9.0.8"]);
});
