/** Ends of containers as events announce them, and for how long they take precedence over Docker's lists. */
import t from "tap";
import { makeExits } from "../../../src/host/docker/exits.ts";

t.test("an end: counts for five seconds, or until the container is started or connected again", async (t) => {
  let now = 1_000;
  const exits = makeExits(() => now);
  t.strictSame(exits.ended(), new Set());
  exits.note("die", "a");
  now += 3_000;
  exits.note("die", "b");
  t.strictSame(exits.ended(), new Set(["a", "b"]));
  now += 2_000;
  t.strictSame(exits.ended(), new Set(["a", "b"]), "after five seconds");
  now += 1;
  t.strictSame(exits.ended(), new Set(["b"]), "after more");
  exits.note("start", "b");
  t.strictSame(exits.ended(), new Set());
  exits.note("die", "c");
  exits.note("connect", "c");
  t.strictSame(exits.ended(), new Set(), "a container that is being started is connected first");
});

t.test("a container that ends twice: the time counts from the second end", async (t) => {
  let now = 0;
  const exits = makeExits(() => now);
  exits.note("die", "a");
  now = 4_000;
  exits.note("die", "a");
  now = 8_000;
  t.strictSame(exits.ended(), new Set(["a"]));
});

t.test("forwards are to be revoked after an end and a lost endpoint, not after other events", async (t) => {
  const exits = makeExits(() => 0);
  for (const [action, revoke] of [
    ["die", true],
    ["disconnect", true],
    ["start", false],
    ["connect", false],
    ["stop", false],
    ["rename", false],
    ["destroy", false],
    ["health_status: healthy", false],
    ["pause", false],
    ["", false],
  ] as const)
    t.equal(exits.note(action, "a"), revoke, action);
  t.equal(exits.note("die", ""), false, "an event that names no container");
  t.strictSame(exits.ended(), new Set(), "a later connect has cancelled the end");
});

t.test("a lost endpoint: not counted as an end", async (t) => {
  const exits = makeExits(() => 0);
  exits.note("disconnect", "a");
  t.strictSame(exits.ended(), new Set());
});
