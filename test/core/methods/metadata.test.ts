/** Metadata of images: each field of the format with each kind of value, and files that are hostile. */
import fc from "fast-check";
import t from "tap";
import {
  fromOciLabels,
  labelMetadata,
  type Metadata,
  MOST_METADATA_LENGTH,
  readMetadata,
  utc,
} from "../../../src/core/methods/metadata.ts";

function read(text: string): Metadata {
  const found = readMetadata(text, "a.json");
  if ("problem" in found) throw new Error(found.problem);
  return found.metadata;
}
const of = (fields: Readonly<Record<string, unknown>>): Metadata => read(JSON.stringify(fields));

const WHOLE = {
  validate_method: "/srv/support/bin/validate.sh",
  start_method: "/srv/support/bin/start.sh",
  update_method: ["/srv/support/bin/update.sh", "--now"],
  validate: true,
  build_cause: "TIMERTRIGGER",
  build_tag: "jenkins-docker centos_base-20",
  ci: true,
  image_tag_names: ["hub.my.net/ripienaar/centos_base"],
  project: "centos_base",
  build_time: "2015-03-24 03:25:01",
  build_time_stamp: 1_427_167_501,
  image_name: "ripienaar/centos_base",
  gitref: "fcb5f3c664b293c7a196c9809a33714427804d40",
};

t.test("a whole file: each field of the format", (t) => {
  const { fields, ...rest } = of(WHOLE);
  t.strictSame(rest, {
    source: "a.json",
    project: WHOLE.project,
    imageName: WHOLE.image_name,
    imageTagNames: WHOLE.image_tag_names,
    ci: true,
    gitref: WHOLE.gitref,
    buildCause: WHOLE.build_cause,
    buildTime: WHOLE.build_time,
    buildTimeStamp: WHOLE.build_time_stamp,
    buildTag: WHOLE.build_tag,
    validate: true,
    methods: {
      start: WHOLE.start_method,
      update: '["/srv/support/bin/update.sh","--now"]',
      validate: WHOLE.validate_method,
    },
  });
  t.strictSame(Object.fromEntries(fields), WHOLE, "and all as they were written");
  t.end();
});

const NONE = of({});

t.test("an absent field, and one of another type: counts as absent, the others stay", (t) => {
  t.strictSame({ ...NONE, fields: 0 }, {
    ...{ source: "a.json", project: null, imageName: null, imageTagNames: [], ci: null, gitref: null },
    ...{ buildCause: null, buildTime: null, buildTimeStamp: null, buildTag: null, validate: null },
    ...{ methods: {}, fields: 0 },
  } as unknown as Metadata);
  const odd: unknown[] = [
    null,
    {},
    { toString: 1, valueOf: 1 },
    { length: 1 },
    [],
    [[1]],
    -1,
    0.5,
    true,
    "",
    " ",
  ];
  for (const key of Object.keys(WHOLE)) {
    for (const value of [...odd, "x".repeat(5_000)]) {
      const found = of({ ...WHOLE, [key]: value });
      const whole = of(WHOLE);
      const differing = Object.keys(whole).filter((name) => {
        const pair = [found, whole].map((one) => JSON.stringify(one[name as keyof Metadata]));
        return pair[0] !== pair[1];
      });
      t.ok(differing.length <= 1, `${key}: ${JSON.stringify(value).slice(0, 40)}: ${differing}`);
    }
  }
  t.equal(of({ ci: "true" }).ci, null);
  t.equal(of({ project: 5 }).project, null);
  t.equal(of({ gitref: "x".repeat(5_000) }).gitref, null);
  t.strictSame(of({ start_method: 5, update_method: "", validate_method: [] }).methods, {});
  t.strictSame(
    of({ start_method: [1] }).methods,
    { start: "[1]" },
    "which cannot be read as a command: a problem there",
  );
  t.end();
});

t.test("build_time_stamp: a whole number of seconds up to the year 9999, or a text of digits", (t) => {
  const rows: [unknown, number | null][] = [
    [1, 1],
    ["1427167501", 1_427_167_501],
    [253_402_300_799, 253_402_300_799],
    [253_402_300_800, null],
    [Number.MAX_SAFE_INTEGER, null],
    [0, null],
    [-5, null],
    [1.5, null],
    ["0x10", null],
    ["1e9", null],
    ["", null],
    [[5], null],
    [true, null],
    [{ toString: 1, valueOf: 1 }, null],
  ];
  for (const [value, want] of rows)
    t.equal(of({ build_time_stamp: value }).buildTimeStamp, want, JSON.stringify(value));
  t.equal(read('{"build_time_stamp":1e999}').buildTimeStamp, null);
  t.equal(utc(253_402_300_799), "9999-12-31 23:59:59");
  t.end();
});

t.test("image_tag_names: texts of a list, 256 at most, or one text", (t) => {
  t.strictSame(of({ image_tag_names: "a" }).imageTagNames, ["a"]);
  t.strictSame(of({ image_tag_names: ["a", 1, null, ["b"], "c", "x".repeat(5_000)] }).imageTagNames, [
    "a",
    "c",
  ]);
  t.equal(of({ image_tag_names: Array(1000).fill("a") }).imageTagNames.length, 256);
  t.end();
});

t.test("hostile files: a problem as a whole, or harmless", (t) => {
  const problem = (text: string): unknown => {
    const found = readMetadata(text, "a.json");
    return "problem" in found ? found.problem : "none";
  };
  t.match(problem("x".repeat(10 << 20)), /larger than 262144 characters/);
  t.match(problem(`{"a":"${"x".repeat(MOST_METADATA_LENGTH)}"}`), /larger/);
  for (const text of ["", "x", "{", "null", "5", '"a"', "[]", "[{}]", "\ufeff{}", '{"a":NaN}', "\0"])
    t.match(problem(text), /no JSON/, text);
  t.match(problem("[".repeat(200_000)), /no JSON/);
  t.match(problem(`{"a":${"[".repeat(100_000)}${"]".repeat(100_000)}}`), /more than 16 levels/);
  t.match(problem(`{"a":${'{"b":'.repeat(16)}1${"}".repeat(16)}}`), /more than 16 levels/);
  t.equal(problem(`{"a":${'{"b":'.repeat(14)}1${"}".repeat(14)}}`), "none");
  t.match(problem(JSON.stringify({ a: Array(1025).fill(0) })), /a list that is too long/);
  t.match(
    problem(JSON.stringify(Object.fromEntries(Array.from({ length: 1025 }, (_, n) => [n, n])))),
    /too long/,
  );
  t.equal(read('{"project":"a","project":"b"}').project, "b", "of a key twice the last counts");
  const proto = read(
    '{"__proto__":{"project":"p","ci":true},"constructor":{"prototype":{"ci":true}},"project":"q"}',
  );
  t.strictSame([proto.project, proto.ci, proto.fields.has("__proto__")], ["q", null, true]);
  t.equal(({} as { ci?: unknown }).ci, undefined, "no prototype is changed");
  const odd = "\ud800 \0 \u001b[31m \u202e";
  t.equal(of({ project: odd }).project, odd, "texts stay as they are: they are escaped where they are shown");
  t.end();
});

t.test("any JSON: fields have their types, and are bounded", async () => {
  const key = fc.constantFrom(...Object.keys(WHOLE), "__proto__", "constructor", "toString");
  const value = fc.oneof(
    fc.jsonValue({ maxDepth: 4, stringUnit: "binary" }),
    fc.dictionary(key, fc.jsonValue()),
  );
  const isText = (one: unknown): boolean => one === null || (typeof one === "string" && one.length <= 4_096);
  fc.assert(
    fc.property(fc.dictionary(key, value), (fields) => {
      const found = readMetadata(JSON.stringify(fields), "a.json");
      if ("problem" in found) return /levels|no JSON object/.test(found.problem);
      const { metadata: one } = found;
      const texts = [one.project, one.imageName, one.gitref, one.buildCause, one.buildTime, one.buildTag];
      const flags = [one.ci, one.validate];
      return (
        [...texts, ...one.imageTagNames].every(isText) &&
        flags.every((flag) => flag === null || typeof flag === "boolean") &&
        (one.buildTimeStamp === null || utc(one.buildTimeStamp).length === 19) &&
        Object.values(one.methods).every((text) => typeof text === "string" && text.trim() !== "")
      );
    }),
    { numRuns: 2000 },
  );
});

t.test(
  "labels: OCI's by their names; ocdd.meta.* with JSON parsed, and numbers only where none is lost",
  (t) => {
    const { oci, meta } = labelMetadata(
      new Map([
        ["org.opencontainers.image.revision", "abc"],
        ["org.opencontainers.image.title", "x".repeat(5_000)],
        ["ocdd.meta.list", '["a",{"b":1}]'],
        ["ocdd.meta.text", "plain text"],
        ["ocdd.meta.quoted", '"1.10"'],
        ["ocdd.meta.number", "42"],
        ["ocdd.meta.openssl", "1.10"],
        ["ocdd.meta.hash", "12e4567"],
        ["ocdd.meta.long", "12345678901234567890"],
        ["ocdd.meta.zero", "007"],
        ["ocdd.meta.flag", "true"],
        ["ocdd.meta.__proto__", '{"x":1}'],
        ["ocdd.meta.", "no name"],
        ["ocdd.metal", "another label"],
        ["ocdd.meta.deep", `${"[".repeat(17)}${"]".repeat(17)}`],
        [`ocdd.meta.${"k".repeat(5_000)}`, "1"],
        ["other", "x"],
      ]),
    );
    t.strictSame([...oci], [["org.opencontainers.image.revision", "abc"]]);
    t.strictSame(
      [...meta],
      [
        ["list", ["a", { b: 1 }]],
        ["text", "plain text"],
        ["quoted", "1.10"],
        ["number", 42],
        ["openssl", "1.10"],
        ["hash", "12e4567"],
        ["long", "12345678901234567890"],
        ["zero", "007"],
        ["flag", true],
        ["__proto__", { x: 1 }],
      ],
    );
    const many = new Map(Array.from({ length: 1000 }, (_, n) => [`ocdd.meta.${n}`, "1"]));
    t.equal(labelMetadata(many).meta.size, 256);
    t.end();
  },
);

t.test("OCI labels as an image and its base: oldest first; a time that is none is left out", (t) => {
  const labels = (over: Readonly<Record<string, string>>) =>
    new Map(Object.entries(over).map(([key, value]) => [`org.opencontainers.image.${key}`, value]));
  t.strictSame(fromOciLabels(new Map()), []);
  const [base, own] = fromOciLabels(
    labels({
      ...{ "base.name": "debian:12", "base.digest": "sha256:ab", title: "dns", revision: "abc" },
      created: "2015-03-24T03:25:01.5+01:00",
    }),
  );
  t.match(base, { imageName: "debian:12", imageTagNames: ["debian:12@sha256:ab"], source: "OCI labels" });
  t.match(own, {
    project: "dns",
    gitref: "abc",
    buildTime: "2015-03-24 02:25:01",
    buildTimeStamp: 1_427_163_901,
  });
  const created = [
    "",
    "1",
    "yesterday",
    "2015-03-24",
    "2015-99-99T00:00:00Z",
    "+275760-09-13T00:00:00Z",
    "-000001-01-01T00:00:00Z",
  ];
  for (const text of [...created, "0001-01-01T00:00:00Z"])
    t.match(
      fromOciLabels(labels({ title: "a", created: text })),
      [{ project: "a", buildTimeStamp: null }],
      text,
    );
  t.end();
});
