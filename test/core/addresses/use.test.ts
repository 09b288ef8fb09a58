import fc from "fast-check";
import t from "tap";
import { addressUse } from "../../../src/core/addresses/use.ts";
import { decide } from "../../../src/core/decide.ts";
import { listingOf } from "../../../src/core/page/listing.ts";
import { statusDocument } from "../../../src/core/report/status.ts";
import { BARE, config, HOST, ip, lease, NOW, observation, POOL } from "../make.ts";

const HOLD = 180;

t.test("each address of the range is counted once, with any leases and conflicts", async () => {
  const state = fc.record({
    lease: fc.constantFrom("none", "active", "held", "over"),
    conflict: fc.boolean(),
    reserved: fc.boolean(),
  });
  fc.assert(
    fc.property(fc.array(state, { maxLength: 20 }), (states) => {
      const at = (i: number): string => `192.168.122.${11 + i}`;
      const table = {
        leases: states.flatMap((s, i) => {
          if (s.lease === "none") return [];
          const ago = { active: null, held: NOW - HOLD + 1, over: NOW - HOLD }[s.lease as "active"] as
            | number
            | null;
          return [lease(at(i), `k${i}`, { releasedAt: ago })];
        }),
        conflicts: states.flatMap((s, i) => (s.conflict ? [{ address: ip(at(i)), seenAt: NOW }] : [])),
        hairpins: [],
        nameHolds: [],
        holders: [],
      };
      const reserved = new Set(states.flatMap((s, i) => (s.reserved ? [ip(at(i))] : [])));
      const use = addressUse({ pool: POOL, table, reserved, hold: HOLD, now: NOW });
      const { size, used, held, conflict, free } = use;
      return (
        size === 20 &&
        used === states.filter((s) => s.lease === "active" && !s.conflict).length &&
        conflict === states.filter((s) => s.conflict).length &&
        held + used + conflict + use.reserved + free === size
      );
    }),
  );
});

t.test("status and the page, of a lease released an hour ago, count the same", async (t) => {
  const leases = [lease("192.168.122.11", "container:old", { releasedAt: NOW - 3_600 })];
  const table = { ...BARE.table, leases };
  const decision = decide(config(), observation({ actual: { ...BARE, table } }), NOW);
  const { excluded: _, ...page } = { excluded: new Set<never>(), ...decision.range };
  const standing = {
    version: "1",
    engine: null,
    lastRun: null,
    setUp: true,
    unstarted: false,
    now: NOW,
    hostIp: HOST,
    inForce: 0,
    drift: null,
    refused: null,
    unguarded: null,
    trouble: null,
    remedy: null,
    wakes: null,
    stats: null,
    watching: null,
    starts: { watch: "", serve: "" },
  };
  for (const [what, one] of [
    ["with Docker", { ...standing, table: decision.desired.table, decision }],
    ["without", { ...standing, table, decision: null }],
  ] as const) {
    const { addresses } = statusDocument(config(), one) as { addresses: Record<string, number> };
    t.match(addresses, { ...page, held: 0, rest: 0, free: 20 }, what);
  }
  const listing = listingOf({
    title: "",
    zone: "z",
    host: HOST,
    services: [],
    skipped: [],
    table,
    pool: POOL,
    excluded: new Set(),
    hold: HOLD,
    interval: 60,
    now: NOW,
    history: new Map(),
  });
  t.strictSame(listing.range, decision.range);
});
