/** The check of a churn's history, on hand-made histories: it passes a correct one and reports each fault. */

import t from "tap";
import { BOUNDS, deathsToRuleGone, heldByDisk, judge, judgedDeaths } from "./history.ts";
import { asBusy, type Bounds, type Note } from "./note.ts";

const ANN = "192.168.122.11";
const BOB = "192.168.122.12";
const ann: readonly [string, string] = [ANN, "172.17.0.2"];
const bob: readonly [string, string] = [BOB, "172.17.0.3"];
const named = (container: string, value: string | null, from: number, to: number): Note => ({
  kind: "named",
  at: to,
  container,
  value,
  first: [from, from + 2],
  last: [to - 2, to],
  count: 9,
});
const replies = (container: string, who: string | null, times: readonly number[]): Note => ({
  kind: "replies",
  at: 9_000,
  container,
  who,
  count: times.length,
  times,
});

/** ann stays. bob is served from 2000 and ends at 4000; Docker assigns its address to cat at 4300. */
const GOOD: Readonly<Record<string, Note>> = {
  annHolds: { kind: "holds", at: 900, address: "172.17.0.2", container: "ann" },
  annLease: { kind: "leases", at: 1_000, owners: [[ANN, "ann"]] },
  annRule: { kind: "rules", at: 1_010, forwards: [ann] },
  annAlias: { kind: "alias", at: 1_020, address: ANN, there: true },
  annNamed: named("ann", ANN, 1_100, 9_000),
  annReplies: replies("ann", "ann", [1_100, 5_000, 8_000]),
  bobHolds: { kind: "holds", at: 2_000, address: "172.17.0.3", container: "bob" },
  bobLives: { kind: "life", at: 2_000, container: "bob", alive: true },
  bobLease: {
    kind: "leases",
    at: 2_005,
    owners: [
      [ANN, "ann"],
      [BOB, "bob"],
    ],
  },
  bobRule: { kind: "rules", at: 2_020, forwards: [ann, bob] },
  bobAlias: { kind: "alias", at: 2_030, address: BOB, there: true },
  bobNot: named("bob", null, 1_100, 2_030),
  bobNamed: named("bob", BOB, 2_050, 4_010),
  bobDies: { kind: "life", at: 4_000, container: "bob", alive: false },
  bobNoMore: named("bob", null, 4_015, 9_000),
  bobAliasGone: { kind: "alias", at: 4_025, address: BOB, there: false },
  bobRuleGone: { kind: "rules", at: 4_040, forwards: [ann] },
  bobLeaves: { kind: "holds", at: 4_100, address: "172.17.0.3", container: null },
  catHolds: { kind: "holds", at: 4_300, address: "172.17.0.3", container: "cat" },
  bobReplies: replies("bob", "bob", [2_100, 3_900]),
  bobSilence: replies("bob", null, [4_060, 8_000]),
};

const BOUND: Bounds = { ...BOUNDS, untouched: ["ann"] };

t.test("a correct history, in any order of its notes: passes", (t) => {
  t.same(judge(Object.values(GOOD), BOUND), []);
  t.same(judge(Object.values(GOOD).reverse(), BOUND), []);
  t.same(deathsToRuleGone(Object.values(GOOD)), [40]);
  t.end();
});

const without = (key: string): Record<string, Note> =>
  Object.fromEntries(Object.entries(GOOD).filter(([name]) => name !== key));
const moved = (key: string, at: number): Record<string, Note> => ({
  ...GOOD,
  [key]: { ...(GOOD[key] as Note), at },
});

const BAD: readonly {
  readonly name: string;
  readonly history: Record<string, Note>;
  readonly want: RegExp;
}[] = [
  {
    name: "a rule outlives an address given anew",
    history: moved("bobRuleGone", 4_400),
    want: /for 100 ms .* of bob is forwarded to 172.17.0.3, which is cat's/,
  },
  { name: "a rule never goes", history: without("bobRuleGone"), want: /which is cat's/ },
  {
    name: "a rule stands before its lease is on disk",
    history: moved("bobLease", 2_090),
    want: /leased to nobody/,
  },
  {
    name: "a resting address keeps its alias",
    history: moved("bobAliasGone", 4_290),
    want: /bob has died, its address stayed for 290 ms/,
  },
  {
    name: "a resting address keeps its rule",
    history: moved("bobRuleGone", 4_280),
    want: /bob has died, its rule stayed/,
  },
  {
    name: "a name answers for the dead",
    history: { ...GOOD, bobNamed: named("bob", BOB, 2_050, 4_290) },
    want: /bob has died, its name stayed/,
  },
  { name: "a name answers before its rule", history: moved("bobRule", 2_100), want: /without its rule/ },
  { name: "a name answers before its alias", history: moved("bobAlias", 2_100), want: /without its address/ },
  {
    name: "a name answers though its alias never came",
    history: without("bobAlias"),
    want: /without its address/,
  },
  {
    name: "a rule goes before the name",
    history: {
      ...moved("bobRuleGone", 3_900),
      x: { kind: "rules", at: 3_990, forwards: [ann, bob] },
      y: { kind: "rules", at: 4_040, forwards: [ann] },
    },
    want: /without its rule/,
  },
  {
    name: "the alias goes before the name",
    history: moved("bobAliasGone", 3_900),
    want: /without its address/,
  },
  {
    name: "somebody else answers",
    history: { ...GOOD, x: replies("bob", "cat", [4_310]) },
    want: /4310: bob's address was answered by cat/,
  },
  {
    name: "the host itself answers",
    history: { ...GOOD, x: replies("bob", "It works!", [4_310]) },
    want: /answered by It works/,
  },
  {
    name: "one request of the untouched fails",
    history: { ...GOOD, x: replies("ann", null, [4_040]) },
    want: /ann: 1 answers of null/,
  },
  {
    name: "one question for the untouched is lost",
    history: {
      ...GOOD,
      annNamed: named("ann", ANN, 1_100, 4_000),
      x: named("ann", "silence", 4_010, 5_010),
      y: named("ann", ANN, 5_020, 9_000),
    },
    want: /ann's name became silence/,
  },
  { name: "the untouched was never asked", history: without("annReplies"), want: /asked nothing/ },
];

for (const { name, history, want } of BAD) {
  t.test(name, (t) => {
    t.match(judge(Object.values(history), BOUND).join("\n"), want);
    t.end();
  });
}

/** What directors did in the good history, as its kills are noted. */
const director = (at: number, did: "start" | "run" | "end", watches = false): Note => ({
  kind: "director",
  at,
  did,
  watches,
});
/** One that was killed before bob ended, and none after it. */
const NOBODY = [director(100, "start", true), director(500, "run"), director(3_900, "end")];

t.test(
  "without a director: faults that it cannot cause are judged, leftovers of ended containers are excused",
  (t) => {
    for (const { name, history, want } of BAD) {
      const wrong = judge([...Object.values(history), ...NOBODY], BOUND).join("\n");
      if (/has died/.test(want.source)) t.notMatch(wrong, /has died/, name);
      else t.match(wrong, want, name);
    }
    t.end();
  },
);

/** An ended container keeps rule, alias and name up to 4 700. */
const LATE = Object.values({
  ...without("catHolds"),
  bobAliasGone: { ...(GOOD.bobAliasGone as Note), at: 4_690 },
  bobRuleGone: { ...(GOOD.bobRuleGone as Note), at: 4_700 },
  bobNamed: named("bob", BOB, 2_050, 4_680),
});
const SIGHTS: readonly { readonly name: string; readonly told: readonly Note[]; readonly found: boolean }[] =
  [
    { name: "nobody is there", told: NOBODY, found: false },
    {
      name: "a run that begins after the death ends before they go",
      told: [...NOBODY, director(4_100, "start"), director(4_500, "run"), director(4_510, "end")],
      found: true,
    },
    {
      name: "a run that had begun before the death",
      told: [...NOBODY, director(3_950, "start"), director(4_500, "run"), director(4_510, "end")],
      found: false,
    },
    {
      name: "a run that ends as they go",
      told: [...NOBODY, director(4_100, "start"), director(4_710, "run"), director(4_720, "end")],
      found: false,
    },
    {
      name: "one killed before its run ends",
      told: [...NOBODY, director(4_100, "start", true), director(4_600, "end")],
      found: false,
    },
    {
      name: "the end of the run before, heard of late",
      told: [...NOBODY, director(4_200, "start"), director(4_210, "run"), director(4_600, "end")],
      found: false,
    },
    {
      name: "a watch that is there when the death comes, and long enough after it",
      told: [director(100, "start", true), director(500, "run"), director(4_300, "end")],
      found: true,
    },
    {
      name: "a watch that is killed right after the death",
      told: [director(100, "start", true), director(500, "run"), director(4_200, "end")],
      found: false,
    },
  ];
for (const { name, told, found } of SIGHTS) {
  t.test(`an end handled late, and ${name}: reported`, (t) => {
    const wrong = judge([...LATE, ...told], BOUND).join("\n");
    for (const what of ["rule", "address", "name"])
      t.equal(wrong.includes(`bob has died, its ${what} stayed`), found, `${what}: ${wrong}`);
    t.equal(judgedDeaths([...LATE, ...told], BOUND) > 0, found || name.endsWith("as they go"), "judged");
    t.end();
  });
}

t.test("a name longer than its alias: allowed only for a write begun before", (t) => {
  const late = {
    ...GOOD,
    bobNamed: named("bob", BOB, 2_050, 4_190),
    bobNoMore: named("bob", null, 4_195, 9_000),
  };
  const zone = (begun: number, at: number, ...addresses: string[]): Note => ({
    kind: "zone",
    at,
    begun,
    addresses,
  });
  const judged = (...zones: Note[]): string => judge([...Object.values(late), ...zones], BOUND).join("\n");
  t.match(judged(), /without its address/);
  t.equal(judged(zone(4_010, 4_180, ANN)), "");
  t.match(judged(zone(4_030, 4_180, ANN)), /without its address/, "begun when the alias had gone");
  t.match(judged(zone(4_010, 4_180, ANN, BOB)), /without its address/, "it does not withdraw the name");
  t.match(judged(zone(4_010, 4_100, ANN)), /without its address/, "the server did not answer from it");
  t.same(heldByDisk([...Object.values(late), zone(4_010, 4_180, ANN)]), [163]);
  t.same(heldByDisk(Object.values(GOOD)), []);
  t.end();
});

t.test("a name longer than its alias after a killed run: allowed until the next run", (t) => {
  const left = [
    ...Object.values(moved("bobDies", 3_990)),
    named("bob", BOB, 2_050, 4_400),
    named("bob", null, 4_410, 9_000),
    ...[director(100, "start", true), director(500, "run"), director(4_035, "end")],
    ...[director(4_050, "start", true), director(4_390, "run"), director(4_450, "end")],
  ];
  const judged = (...more: Note[]): string => judge([...left, ...more], BOUND).join("\n");
  const begun: Note = { kind: "begun", at: 4_010 };
  t.match(judged(), /without its address/);
  t.equal(judged(begun), "");
  t.same(heldByDisk([...left, begun]), [373]);
  t.match(judged({ kind: "begun", at: 4_030 }), /without its address/, "begun when the alias had gone");
  const renamed: Note = { kind: "zone", at: 4_020, begun: 4_010, addresses: [ANN] };
  t.match(judged(begun, renamed), /without its address/, "the disk had done it");
  const later = named("bob", BOB, 4_405, 4_600);
  t.match(judged(begun, later), /without its address/, "the next run has not done it");
  t.end();
});

t.test("an address given away at once: wrong answers are allowed up to the bound", (t) => {
  const race = Object.values({ ...moved("catHolds", 4_001), x: replies("bob", "cat", [4_010]) });
  t.equal(judge(race, { ...BOUND, misled: 0 }).length, 2);
  t.same(judge(race, { ...BOUND, misled: 100 }), []);
  t.end();
});

t.test("bounds on a busy machine: wider by as much as the recorder itself was late", (t) => {
  const late = (ms: number): Note => ({ kind: "late", at: 9_000, ms });
  t.same(asBusy(BOUND, []), BOUND);
  t.same(asBusy(BOUND, [late(0), late(100), late(20)]), {
    ...BOUND,
    notice: BOUND.notice + 300,
    serverSwitch: BOUND.serverSwitch + 300,
    afterDeath: BOUND.afterDeath + 1_000,
  });
  t.end();
});
