/** Times from Docker, from files and from containers: read and printed, whatever they are. */
import fc from "fast-check";
import t from "tap";
import { isMoment, isNear, iso, isoMs, momentIn } from "../../src/core/moment.ts";

const LATEST = 253_402_300_799;
const anyNumber = fc.oneof(
  fc.double(),
  fc.integer(),
  fc.constantFrom(-0, -1, 0.5, LATEST, LATEST + 0.5, LATEST + 1, 8.64e12, 8.64e12 + 1, 8.64e15, 1e18, -1e300),
);

t.test("any number: a time of four digits of a year, or null; never an exception", async () => {
  fc.assert(
    fc.property(anyNumber, (value) => {
      const [text, ms] = [iso(value), isoMs(value)];
      return (
        (text === null) === !isMoment(value) &&
        (ms === null) === !isMoment(value / 1000) &&
        /^(null|\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ)$/.test(String(text)) &&
        /^(null|\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z)$/.test(String(ms))
      );
    }),
    { numRuns: 1000 },
  );
  t.strictSame([iso(null), isoMs(null)], [null, null]);
  t.strictSame([iso(1.5), isoMs(1_500)], ["1970-01-01T00:00:01Z", "1970-01-01T00:00:01.500Z"]);
});

t.test("isNear: a time in the future is as far as one in the past", async (t) => {
  for (const [at, near] of [
    [90, false],
    [91, true],
    [100, true],
    [109, true],
    [110, false],
  ] as const)
    t.equal(isNear(at, 100, 10), near, String(at));
});

t.test("any text: a time that can be printed, or null", async () => {
  const time = fc.date({ noInvalidDate: true }).map((one) => one.toISOString());
  fc.assert(
    fc.property(fc.oneof(fc.string(), time), (text) => {
      const seconds = momentIn(text);
      return seconds === null || (seconds > 0 && iso(seconds) !== null);
    }),
    { numRuns: 1000 },
  );
  for (const text of ["", "0001-01-01T00:00:00Z", "1970-01-01T00:00:00Z", "+010000-01-01T00:00:00Z", "soon"])
    t.equal(momentIn(text), null, text);
  t.equal(momentIn("2026-03-01T10:00:00.25Z"), Date.UTC(2026, 2, 1, 10) / 1000 + 0.25);
});
