/** Conditions on metadata. */
import fc from "fast-check";
import t from "tap";
import { compareVersions, matches, readCondition, valueAt } from "../../../src/core/methods/audit.ts";

const DOCUMENT = {
  gitref: "abc",
  ci: true,
  image_tag_names: ["a:1", "b:2"],
  meta: { openssl: "1.1.1w", java: 17, owner: { team: "ops" } },
  labels: { "org.opencontainers.image.version": "2.10.0" },
  runtime: { digest: null },
};

const holds = (text: string): boolean | undefined => {
  const condition = readCondition(text);
  return condition && matches(DOCUMENT, condition);
};

t.test("conditions that hold, and that do not", (t) => {
  for (const text of [
    "meta.openssl<3",
    "meta.openssl < 1.1.1x",
    "meta.openssl>=1.1.1",
    "meta.java=17",
    "meta.java>9",
    "meta.owner.team=ops",
    "labels.org.opencontainers.image.version>2.9",
    "image_tag_names=b:2",
    "image_tag_names~B:",
    "gitref",
    "gitref!=abcd",
    "meta.absent!=1",
    "ci==true",
  ])
    t.equal(holds(text), true, text);
  for (const text of [
    "meta.openssl<1",
    "meta.absent<3",
    "meta.absent",
    "runtime.digest",
    "image_tag_names!=a:1",
    "gitref=ab",
    "labels.org.opencontainers=1",
  ])
    t.equal(holds(text), false, text);
  for (const text of ["", "<3", "a b", "meta.openssl ? 3", "x".repeat(2_000)])
    t.equal(readCondition(text), undefined, text.slice(0, 20));
  for (const text of [
    "--",
    "...",
    ".a=1",
    "a.=1",
    "a..b=1",
    "a=",
    "a<",
    "a ~ ",
    "a=>3",
    "a<<3",
    "a=~x",
    "a===1",
  ])
    t.equal(readCondition(text), undefined, `${text} is no condition`);
  t.equal(holds("gitref!="), true, "it is not empty");
  t.end();
});

t.test("versions in their order", (t) => {
  const sorted = [
    "1.0-alpha",
    "1.0-rc1",
    "1.0",
    "1.0.1",
    "1.1.1f",
    "1.1.1w",
    "1.9",
    "1.10",
    "v2",
    "3.0.1",
    "10",
  ];
  for (const [at, a] of sorted.entries())
    for (const [other, b] of sorted.entries())
      t.equal(Math.sign(compareVersions(a, b)), Math.sign(at - other), `${a} ${b}`);
  t.equal(compareVersions("1.0", "1"), 0);
  t.end();
});

t.test("any two texts have one order, the opposite of that the other way round", (t) => {
  fc.assert(
    fc.property(fc.string(), fc.string(), (a, b) => {
      t.equal(Math.sign(compareVersions(a, b)) + Math.sign(compareVersions(b, a)), 0);
    }),
  );
  t.end();
});

t.test("a path leads to own fields only", (t) => {
  const hostile = JSON.parse('{"__proto__":{"a":1},"constructor":"x"}');
  t.equal(valueAt(hostile, "toString"), undefined);
  t.equal(valueAt(hostile, "__proto__.a"), 1, "a key of the document");
  t.equal(valueAt({}, "__proto__.toString"), undefined);
  t.end();
});
