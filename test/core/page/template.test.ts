/** The page's frame: slots, a site's own files, and what happens when they are no frame. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import t from "tap";
import { BARE_TEMPLATE, fill, templateOf } from "../../../src/core/page/template.ts";
import { readTemplate } from "../../../src/host/disk/page.ts";
import { container } from "../make.ts";
import { sampleDecision } from "../page-sample.ts";

const slots = {
  title: "T",
  zone: "z",
  host: "h",
  version: "v",
  style: "s",
  script: "{{title}}",
  summary: "$&",
  counts: "c",
  range: "r",
  groups: "g",
  services: "{{script}}",
};

t.test("slots of a template: each is filled once", async (t) => {
  t.equal(
    fill("{{title}} {{services}} {{summary}} {{script}}", slots),
    "T {{script}} $& {{title}}",
    "filled once",
  );
  t.equal(
    fill("{{none}} {{constructor}} {{ title }} {title}", slots),
    "{{none}} {{constructor}} {{ title }} {title}",
  );
});

t.test("an index.html without the required slots: not used, with a warning", async (t) => {
  const { index, problems } = templateOf({ index: "<p>{{title}}", style: "", script: "" }, ["before"]);
  t.equal(index, BARE_TEMPLATE.index);
  t.equal(problems.length, 2);
});

t.test("a site's own files: each replaces the one of OCDD", async (t) => {
  const directory = mkdtempSync(join(tmpdir(), "ocdd-template-"));
  t.teardown(() => rmSync(directory, { recursive: true }));
  const own = await readTemplate("");
  t.same(own.problems, []);
  t.match(own.index, "{{services}}");
  t.same(await readTemplate(directory), own, "an empty directory changes nothing");
  const { problems, ...files } = await readTemplate(join(directory, "none"));
  t.match({ ...files, problems: [] }, own);
  t.match(problems, [/none is no directory that can be read; the page's own files are used$/]);
  await execa("mkfifo", [join(directory, "index.html")]);
  const piped = await readTemplate(directory);
  t.equal(piped.index, own.index);
  t.match(piped.problems, [/index\.html: it is a pipe and not a file; the page's own index\.html is used$/]);
  rmSync(join(directory, "index.html"));
  writeFileSync(join(directory, "style.css"), "body{color:teal}");
  const styled = await readTemplate(directory);
  t.equal(styled.style, "body{color:teal}");
  t.equal(styled.script, own.script);
  const { desired } = sampleDecision([container({ name: "web" })], styled);
  t.match(desired.page.html, "body{color:teal}");
  writeFileSync(join(directory, "index.html"), "<title>{{title}}</title> ours: {{services}}");
  const framed = sampleDecision([container({ name: "web" })], await readTemplate(directory));
  t.match(framed.desired.page.html, /^<title>The ACME ToolBox server<\/title> ours: \n?<section/);
  writeFileSync(join(directory, "index.html"), "nothing");
  const broken = sampleDecision([container({ name: "web" })], await readTemplate(directory));
  t.match(broken.desired.page.html, "<!doctype html>");
  t.match(broken.warnings.join("\n"), "has no {{title}} and {{services}}");
});

t.test("without any template: the page is plain, and complete", async (t) => {
  const { desired } = sampleDecision([container({ name: "web" })]);
  t.match(desired.page.html, "<a href=http://web.toolbox.example.com/>web</a>");
  t.notMatch(desired.page.html, "<script");
});
