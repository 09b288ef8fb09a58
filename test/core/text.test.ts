/** Times in words. */
import t from "tap";
import { age, agoText, duration } from "../../src/core/text.ts";

t.test("age: at the boundaries of the units, rounded down", async (t) => {
  for (const [seconds, want] of [
    [0, "0 s"],
    [59, "59 s"],
    [60, "1 min"],
    [119, "1 min"],
    [120, "2 min"],
    [3_599, "59 min"],
    [3_600, "1 h"],
    [7_199, "1 h"],
    [86_399, "23 h"],
    [86_400, "1 day"],
    [172_799, "1 day"],
    [172_800, "2 days"],
  ] as const)
    t.equal(age(seconds), want, String(seconds));
});

t.test("agoText: a time after now is one of the future, but for what was read a moment before", async (t) => {
  for (const [at, want] of [
    [1_000, "0 s ago"],
    [880, "2 min ago"],
    [1_060, "0 s ago"],
    [1_120, "2 min in the future (the clock was set back)"],
  ] as const)
    t.equal(agoText(at, 1_000), want, String(at));
});

t.test("duration: a set time is not rounded", async (t) => {
  for (const [seconds, want] of [
    [0, "0 s"],
    [59, "59 s"],
    [60, "1 min"],
    [90, "90 s"],
    [5_400, "90 min"],
    [3_600, "1 h"],
    [90_000, "25 h"],
    [86_400, "1 day"],
  ] as const)
    t.equal(duration(seconds), want, String(seconds));
});
