/** What is taken down when nothing can be written, and while a mass removal is not yet believed. */

import t from "tap";
import { decide } from "../../../src/core/decide.ts";
import { misledAliases, withoutAliases, withoutWriting } from "../../../src/core/forwards/retreat.ts";
import { isEmpty, plan } from "../../../src/core/plan.ts";
import { ownRecords } from "../../../src/core/zone/records.ts";
import { config, container, NOW, observation, ZONE } from "../make.ts";

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

t.test("nothing can be written: no hairpin mode is switched on that teardown would not know of", (t) => {
  const bridgePorts = [{ name: "veth1", bridge: "docker0", hairpin: false }];
  const seen = observation({ containers: [two], actual: before.desired, forwards, bridgePorts });
  const actual = { ...seen.actual, hairpins: [] };
  const { desired } = decide(CONFIG, { ...seen, actual }, NOW + 10);
  t.same(plan(actual, desired, ZONE).hairpinsOn, ["veth1"], "the whole plan switches it on");
  t.same(desired.table.hairpins, ["veth1"], "and remembers it");
  t.same(plan(actual, withoutWriting(actual, desired), ZONE).hairpinsOn, []);
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
  t.same([steps.table, steps.page, steps.services], [null, null, null]);
  const gone = ownRecords(before.desired.zone, ZONE).filter(({ rdata }) => rdata === addressOf("one"));
  const left = ownRecords(before.desired.zone, ZONE).filter(({ rdata }) => rdata !== addressOf("one"));
  t.ok(gone.length > 0);
  t.same(ownRecords(steps.withdrawal ?? "", ZONE), left, "its names go before it");
  t.end();
});

t.test("a container made anew at its own address misleads nobody", (t) => {
  const again = { ...one, id: "f".repeat(64) };
  const seen = observation({ containers: [again, two], actual: before.desired, forwards });
  t.equal(misledAliases(seen, decide(CONFIG, seen, NOW + 10).desired).size, 0);
  t.ok(isEmpty(plan(before.desired, withoutAliases(before.desired, new Set()), ZONE)));
  t.end();
});
