/** The next times of cron: those that a field by field comparison of the host's own calendar gives. */
import fc from "fast-check";
import t from "tap";
import { readCron } from "../../src/core/methods/cron.ts";
import { nextTime } from "../../src/daemon/cron.ts";

// a calendar without summer time, whatever the machine's is
process.env.TZ = "UTC";

const NOW = Date.UTC(2026, 0, 31, 23, 59, 30);

/** A field in one of its forms. */
const field = (first: number, last: number): fc.Arbitrary<string> => {
  const value = fc.integer({ min: first, max: last });
  const range = fc.tuple(value, value).map(([a, b]) => `${Math.min(a, b)}-${Math.max(a, b)}`);
  const step = fc.integer({ min: 1, max: last });
  const item = fc.oneof(
    value.map(String),
    range,
    fc.tuple(fc.oneof(fc.constant("*"), range), step).map(([of, by]) => `${of}/${by}`),
  );
  return fc.oneof(
    fc.constant("*"),
    fc.array(item, { minLength: 1, maxLength: 4 }).map((items) => items.join(",")),
  );
};

const expression = fc
  .tuple(field(0, 59), field(0, 23), field(1, 31), field(1, 12), field(0, 7))
  .map((fields) => fields.join(" "));

const valuesOf = (text: string, first: number, last: number): Set<number> =>
  new Set(
    text.split(",").flatMap((item) => {
      const [of = "", by = "1"] = item.split("/");
      const [from = "", to = from] = of === "*" ? [String(first), String(last)] : of.split("-");
      const all = Array.from({ length: Number(to) - Number(from) + 1 }, (_, n) => Number(from) + n);
      return all.filter((_, n) => n % Number(by) === 0);
    }),
  );

t.test("each expression that a label may hold has a next time, at which it is due (POSIX, crontab)", (t) => {
  fc.assert(
    fc.property(expression, fc.integer({ min: 0, max: 4 * 366 * 86_400 }), (text, later) => {
      const after = NOW + later * 1000;
      const { entries } = readCron(new Map([["ocdd.cron.x", `${text} cmd`]]));
      // days that do not exist are refused
      if (entries.length === 0) return true;
      const next = nextTime(text, after);
      if (next === null || next <= after) return false;
      const date = new Date(next);
      const [minute = "", hour = "", day = "", month = "", weekday = ""] = text.split(" ");
      const isDay = valuesOf(day, 1, 31).has(date.getDate());
      const days = valuesOf(weekday, 0, 7);
      const isWeekday = days.has(date.getDay()) || (date.getDay() === 0 && days.has(7));
      const either = day === "*" || weekday === "*" ? isDay && isWeekday : isDay || isWeekday;
      return (
        date.getSeconds() === 0 &&
        valuesOf(minute, 0, 59).has(date.getMinutes()) &&
        valuesOf(hour, 0, 23).has(date.getHours()) &&
        valuesOf(month, 1, 12).has(date.getMonth() + 1) &&
        either
      );
    }),
    { numRuns: Number(process.env.OCDD_RUNS ?? 1_000) },
  );
  t.end();
});

t.test("next times: strictly later; null for what is no expression or has no time", (t) => {
  const at = nextTime("30 3 * * *", NOW) ?? 0;
  t.equal(new Date(at).getHours(), 3);
  t.equal(nextTime("30 3 * * *", at), at + 86_400_000);
  t.equal(nextTime("0 0 31 2 *", NOW), null);
  t.equal(nextTime("bad", NOW), null);
  t.end();
});

t.test("next times are those of the host's time zone: skipped and repeated hours of a summer time", (t) => {
  process.env.TZ = "Europe/Berlin";
  const next = (text: string, after: string): string =>
    new Date(nextTime(text, Date.parse(after)) ?? 0).toISOString();
  t.equal(next("30 3 * * *", "2026-07-01T00:00:00Z"), "2026-07-01T01:30:00.000Z");
  t.equal(next("30 2 * * *", "2026-03-28T12:00:00Z"), "2026-03-29T01:00:00.000Z", "the hour is skipped");
  t.equal(next("30 2 * * *", "2026-10-24T12:00:00Z"), "2026-10-25T00:30:00.000Z");
  t.equal(next("30 2 * * *", "2026-10-25T00:30:00Z"), "2026-10-26T01:30:00.000Z", "once, not twice");
  process.env.TZ = "UTC";
  t.end();
});
