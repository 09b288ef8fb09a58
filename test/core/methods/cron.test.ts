/** Labels `ocdd.cron.<name>`: what is read, and what is refused with its reason. */
import t from "tap";
import { MOST_CRON_ENTRIES, readCron } from "../../../src/core/methods/cron.ts";

const read = (labels: Readonly<Record<string, string>>) => readCron(new Map(Object.entries(labels)));

t.test("entries: five fields, then a command as words or as JSON", (t) => {
  const { entries, notes } = read({
    "ocdd.cron.backup": "30 3 * * * backup --to 'a b'",
    "ocdd.cron.b2": '  */5   0-6/2 1,15\tjan-mar MON-FRI  ["sh", "-c", "a | b"]',
    "ocdd.cron.backup.timeout": "2h",
    "ocdd.name": "x",
  });
  t.same(notes, []);
  t.same(entries, [
    { name: "b2", expression: "*/5 0-6/2 1,15 jan-mar MON-FRI", argv: ["sh", "-c", "a | b"], timeout: 3_600 },
    { name: "backup", expression: "30 3 * * *", argv: ["backup", "--to", "a b"], timeout: 7_200 },
  ]);
  t.end();
});

t.test("entries that cannot be read: each is refused with its reason, the others stay", (t) => {
  const bad: readonly (readonly [string, RegExp])[] = [
    ["60 3 * * * x", /its minute "60" is not of the form/],
    ["* 24 * * * x", /its hour "24"/],
    ["* * 0 * * x", /its day of month "0"/],
    ["* * * 13 * x", /its month "13"/],
    ["* * * foo * x", /its month "foo"/],
    ["* * * * 8 x", /its day of week "8"/],
    ["* * * * fri-sun x", /its day of week "fri-sun"/],
    ["5-1 * * * * x", /its minute "5-1"/],
    ["*/0 * * * * x", /its minute "\*\/0"/],
    ["5/10 * * * * x", /its minute "5\/10"/],
    ["1,,2 * * * * x", /its minute "1,,2"/],
    ["-1 * * * * x", /its minute "-1"/],
    ["1e1 * * * * x", /its minute "1e1"/],
    ["? * * * * x", /its minute "\?"/],
    ["* * L * * x", /its day of month "L"/],
    ["0 0 31 2 * x", /no such day in any year/],
    ["0 0 30 feb * x", /no such day in any year/],
    ["0 0 31 4,jun * x", /no such day in any year/],
    ["@daily x", /not of the form "30 3 \* \* \* command"/],
    ["* * * * *", /not of the form/],
    ["", /not of the form/],
    ["* * * * * a | b", /its command cannot be read: "\|" needs a shell/],
    ['* * * * * ["a", 1]', /its command cannot be read: it is no JSON array/],
    [`${"1,".repeat(200)}1 * * * * x`, /its minute/],
    [`* * * * * ${"x".repeat(5_000)}`, /longer than 4096 characters/],
    ["* * * * *\nx", /not of the form|no such|its day of week/],
  ];
  for (const [text, reason] of bad) {
    const { entries, notes } = read({ "ocdd.cron.good": "* * * * * x", "ocdd.cron.bad": text });
    t.same(
      entries.map(({ name }) => name),
      ["good"],
      text.slice(0, 40),
    );
    t.equal(notes.length, 1);
    t.match(notes[0], /^label ocdd\.cron\.bad is ignored: /);
    t.match(notes[0], reason);
    t.ok((notes[0] ?? "").length < 400 && !/\p{Cc}/u.test(notes[0] ?? ""), "one bounded line");
  }
  t.end();
});

t.test(
  "a day of the week is enough where there is no such day of the month; the 29th of February exists",
  (t) => {
    t.same(read({ "ocdd.cron.a": "0 0 31 2 1 x", "ocdd.cron.b": "0 0 29 2 * x" }).notes, []);
    t.end();
  },
);

t.test("names: bounded; so are entries, lines about them and timeouts", (t) => {
  for (const name of ["", "A", "a b", "ä", "-a", "a.b", "x".repeat(33), "__proto__"])
    t.equal(read({ [`ocdd.cron.${name}`]: "* * * * * x" }).entries.length, 0, name);
  const many = Object.fromEntries(
    Array.from({ length: 500 }, (_, n) => [`ocdd.cron.n${String(n).padStart(3, "0")}`, "* * * * * x"]),
  );
  const { entries, notes } = read(many);
  t.equal(entries.length, MOST_CRON_ENTRIES);
  t.match(notes[0], /at most 16/);
  t.equal(notes.length, 5);
  t.equal(notes.at(-1), `${500 - MOST_CRON_ENTRIES - 4} more`);
  const limits = read({ "ocdd.cron.a": "* * * * * x", "ocdd.cron.a.timeout": "300d" });
  t.equal(limits.entries[0]?.timeout, 86_400, "a day at most");
  const wrong = read({ "ocdd.cron.a": "* * * * * x", "ocdd.cron.a.timeout": "soon\u001b[2J" });
  t.equal(wrong.entries[0]?.timeout, 3_600);
  t.same(wrong.notes, ['label ocdd.cron.a.timeout cannot be read and is ignored: "soon\ufffd[2J"']);
  t.match(read({ "ocdd.cron.a.timeout": "1h" }).notes[0], /is ignored/, "a timeout without its entry");
  t.end();
});
