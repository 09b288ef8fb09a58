/** Lines of the log: one each, and safe for a terminal, whatever text is in a message. */
import fc from "fast-check";
import t from "tap";
import { type LogFormat, logLine } from "../../src/daemon/log.ts";

const FORMATS: readonly LogFormat[] = ["text", "journal", "json"];
const hostile = fc.array(
  fc.oneof(
    fc.constantFrom(
      "\u001b[2J",
      "\u009b31m",
      "\u0007",
      "\0",
      "\r\n",
      "\u2028",
      "\u202e",
      "\u007f",
      "\t",
      "\ud800",
      "é",
    ),
    fc.string({ unit: "binary" }),
  ),
);

t.test("any message: one line of printable characters, in each format", async () => {
  fc.assert(
    fc.property(hostile, fc.constantFrom(...FORMATS), (parts, format) => {
      const line = logLine(format, "warning", parts.join(""), 0);
      return !/[\p{C}\u2028\u2029]/u.test(line) && line.isWellFormed();
    }),
    { numRuns: 1_000 },
  );
});

t.test("a message without end: cut, in each format", async (t) => {
  for (const format of FORMATS)
    for (const one of ["x", "\u001b", "\n", '"'])
      t.ok(
        logLine(format, "error", one.repeat(1_000_000), 0).length < 10_000,
        `${format}: ${JSON.stringify(one)}`,
      );
});

t.test("a plain message: as it is", async (t) => {
  t.equal(logLine("text", "info", "served from /var/lib/zone", 0), "served from /var/lib/zone");
  t.equal(logLine("text", "error", "two\nlines", 0), "error: two lines");
  t.equal(logLine("journal", "warning", 'a "b"', 0), String.raw`<4>level=warning msg="a \"b\""`);
  t.equal(
    logLine("json", "info", "x", 0),
    '{"time":"1970-01-01T00:00:00.000Z","level":"info","message":"x"}',
  );
});
