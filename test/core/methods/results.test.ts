/** The stored results of methods: written, read again, and what is no result. */
import fc from "fast-check";
import t from "tap";
import {
  type MethodResult,
  monitorState,
  parseResults,
  type Results,
  renderResults,
  resultOf,
  withResult,
} from "../../../src/core/methods/results.ts";
import { id } from "../make.ts";

const [WEB, DB] = [id("web"), id("db")];
const one = (over: Partial<MethodResult> = {}): MethodResult => ({
  container: WEB,
  method: "validate",
  ok: false,
  status: 2,
  reason: "no such zone",
  startedAt: 1_000,
  endedAt: 2_500,
  by: "ocdd validate",
  ...over,
});
const file = (...results: readonly unknown[]): string => JSON.stringify({ schemaVersion: 1, results });
const always = (): boolean => true;
const flat = (results: Results | undefined): MethodResult[] =>
  [...(results ?? new Map()).values()].flatMap((methods) => [...methods.values()]);

t.test("results: written and read again the same; the last of a method counts", (t) => {
  const all = [
    one(),
    one({ method: "update", ok: true, status: 0, reason: null }),
    one({ container: DB, status: null }),
  ];
  let results: Results = new Map();
  for (const result of [one({ startedAt: 1 }), ...all]) results = withResult(results, result, always);
  t.strictSame(flat(parseResults(renderResults(results))), all);
  t.strictSame(resultOf(results, WEB, "update"), all[1]);
  t.equal(resultOf(results, WEB, "monitor"), undefined);
  t.equal(resultOf(results, id("none"), "validate"), undefined);
  t.end();
});

t.test("a result whose times are none: not read, the others are", (t) => {
  for (const time of [-1, 1e18, -1e300, 253_402_300_800_000, "1", null, undefined])
    for (const key of ["startedAt", "endedAt"])
      t.strictSame(
        flat(parseResults(file({ ...one(), [key]: time }, one({ method: "update" })))),
        [one({ method: "update" })],
        `${key} ${time}`,
      );
  t.end();
});

t.test("a result: containers that do not exist go, its own stays", (t) => {
  const before = withResult(withResult(new Map(), one(), always), one({ container: DB }), always);
  const after = withResult(before, one({ ok: true }), () => false);
  t.strictSame(flat(after), [one({ ok: true })]);
  t.equal(before.size, 2, "the one before is not changed");
  t.end();
});

t.test(
  "a file of a newer version: not read, so that it is not written over; a corrupt one counts as empty",
  (t) => {
    t.equal(parseResults('{"schemaVersion":2,"results":[]}'), undefined);
    t.equal(parseResults('{"schemaVersion":1.5,"results":"other"}'), undefined);
    for (const text of [
      "",
      "x",
      "null",
      "5",
      "[]",
      '""',
      "{}",
      '{"schemaVersion":"2"}',
      '{"schemaVersion":1}',
      '{"schemaVersion":0,"results":[]}',
      "[".repeat(1_000_000),
    ])
      t.strictSame(parseResults(text), new Map(), text.slice(0, 40));
    t.end();
  },
);

t.test("entries that are no results: left out, the others stay", (t) => {
  const odd = [
    null,
    5,
    [],
    {},
    one({ container: "web" }),
    one({ container: "../x" }),
    { ...one(), container: 5 },
    { ...one(), method: "__proto__" },
    { ...one(), method: "constructor" },
    { ...one(), ok: 1 },
    { ...one(), startedAt: "1" },
    { ...one(), endedAt: null },
  ];
  t.strictSame(flat(parseResults(file(...odd, one(), ...odd))), [one()]);
  const fixed = flat(parseResults(file({ ...one(), status: 1.5, reason: 5, by: {} })));
  t.strictSame(fixed, [one({ status: null, reason: null, by: "?" })]);
  t.end();
});

t.test("a hostile reason: one printable line of at most 256 octets", async () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary", maxLength: 2_000, size: "max" }), (reason) => {
      const [read] = flat(parseResults(file(one({ reason, by: reason }))));
      return [read?.reason ?? "", read?.by ?? ""].every(
        (text) => Buffer.byteLength(text) <= 256 && !/\p{Cc}/u.test(text),
      );
    }),
    { numRuns: 300 },
  );
});

t.test("states of MONITOR: those of Nagios; any other status, and none, is UNKNOWN", (t) => {
  const states = [0, 1, 2, 3, 4, -1, 127, 137, null].map(monitorState);
  t.strictSame(states, ["OK", "WARNING", "CRITICAL", ...Array(6).fill("UNKNOWN")]);
  t.end();
});
