/** What `ocdd try` is asked for: names, mounts, variables, the command's arguments; the records of what it creates. */
import fc from "fast-check";
import t from "tap";
import {
  filled,
  isTryName,
  isVariable,
  readMount,
  tryName,
  withVariables,
} from "../../../src/core/methods/try.ts";
import {
  CREATION_SECONDS,
  fateOf,
  parseTryRecord,
  renderTryRecord,
  type TryRecord,
} from "../../../src/core/methods/try-record.ts";
import { hasEnded, type ProcessSeen } from "../../../src/core/process-record.ts";

t.test("the container's name: from a service, a container or an image, one label of a zone", (t) => {
  for (const [from, name] of [
    ["web", "try-web-3fa2"],
    ["shop-web-1", "try-shop-web-1-3fa2"],
    ["My_App.v2", "try-my-app-v2-3fa2"],
    ["hub.example.com:5000/org/bind:9.18", "try-bind-3fa2"],
    [`bind@sha256:${"0".repeat(64)}`, "try-bind-3fa2"],
    ["///", "try-container-3fa2"],
    [`${"a".repeat(53)}-b`, `try-${"a".repeat(53)}-3fa2`],
  ] as const)
    t.equal(tryName(from, "3fa2"), name, from);
  fc.assert(fc.property(fc.string(), (from) => isTryName(tryName(from, "00ff"))));
  t.end();
});

t.test("--mount: SRC:DST, with :ro; a source may hold a colon", (t) => {
  const of = (source: string, destination: string, readOnly = false) => ({ source, destination, readOnly });
  for (const [text, mount] of [
    [".:/dir", of(".", "/dir")],
    ["a/b:/dir/:ro", of("a/b", "/dir", true)],
    ["/x:y:/dir//sub/../z:rw", of("/x:y", "/dir/z")],
    ["c:/a:/b:ro", of("c:/a", "/b", true)],
  ] as const)
    t.same(readMount(text), mount, text);
  for (const text of ["", "x", ":/dir", "x:", "x:dir", "x:/", "x:/..", "x:/dir:rx", "x\0:/dir"])
    t.equal(readMount(text), undefined, JSON.stringify(text));
  t.end();
});

t.test("--env: one variable replaces another of its name; a value may hold anything but NUL", (t) => {
  t.same(withVariables(["A=1", "B=2=3", "C"], ["B=x", "D="]), ["A=1", "B=x", "C", "D="]);
  for (const text of ["A=", "A=b=c", "a.b= x\n"]) t.ok(isVariable(text), text);
  for (const text of ["", "A", "=x", "A B=x", "A=\0"]) t.notOk(isVariable(text), JSON.stringify(text));
  t.end();
});

t.test("the command: {name} and {address} in each argument, once, and nothing else", (t) => {
  const place = { name: "$&.{address}", address: "192.168.122.12" };
  const argv = ["dig", "@{address}", "{name}{name}", `${"$"}{name}`, "{other}", "$(id)", ""];
  const name = place.name;
  t.same(filled(argv, place), [
    "dig",
    "@192.168.122.12",
    `${name}${name}`,
    `$${name}`,
    "{other}",
    "$(id)",
    "",
  ]);
  t.end();
});

const RECORD: TryRecord = {
  name: "try-web-3fa2",
  pid: 4711,
  started: "900",
  pidNamespace: "pid:[1]",
  bootId: "b1",
  writtenAt: 100,
};
const SEEN: ProcessSeen = {
  exists: true,
  started: "900",
  pidNamespace: "pid:[1]",
  bootId: "b1",
  uptime: 130,
};

t.test("a record: written and read; one that is invalid or newer is told apart", (t) => {
  t.same(parseTryRecord(renderTryRecord(RECORD)), RECORD);
  const with_ = (over: object): string => JSON.stringify({ schemaVersion: 1, ...RECORD, ...over });
  t.equal(parseTryRecord(with_({ schemaVersion: 2 })), "newer");
  for (const text of [
    "",
    "null",
    "[]",
    "{",
    with_({ schemaVersion: "1" }),
    with_({ name: "web" }),
    with_({ name: "try-../x-3fa2" }),
    with_({ pid: 0 }),
    with_({ pid: -1 }),
    with_({ pid: "1" }),
    with_({ started: null }),
    with_({ writtenAt: null }),
  ])
    t.equal(parseTryRecord(text), "invalid", text);
  t.end();
});

t.test("whether the process of a record has ended: only where that is certain", (t) => {
  for (const [what, over, ended] of [
    ["it runs", {}, false],
    ["there is none of its number", { exists: false, started: null }, true],
    ["its number was given to another process", { started: "901" }, true],
    ["/proc does not show it to this process", { started: null }, false],
    ["another boot", { bootId: "b2" }, true],
    ["written later than this boot lasts, and its id is hidden", { bootId: "", uptime: 50 }, true],
    ["the boot's id is hidden", { bootId: "" }, false],
    ["another PID namespace", { exists: false, started: null, pidNamespace: "pid:[2]" }, false],
    ["another PID namespace of another boot", { exists: false, pidNamespace: "pid:[2]", bootId: "b2" }, true],
    ["the namespace is not known", { exists: false, started: null, pidNamespace: "" }, true],
  ] as const)
    t.equal(hasEnded(RECORD, { ...SEEN, ...over }), ended, what);
  t.end();
});

t.test(
  "what is done about a record: nothing while its process runs, or while Docker may still create",
  (t) => {
    const gone = { ...SEEN, exists: false, started: null };
    const later = RECORD.writtenAt + CREATION_SECONDS + 1;
    for (const [what, seen, found, fate] of [
      ["it runs, with a container", SEEN, true, "leave"],
      ["it runs, without one", SEEN, false, "leave"],
      ["it has ended, with a container", gone, true, "remove"],
      ["it has just ended, without one", gone, false, "leave"],
      ["it ended long ago, without one", { ...gone, uptime: later }, false, "forget"],
      ["it ran before this boot, without one", { ...gone, bootId: "b2" }, false, "forget"],
      ["it runs for long, without one", { ...SEEN, uptime: later }, false, "leave"],
    ] as const)
      t.equal(fateOf(RECORD, seen, found), fate, what);
    t.end();
  },
);
