/** The report of `examine`, to the letter. */
import { readFileSync } from "node:fs";
import t from "tap";
import { examineText } from "../../../src/core/methods/examine.ts";
import { type Metadata, metadataOf } from "../../../src/core/methods/metadata.ts";
import { methodsOf } from "../../../src/core/methods/method.ts";
import { BASE } from "./pienaar.ts";

const SCRIPTS = "/srv/support/bin";

function read(fields: object): Metadata {
  const found = metadataOf(fields, "x.json");
  if ("problem" in found) throw new Error(found.problem);
  return found.metadata;
}

const report = (ancestry: readonly Metadata[], firstStarted: number | null = 1_427_691_757): string =>
  examineText({
    firstStarted,
    methods: methodsOf({ labels: new Map(), metadata: ancestry, script: null, environment: new Map() }),
    ancestry,
  });

t.test("examine: methods, then a block for each ancestor, oldest first", (t) => {
  const own = {
    ...BASE,
    project: "rbldnsd",
    image_name: "ripienaar/rbldnsd",
    start_method: `${SCRIPTS}/start.sh`,
    update_method: `${SCRIPTS}/update.sh`,
    validate_method: `${SCRIPTS}/validate.sh`,
  };
  t.equal(report([read(BASE), read(own)]), readFileSync(new URL("examine.txt", import.meta.url), "utf8"));
  t.end();
});

t.test("examine: nothing known", (t) => {
  t.same(report([], null).split("\n"), [
    "Container first started at unknown",
    "",
    "Container management methods:",
    "",
    "   Container supports no methods",
    "",
  ]);
  t.match(report([read({})]), /Build Time: not set\n/);
  t.end();
});

t.test("examine: text of the image's author stays one line and printable", (t) => {
  const text = report([read({ project: "a\nContainer supports START", gitref: "\u001b[31mred\u0007" })]);
  t.match(text, /^Metadata for image a Container supports START$/m);
  t.match(text, /Git Hash: red\ufffd$/m);
  t.notOk(text.includes("\u001b"));
  t.end();
});
