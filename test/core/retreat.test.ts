/** What is taken down when nothing can be written, and while a mass removal is not yet believed. */

import t from "tap";
import { decide } from "../../src/core/decide.ts";
import { isEmpty, plan } from "../../src/core/plan.ts";
import { misledAliases, withoutAliases, withoutWriting } from "../../src/core/retreat.ts";
import { statusDocument, statusText } from "../../src/core/status.ts";
import { config, container, NOW, observation, ZONE } from "./make.ts";

const CONFIG = config();
const one = container({ name: "one", at: "172.17.0.2" });
const two = container({ name: "two", at: "172.17.0.3" });

/** A host on which one and two are in force, and what its rules forward. */
const before = decide(CONFIG, observation({ containers: [one, two] }), NOW);
const forwards = before.services.flatMap(({ forward }) =>
  forward === null ? [] : [{ name: forward.name, alias: forward.alias, target: forward.target }],
);
const addressOf = (name: string): string => before.services.find((s) => s.name === name)?.address ?? "";

t.test("nothing can be written: what has gone goes, what is new waits, files stay", (t) => {
  const three = container({ name: "three", at: "172.17.0.2" });
  const seen = observation({ containers: [two, three], actual: before.desired, forwards });
  const { desired } = decide(CONFIG, seen, NOW + 10);
  const steps = plan(seen.actual, withoutWriting(seen.actual, desired), ZONE);
  t.same(
    steps.removed.map((a) => a.address),
    [addressOf("one")],
  );
  t.same(steps.added, []);
  t.equal(steps.table, null);
  t.equal(steps.zone, null);
  t.equal(steps.page, null);
  const nat = steps.tables.find(({ table }) => table === "nat")?.text ?? "";
  t.notMatch(nat, "OCDD-one");
  t.notMatch(nat, "OCDD-three");
  t.match(nat, "OCDD-two");
  t.end();
});

t.test("what leads to somebody else is known by its address", (t) => {
  const thief = container({ name: "thief", at: "172.17.0.2" });
  const seen = observation({ containers: [thief], actual: before.desired, forwards });
  const { desired } = decide(CONFIG, seen, NOW + 10);
  const misled = misledAliases(seen, desired);
  t.same([...misled], [addressOf("one")], "two's container is gone too, but nobody has its address");
  const steps = plan(seen.actual, withoutAliases(seen.actual, misled), ZONE);
  t.same(
    steps.removed.map((a) => a.address),
    [addressOf("one")],
  );
  t.match(steps.tables[0]?.text, "OCDD-two");
  t.notMatch(steps.tables[0]?.text, "OCDD-one");
  t.same([steps.table, steps.zone, steps.page, steps.services], [null, null, null, null]);
  t.end();
});

t.test("a container made anew at its own address misleads nobody", (t) => {
  const again = { ...one, id: "f".repeat(64) };
  const seen = observation({ containers: [again, two], actual: before.desired, forwards });
  t.equal(misledAliases(seen, decide(CONFIG, seen, NOW + 10).desired).size, 0);
  t.ok(isEmpty(plan(before.desired, withoutAliases(before.desired, new Set()), ZONE)));
  t.end();
});

t.test("status tells a person and a program the same", (t) => {
  const sealed = container({ name: "sealed", networkMode: "none", attachments: [] });
  const decision = decide(CONFIG, observation({ containers: [one, sealed] }), NOW);
  const standing = {
    version: "2.0.0",
    engine: "28.5.2\u001b[31m",
    lastRun: NOW - 30,
    now: NOW,
    drift: ["+ address x"],
  };
  const text = statusText(CONFIG, decision, standing);
  t.match(text, /last run +30 s ago/);
  t.match(text, /services +1 served, 1 not/);
  t.match(text, /addresses +1 of 20 in use/);
  t.match(text, /sealed: it has no network/);
  t.match(text, /drift:\n {2}\+ address x/);
  t.notMatch(text, "\u001b", "Docker's own words are clipped as a stranger's");
  t.match(
    statusText(CONFIG, decision, { ...standing, drift: null, lastRun: null }),
    /none that ended well[\s\S]*takes root/,
  );
  t.match(statusDocument(CONFIG, decision, standing), {
    schemaVersion: 1,
    services: 1,
    addresses: { size: 20, used: 1, rest: 0, conflict: 0 },
    skipped: [{ container: "sealed" }],
  });
  t.end();
});
