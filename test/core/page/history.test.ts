/** The history of services: written and read back, with any content of the file, and what must not be shown. */
import fc from "fast-check";
import t from "tap";
import { decide } from "../../../src/core/decide.ts";
import type { Container, Decision } from "../../../src/core/model.ts";
import { NO_HISTORY, readHistory, renderHistory } from "../../../src/core/page/history.ts";
import { attachment, BARE, config, container, lease, NOW, name, observation } from "../make.ts";

const settings = config({ ADDRESS_HOLD: "600" });
const run = (containers: Container[], before?: Decision, now = NOW): Decision =>
  decide(settings, observation({ actual: before?.desired ?? BARE, containers }), now);
const secret = (labels: Record<string, string>): Container =>
  container({
    name: "secret",
    labels: new Map(Object.entries(labels)),
    attachments: [attachment("bridge", "172.17.0.3")],
  });
const remembered = ({ desired }: Decision): string[] => [...desired.history.keys()].sort();
const stopped = ({ desired }: Decision): { name: string; title: string | null }[] =>
  JSON.parse(desired.page.services).stopped;

t.test("services shown are remembered; what is written is read back", async (t) => {
  const { desired } = run([
    container({ name: "web", started: { earliest: NOW - 1_100, latest: NOW - 900 } }),
    secret({ "ocdd.title": 'A "title"\u2028' }),
  ]);
  t.strictSame([...desired.history.keys()], ["secret", "web"]);
  t.match(desired.history.get("web"), { fqdn: "web.toolbox.example.com", since: NOW - 1_000 });
  const text = renderHistory(desired.history);
  t.strictSame(readHistory(text), desired.history);
  t.equal(text.split("\n").length, 5, "one service a line");
  t.strictSame(readHistory(renderHistory(NO_HISTORY)), NO_HISTORY);
});

t.test("a stopped service is remembered as long as its address is on hold", async (t) => {
  const first = run([container({ name: "web" })]);
  const second = run([], first);
  t.strictSame(second.desired.history, first.desired.history);
  t.strictSame(remembered(run([], second, NOW + 601)), []);
});

t.test("a hidden service that stops: not remembered, not shown", async (t) => {
  const hidden = run([container({ name: "web" }), secret({ "ocdd.hide": "true" })]);
  t.strictSame(remembered(hidden), ["web"]);
  t.match(stopped(run([], hidden)), [{ name: "web" }]);
  t.equal(stopped(run([], hidden)).length, 1);
});

t.test("a service shown first and hidden later: not shown when it stops", async (t) => {
  const shown = run([secret({})]);
  t.strictSame(remembered(shown), ["secret"]);
  const hidden = run([secret({ "ocdd.hide": "true" })], shown);
  t.strictSame(remembered(hidden), []);
  t.strictSame(stopped(run([], hidden)), []);
});

const LEASED = {
  ...BARE,
  table: {
    ...BARE.table,
    leases: [lease("192.168.122.11", "container:web", { names: [name("web")], releasedAt: NOW - 10 })],
  },
};
const published = (text: string) =>
  decide(
    settings,
    observation({
      actual: { ...LEASED, history: readHistory(text) },
      containers: [container({ name: "db" })],
    }),
    NOW,
  ).desired.page;

t.test("a history file that cannot be read, or is of another schema, counts as none", async (t) => {
  for (const text of [
    "",
    "{",
    "null",
    "[]",
    '"x"',
    '{"schemaVersion":2,"services":[]}',
    '{"schemaVersion":1}',
    '{"schemaVersion":1,"services":{}}',
    '{"schemaVersion":1,"services":[null,1,"x",[],{"name":5},{"name":"x"}]}',
  ])
    t.strictSame(readHistory(text), NO_HISTORY, text);
});

t.test("a time of a history file that cannot be printed counts as unknown", async (t) => {
  for (const since of [1e13, -1, 1e300]) {
    const services = [{ name: "web", fqdn: "web.toolbox.example.com", since }];
    t.equal(readHistory(JSON.stringify({ schemaVersion: 1, services })).get("web")?.since, null, `${since}`);
  }
});

t.test("odd fields of a history file count as unknown", async (t) => {
  const odd = {
    name: "web",
    fqdn: "web.toolbox.example.com",
    title: { toString: "x" },
    icon: "__proto__",
    logo: "__proto__",
    group: ["a"],
    image: 5,
    container: null,
    containerId: {},
    since: "then",
  };
  t.strictSame(readHistory(JSON.stringify({ schemaVersion: 1, services: [odd] })).get("web"), {
    ...odd,
    title: null,
    icon: "box",
    logo: null,
    group: null,
    image: "?",
    container: "?",
    containerId: "",
    since: null,
  });
});

t.test("any history file: the page is made and its markup is OCDD's own", async () => {
  const shape = (html: string): string =>
    html
      .slice(html.indexOf("<body"))
      .replace(/>[^<]*/g, ">")
      .replace(/"[^"]*"/g, '""')
      .replace(/class=""?off [a-z]+/g, "class=off");
  const strange = fc.oneof(
    fc.string({ unit: "binary", maxLength: 300 }),
    fc.constantFrom('"><script>', "\n* - evil.toolbox.example.com", "a b=c", "\u001b[2J", "{{script}}"),
    fc.double(),
    fc.constant(null),
    fc.constant({}),
  );
  const item = fc.record(
    {
      name: fc.constantFrom("web", "db", "other"),
      fqdn: fc.oneof(fc.constant("web.toolbox.example.com"), strange),
      image: strange,
      container: strange,
      containerId: strange,
      since: fc.oneof(strange, fc.constantFrom(1e300, -1, NOW, NOW + 1e9)),
      icon: fc.oneof(strange, fc.constant("database")),
    },
    { requiredKeys: ["name", "fqdn"] },
  );
  const row = { name: "web", fqdn: "web.toolbox.example.com" };
  const shapeOf = (services: readonly unknown[]): string =>
    shape(published(JSON.stringify({ schemaVersion: 1, services })).html);
  const want = new Set([shapeOf([]), shapeOf([row])]);
  fc.assert(
    fc.property(fc.array(item, { maxLength: 3 }), (services) => {
      const page = published(JSON.stringify({ schemaVersion: 1, services }));
      const text = page.html.replace(/<[^>]*>/g, "");
      return (
        want.has(shape(page.html)) &&
        text.split("\n").filter((line) => line.trim().startsWith("* - ")).length === 1 &&
        JSON.parse(page.services).services.length === 1
      );
    }),
    { numRuns: 500 },
  );
});
