import fc from "fast-check";
import t from "tap";
import type { Name } from "../../../src/core/services/name.ts";
import { type Claim, type Grant, grantNames } from "../../../src/core/services/names.ts";
import { name } from "../make.ts";

const free = (): null => null;
const none: ReadonlyMap<string, string> = new Map();

function claim(over: Partial<Claim> & { readonly key: string; readonly wish: Name }): Claim {
  return { group: over.key, aliases: [], project: null, service: null, number: 0, created: 100, ...over };
}

/** A container of a compose service. */
function member(project: string, service: string, number: number, over: Partial<Claim> = {}): Claim {
  const group = `compose:${project}/${service}`;
  return {
    key: `${group}/${number}`,
    group,
    wish: name(service),
    aliases: [],
    project: name(project),
    service: name(service),
    number,
    created: 100 + number,
    ...over,
  };
}

const show = (grants: ReadonlyMap<string, Grant>): Record<string, string> =>
  Object.fromEntries([...grants].map(([key, g]) => [key, g.names.join(" ")]));

t.test("names by claim and lease: the granted names", async (t) => {
  t.strictSame(show(grantNames([claim({ key: "container:web", wish: name("web") })], none, free)), {
    "container:web": "web",
  });
  t.strictSame(show(grantNames([member("shop", "web", 1)], none, free)), {
    "compose:shop/web/1": "web web.shop",
  });
  t.strictSame(show(grantNames([member("shop", "web", 1), member("shop", "web", 2)], none, free)), {
    "compose:shop/web/1": "web-1 web web.shop",
    "compose:shop/web/2": "web-2 web web.shop",
  });
  const two = [member("a", "web", 1, { created: 5 }), member("b", "web", 1, { created: 9 })];
  t.strictSame(show(grantNames(two, none, free)), {
    "compose:a/web/1": "web web.a",
    "compose:b/web/1": "web-b web.b",
  });
  const held = new Map([["web", "compose:b/web"]]);
  const got = grantNames(two, held, free);
  t.strictSame(show(got), { "compose:b/web/1": "web web.b", "compose:a/web/1": "web-a web.a" });
  t.equal(got.get("compose:a/web/1")?.renamed, '"web" is held by b/web');
});

t.test("a name held by a container that does not run: kept for it", async (t) => {
  const got = grantNames(
    [claim({ key: "container:x", wish: name("web") })],
    new Map([["web", "container:web"]]),
    free,
  );
  t.match(show(got)["container:x"], /^web-[0-9a-f]{4}$/);
  t.equal(got.get("container:x")?.renamed, '"web" is held by web');
});

t.test("a barred name: not granted, with the reason", async (t) => {
  const blocked = (n: string): string | null => (n === "ns" ? '"ns" is reserved' : null);
  const got = grantNames(
    [claim({ key: "container:ns", wish: name("ns"), aliases: [name("ns"), name("dns")] })],
    none,
    blocked,
  ).get("container:ns");
  t.match(got?.own, /^ns-[0-9a-f]{4}$/);
  t.equal(got?.renamed, '"ns" is reserved');
  t.strictSame(got?.notes, ['"ns" is reserved']);
  t.strictSame(got?.names.slice(1), ["dns"]);
});

t.test("a container's own name: no alias of another container of its service", async (t) => {
  const both = [1, 2].map((n) => member("p", "web", n, { aliases: [name("web-2"), name("www")] }));
  const got = grantNames(both, none, free);
  t.notOk(got.get("compose:p/web/1")?.names.includes("web-2"));
  t.strictSame(got.get("compose:p/web/2")?.shared, ["web", "www", "web.p"]);
});

t.test("many containers of one service with the longest name keep a name each", async (t) => {
  const service = "s".repeat(63);
  const grants = grantNames(
    Array.from({ length: 700 }, (_, i) => member("p", service, i + 1)),
    none,
    free,
  );
  t.equal(new Set([...grants.values()].map((g) => g.own)).size, 700);
});

// Claims as they collide: few words, few projects, every order of start.
const words = fc.constantFrom("web", "db", "web-1", "web-2", "web-a", "a", "x".repeat(63)).map(name);
const groups = fc.uniqueArray(
  fc.record({
    project: fc.option(fc.constantFrom("a", "b", "web").map(name), { nil: null }),
    wish: words,
    aliases: fc.array(words, { maxLength: 2 }),
    members: fc.integer({ min: 1, max: 3 }),
    created: fc.nat(5),
    ownName: fc.option(words, { nil: null }),
  }),
  { maxLength: 7, selector: (g) => `${g.project ?? ""}/${g.wish}` },
);
const claims = groups.map((list) =>
  list.flatMap((g, at): Claim[] => {
    if (g.project === null)
      return [
        claim({ key: `container:${g.wish}${at}`, wish: g.wish, aliases: g.aliases, created: g.created }),
      ];
    return Array.from({ length: g.members }, (_, i) =>
      member(g.project ?? "", g.wish, i + 1, {
        aliases: g.aliases,
        created: g.created + i,
        ...(g.ownName === null || i > 0 ? {} : { wish: g.ownName }),
      }),
    );
  }),
);
const holding = fc
  .dictionary(words, fc.constantFrom("container:web0", "compose:a/web", "compose:b/db", "container:gone"))
  .map((d) => new Map(Object.entries(d)));
const blocked = fc.constantFrom<(n: string) => string | null>(
  free,
  (n) => (n === "db" ? "reserved" : null),
  (n) => (n === "web-1" ? "reserved" : null),
);

/** What the next run of the director reads from the leases. */
function heldAfter(
  list: readonly Claim[],
  grants: ReadonlyMap<string, Grant>,
  before: ReadonlyMap<string, string>,
): Map<string, string> {
  const present = new Set(list.map((c) => c.group));
  const held = new Map([...before].filter(([, group]) => !present.has(group)));
  for (const c of list) for (const n of grants.get(c.key)?.kept ?? []) held.set(n, c.group);
  return held;
}

const text = (grants: ReadonlyMap<string, Grant>): string =>
  JSON.stringify([...grants].map(([key, g]) => [key, g.own, [...g.names].sort()]).sort());

const RUNS = { numRuns: Number(process.env.OCDD_RUNS ?? 1000) };

t.test("any claims: each gets a name of its own, and no name belongs to two groups", async () => {
  fc.assert(
    fc.property(claims, holding, blocked, (list, held, bar) => {
      const grants = grantNames(list, held, bar);
      const owner = new Map<string, string>();
      for (const c of list) {
        const g = grants.get(c.key);
        if (g === undefined || g.names[0] !== g.own) return false;
        for (const n of g.names) {
          if (bar(n) !== null) return false;
          const holder = held.get(n);
          if (holder !== undefined && holder !== c.group && !list.some((other) => other.group === holder))
            return false;
          if ((owner.get(n) ?? c.group) !== c.group) return false;
          owner.set(n, c.group);
        }
      }
      return list.every((c) =>
        list.every(
          (other) => c === other || !grants.get(other.key)?.names.includes(grants.get(c.key)?.own ?? ""),
        ),
      );
    }),
    RUNS,
  );
});

t.test("the second run grants what the first did", async () => {
  fc.assert(
    fc.property(claims, holding, blocked, (list, held, bar) => {
      const first = grantNames(list, held, bar);
      const second = grantNames(list, heldAfter(list, first, held), bar);
      return text(first) === text(second);
    }),
    RUNS,
  );
});

t.test("the claims in any order: the same names", async () => {
  fc.assert(
    fc.property(
      claims.chain((list) =>
        fc.tuple(fc.constant(list), fc.shuffledSubarray(list, { minLength: list.length })),
      ),
      holding,
      ([list, shuffled], held) =>
        text(grantNames(list, held, free)) === text(grantNames(shuffled, held, free)),
    ),
    RUNS,
  );
});

t.test("a holder of a name keeps it, whichever claims are added", async () => {
  fc.assert(
    fc.property(claims, claims, (list, newcomers) => {
      const first = grantNames(list, none, free);
      const held = heldAfter(list, first, none);
      const keys = new Set(list.map((c) => c.group));
      const later = [
        ...list,
        ...newcomers.filter((c) => !keys.has(c.group)).map((c) => ({ ...c, created: 0 })),
      ];
      const second = grantNames(later, held, free);
      return list.every((c) => second.get(c.key)?.own === first.get(c.key)?.own);
    }),
    RUNS,
  );
});
