/** Docker's words for how long a container has been up → since when, without a page that changes each minute. */
import fc from "fast-check";
import t from "tap";
import { runningSince, sameStart, startBounds } from "../../../src/core/page/uptime.ts";

/** HumanDuration of Docker's go-units, for seconds. */
function words(seconds: number): string {
  const n = (count: number, unit: string): string => `Up ${count} ${unit}`;
  const hours = Math.floor(seconds / 3_600 + 0.5);
  if (seconds < 1) return "Up Less than a second";
  if (seconds < 2) return "Up 1 second";
  if (seconds < 60) return n(seconds, "seconds");
  if (seconds < 120) return "Up About a minute";
  if (seconds < 3_600) return n(Math.floor(seconds / 60), "minutes");
  if (hours === 1) return "Up About an hour";
  if (hours < 48) return n(hours, "hours");
  if (hours < 24 * 14) return n(Math.floor(hours / 24), "days");
  if (hours < 24 * 60) return n(Math.floor(hours / 24 / 7), "weeks");
  if (hours < 24 * 365 * 2) return n(Math.floor(hours / 24 / 30), "months");
  return n(Math.floor(seconds / 3_600 / 24 / 365), "years");
}

t.test("Docker's words for an uptime: the bounds contain it", async () => {
  fc.assert(
    fc.property(fc.oneof(fc.nat(7_200), fc.nat(200_000), fc.nat(200_000_000)), (seconds) => {
      const text = `${words(seconds)}${seconds % 3 === 0 ? " (healthy)" : seconds % 3 === 1 ? " (Paused)" : ""}`;
      const bounds = startBounds(text, 1e9);
      const started = 1e9 - seconds;
      return bounds !== undefined && bounds.earliest <= started && started <= bounds.latest;
    }),
    { numRuns: 5_000 },
  );
});

t.test("text that is no uptime: no bounds", async (t) => {
  for (const text of [
    "",
    "Exited (0) 2 hours ago",
    "Created",
    "Up",
    "Up x hours",
    "Up 3 fortnights",
    "Restarting (1) 5 seconds ago",
  ])
    t.equal(startBounds(text, 1e9), undefined, text);
});

t.test("a start time shown once: unchanged while it fits Docker's words", async (t) => {
  const started = 1_000_000;
  let told: number | null = null;
  const changes = new Set<number>();
  for (let age = 3; age < 400_000; age += 60 + (age >> 6)) {
    told = runningSince(startBounds(words(age), started + age), started - 5, told);
    if (told !== null) changes.add(told);
  }
  t.same([...changes], [started], "to the second, through hours and days");
  const again = started + 500_000;
  t.equal(
    runningSince(startBounds("Up 2 seconds", again + 2), started - 5, told),
    again,
    "a restart is recognized",
  );
  t.equal(
    runningSince(startBounds("Up 3 hours", started + 3 * 3_600), started, null),
    started,
    "else its creation, where that agrees",
  );
  t.equal(
    runningSince(startBounds("Up 3 hours", started + 9e5), started, null),
    started + 9e5 - 11_700,
    "else the middle",
  );
  t.equal(runningSince(undefined, started, told), null);
});

t.test("two reads of one start agree at any times; those of a start and the next one do not", async () => {
  const age = fc.integer({ min: 1, max: 200_000_000 });
  const read = (started: number, at: number) => startBounds(words(at - started), at);
  fc.assert(
    fc.property(age, age, fc.nat(59), (first, more, soon) => {
      const started = 1e9 - first;
      const again = 1e9 + 10;
      return (
        sameStart(read(started, 1e9), read(started, 1e9 + more)) &&
        !sameStart(read(started, 1e9), read(again, again + soon)) &&
        !sameStart(read(started, 1e9), undefined)
      );
    }),
    { numRuns: 5_000 },
  );
});

t.test(
  "a container that is started again soon after its creation: what is shown first fits all later reads",
  async () => {
    const tenths = (max: number) => fc.integer({ min: 0, max: max * 10 }).map((n) => n / 10);
    fc.assert(
      fc.property(tenths(1), tenths(8), tenths(5), fc.array(tenths(300)), (created, start, first, later) => {
        const started = 1_000_000 + created + start;
        const read = (after: number, before: number | null): number | null =>
          runningSince(
            startBounds(words(Math.floor(after)), Math.floor(started + after)),
            Math.floor(1_000_000 + created),
            before,
          );
        const shown = read(first, null);
        return later.every((after) => read(first + after, shown) === shown);
      }),
      { numRuns: 20_000 },
    );
  },
);
