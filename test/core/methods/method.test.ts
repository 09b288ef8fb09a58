/** Where a method is found, and how it is run. */
import t from "tap";
import { type Metadata, metadataOf } from "../../../src/core/methods/metadata.ts";
import { METHODS, type MethodSources, methodsOf } from "../../../src/core/methods/method.ts";

function file(source: string, fields: Readonly<Record<string, unknown>>): Metadata {
  const found = metadataOf(fields, source);
  if ("problem" in found) throw new Error(found.problem);
  return found.metadata;
}

const map = (values: Readonly<Record<string, string>>): Map<string, string> =>
  new Map(Object.entries(values));

const ALL = {
  labels: map({ "ocdd.validate": "/by-label --all" }),
  metadata: [
    file("1.json", { validate_method: "/by-ancestor", start_method: "/start-of-ancestor" }),
    file("2.json", { validate_method: "/by-file" }),
    file("3.json", {}),
  ],
  script: "/bin/container",
  environment: map({
    VALIDATE_METHOD: "/by-env",
    START_METHOD: "/start-by-env",
    MONITOR_METHOD: "/monitor-by-env",
  }),
};
const NOTHING: MethodSources = { labels: new Map(), metadata: [], script: null, environment: new Map() };

const validateOf = (sources: MethodSources): unknown => {
  const { action, source } = methodsOf(sources).found.get("validate") ?? {};
  return action !== undefined && "argv" in action ? [action.argv, source] : undefined;
};

t.test("the order of sources: label, the image's own file, its ancestor's, script, image ENV", (t) => {
  t.strictSame(validateOf(ALL), [["/by-label", "--all"], "label ocdd.validate"]);
  t.strictSame(validateOf({ ...ALL, labels: new Map() }), [["/by-file"], "2.json"]);
  t.strictSame(validateOf({ ...ALL, labels: new Map(), metadata: ALL.metadata.slice(0, 1) }), [
    ["/by-ancestor"],
    "1.json",
  ]);
  t.strictSame(validateOf({ ...ALL, labels: new Map(), metadata: [] }), [
    ["/bin/container", "--validate"],
    "/bin/container",
  ]);
  t.strictSame(validateOf({ ...NOTHING, environment: ALL.environment }), [
    ["/by-env"],
    "image ENV VALIDATE_METHOD",
  ]);
  t.equal(validateOf(NOTHING), undefined);
  const { found, problems } = methodsOf(ALL);
  t.strictSame([...found.keys()], ["start", "update", "validate", "monitor"], "METRICS has no source");
  t.match(found.get("start"), { source: "1.json", timeout: 60 });
  t.match(found.get("monitor"), { source: "image ENV MONITOR_METHOD" }, "the script has no --monitor");
  t.strictSame(problems, []);
  t.end();
});

t.test("a source that is there and cannot be read: a problem, and no other source is used", (t) => {
  for (const text of ["", "a | b", "'", "[1]", "x".repeat(70_000)]) {
    const { found, problems } = methodsOf({ ...ALL, labels: map({ "ocdd.validate": text }) });
    t.notOk(found.has("validate"), text.slice(0, 20));
    t.equal(problems.length, 1);
    t.match(problems[0], /^validate \(label ocdd\.validate\) cannot be read: /);
  }
  const odd = [file("1.json", { validate_method: "/old" }), file("2.json", { validate_method: [1] })];
  t.notOk(methodsOf({ ...NOTHING, metadata: odd, environment: ALL.environment }).found.has("validate"));
  t.end();
});

t.test("problems: one printable line of bounded length, whatever the source is called", (t) => {
  const source = `/etc/ocdd/metadata/${"\u001b[31m\n".repeat(1000)}.json`;
  const labels = map({
    "ocdd.update": `\n\u001b|${"x".repeat(60_000)}`,
    "ocdd.update.timeout": "\u001b".repeat(9_000),
  });
  const { problems } = methodsOf({
    ...NOTHING,
    labels,
    metadata: [file(source, { start_method: "\u0007;" })],
  });
  t.equal(problems.length, 2);
  for (const one of problems) {
    t.ok(one.length < 400, `${one.length} characters`);
    t.notMatch(one, /\p{C}/u);
  }
  t.end();
});

t.test("timeout: a duration; one that cannot be read is ignored and said", (t) => {
  const of = (text: string) =>
    methodsOf({ ...ALL, labels: map({ "ocdd.validate": "/a", "ocdd.validate.timeout": text }) });
  t.equal(of("5m").found.get("validate")?.timeout, 300);
  for (const text of ["", "0", "-1", "1.5s", "forever", "9999d"]) {
    const { found, problems } = of(text);
    t.equal(found.get("validate")?.timeout, 60, text);
    t.match(problems, [/ocdd\.validate\.timeout cannot be read and is ignored/]);
  }
  t.end();
});

t.test("METRICS: a command, or a URL in the container", (t) => {
  const of = (text: string) => methodsOf({ ...NOTHING, labels: map({ "ocdd.metrics": text }) });
  t.match(of("http://:9100/metrics").found.get("metrics")?.action, {
    http: { port: 9100, path: "/metrics" },
  });
  t.match(of("/bin/metrics -v").found.get("metrics")?.action, { argv: ["/bin/metrics", "-v"] });
  for (const text of ["https://x/", "http://user@x/", "http://x:99999/", "http://x/ y"])
    t.match(of(text), { found: new Map(), problems: [/it is no URL of the form/] }, text);
  t.match(
    methodsOf({ ...NOTHING, labels: map({ "ocdd.validate": "http://:80/" }) }).found.get("validate")?.action,
    {
      argv: ["http://:80/"],
    },
  );
  t.end();
});

t.test("names of sources that are a prototype's: not found by mistake", (t) => {
  const environment = map({ constructor: "/a", __proto__: "/b", START_METHOD: "" });
  t.equal(methodsOf({ ...NOTHING, environment }).found.size, 0);
  t.equal(METHODS.length, 5);
  t.end();
});
