/** The Content-Security-Policy of a page: what of it is allowed by hash. */
import { createHash } from "node:crypto";
import fc from "fast-check";
import t from "tap";
import { fill } from "../../src/core/page/template.ts";
import { policyOf } from "../../src/daemon/http-headers.ts";

/** As a browser hashes what it has parsed: line ends are one LF. `text`: octets, one a character. */
const hashOf = (text: string): string =>
  `'sha256-${createHash("sha256").update(text.replace(/\r\n?/g, "\n"), "latin1").digest("base64")}'`;

const directive = (html: string, name: string): string =>
  policyOf(html)
    .split("; ")
    .find((one) => one.startsWith(`${name} `))
    ?.slice(name.length + 1) ?? "";

const STYLE = "body{color:red}\np>a[title='</b>']{margin:0}\n";
const SCRIPT = 'if (1<2&&"<p>") document.title = "<body>";\n// é\n';

/** A template in the spellings that HTML allows. */
interface Spelling {
  readonly newline: string;
  readonly upper: boolean;
  /** Between an end tag's name and its `>`. */
  readonly space: string;
  readonly start: string;
  /** What ends the head. */
  readonly end: string;
  readonly attributes: string;
}

function template({ newline, upper, space, start, end, attributes }: Spelling): string {
  const tag = (text: string): string => (upper ? text.toUpperCase() : text);
  return [
    `${start}<!-- <style>no{}</style> -->`,
    `<${tag("meta")} name="x" content="<style>no{}</style>">`,
    `<${tag("title")}>{{title}} <script>no()</script></${tag("title")}${space}>`,
    `<${tag("style")}${attributes}>${STYLE}</${tag("style")}${space}>`,
    `<${tag("noscript")}><style>p{}</style></${tag("noscript")}${space}>`,
    `<${tag("script")}${attributes}>${SCRIPT}</${tag("script")}${space}>`,
    `<${tag("link")} rel=icon href="data:,"/>${end}<h1>{{title}}</h1>{{services}}`,
  ]
    .join("\n")
    .replace(/\n/g, newline);
}

const spelling = fc.record({
  newline: fc.constantFrom("\n", "\r\n", "\r"),
  upper: fc.boolean(),
  space: fc.constantFrom("", " ", "\n", "\t ", " x"),
  start: fc.constantFrom(
    "<!doctype html>\n<html lang=en>\n<head>\n",
    "<!DOCTYPE HTML><HTML><HEAD >",
    "<!doctype html>\n",
    "\xef\xbb\xbf<!doctype html><html data-version='{{version}}'>",
    "<!-->",
    "",
  ),
  end: fc.constantFrom(
    "</head>\n<body>",
    "</HEAD ><BODY CLASS=x>",
    "<body>",
    "<body\n>",
    "</head>",
    "",
    "<main>",
  ),
  attributes: fc.constantFrom("", " type=module", ' title="a > b"', " title = 'a > b' defer", "\n"),
});

const hostile = "<style>evil{}</style><script>evil()</script></head><!-- --><script>evil()</script>";
const slots = {
  title: "T",
  zone: "z",
  host: "h",
  version: "0123456789abcd",
  style: "",
  script: "",
  summary: "",
  counts: "",
  range: "",
  groups: "",
};

t.test(
  "styles and scripts of a template's head: allowed in each spelling of HTML, and nothing of its body",
  async (t) => {
    fc.assert(
      fc.property(spelling, (one) => {
        // not even where text of a container got in unescaped
        const html = fill(template(one), { ...slots, services: `<section>${hostile}</section>` });
        t.equal(directive(html, "style-src"), `${hashOf(STYLE)} ${hashOf("p{}")}`, JSON.stringify(html));
        t.equal(directive(html, "script-src"), hashOf(SCRIPT), JSON.stringify(html));
      }),
      { numRuns: 200 },
    );
  },
);

t.test(
  "where a head ends: at its end tag, at the body's start, and at any element that is of no head",
  async (t) => {
    const after = "<style>evil{}</style><script>evil()</script>";
    for (const end of [
      "</head>",
      "</HEAD\n>",
      "<body>",
      "<BODY class='a'>",
      "<div>",
      "<p>",
      "<svg/>",
      "</html>",
      "</body>",
      "<header>",
    ]) {
      const policy = policyOf(`<title>x</title><style>a{}</style>${end}${after}`);
      t.match(policy, `style-src ${hashOf("a{}")}; script-src 'none';`, end);
    }
    t.match(policyOf(`<p>no head</p>${after}`), "style-src 'none'; script-src 'none';");
    t.match(policyOf(""), "style-src 'none'; script-src 'none';");
    t.match(policyOf("<style>a{}"), "style-src 'none'", "an element without its end");
    t.match(
      policyOf("<style-x>a{}</style-x><style>b{}</style>"),
      "style-src 'none'",
      "another element's name",
    );
    t.match(policyOf("<style>a{}</styles></style>"), hashOf("a{}</styles>"));
  },
);
