/** Prometheus' text format of a container: what is read, what is refused, and what is given on. */
import fc from "fast-check";
import t from "tap";
import {
  type Family,
  MOST_EXPOSITION_OCTETS,
  MOST_SERIES,
  readExposition,
} from "../../../src/core/methods/exposition.ts";
import { merged } from "../../../src/core/methods/merge.ts";

function families(text: string, service = "web"): readonly Family[] {
  const read = readExposition(text, service);
  if ("problem" in read) throw new Error(read.problem);
  return read.families;
}

const problem = (text: string): string => {
  const read = readExposition(text, "web");
  return "problem" in read ? read.problem : `it was read: ${JSON.stringify(read.families)}`;
};

const given = (text: string, service = "web"): string =>
  merged(new Map([[service, families(text, service)]])).text;

t.test("the example of the format's description is given on, each series with its service", (t) => {
  const text = `# HELP http_requests_total The total number of HTTP requests.
# TYPE http_requests_total counter
http_requests_total{method="post",code="200"} 1027 1395066363000
http_requests_total{method="post",code="400"}    3 1395066363000

# Escaping in label values:
msdos_file_access_time_seconds{path="C:\\\\DIR\\\\FILE.TXT",error="Cannot find file:\\n\\"FILE.TXT\\""} 1.458255915e9

# Minimalistic line:
metric_without_timestamp_and_labels 12.47

# A weird metric from before the epoch:
something_weird{problem="division by zero"} +Inf -3982045

# A histogram, which has a pretty complex representation in the text format:
# HELP http_request_duration_seconds A histogram of the request duration.
# TYPE http_request_duration_seconds histogram
http_request_duration_seconds_bucket{le="0.05"} 24054
http_request_duration_seconds_bucket{le="+Inf"} 144320
http_request_duration_seconds_sum 53423
http_request_duration_seconds_count 144320

# Finally a summary, which has a complex representation, too:
# HELP rpc_duration_seconds A summary of the RPC duration in seconds.
# TYPE rpc_duration_seconds summary
rpc_duration_seconds{quantile="0.01"} 3102
rpc_duration_seconds_sum 1.7560473e+07
rpc_duration_seconds_count 2693
`;
  t.equal(
    given(text),
    `# HELP http_requests_total The total number of HTTP requests.
# TYPE http_requests_total counter
http_requests_total{service="web",method="post",code="200"} 1027
http_requests_total{service="web",method="post",code="400"} 3
# HELP msdos_file_access_time_seconds A metric of a container, which gives no help text.
# TYPE msdos_file_access_time_seconds untyped
msdos_file_access_time_seconds{service="web",path="C:\\\\DIR\\\\FILE.TXT",error="Cannot find file:\\n\\"FILE.TXT\\""} 1.458255915e9
# HELP metric_without_timestamp_and_labels A metric of a container, which gives no help text.
# TYPE metric_without_timestamp_and_labels untyped
metric_without_timestamp_and_labels{service="web"} 12.47
# HELP something_weird A metric of a container, which gives no help text.
# TYPE something_weird untyped
something_weird{service="web",problem="division by zero"} +Inf
# HELP http_request_duration_seconds A histogram of the request duration.
# TYPE http_request_duration_seconds histogram
http_request_duration_seconds_bucket{service="web",le="0.05"} 24054
http_request_duration_seconds_bucket{service="web",le="+Inf"} 144320
http_request_duration_seconds_sum{service="web"} 53423
http_request_duration_seconds_count{service="web"} 144320
# HELP rpc_duration_seconds A summary of the RPC duration in seconds.
# TYPE rpc_duration_seconds summary
rpc_duration_seconds{service="web",quantile="0.01"} 3102
rpc_duration_seconds_sum{service="web"} 1.7560473e+07
rpc_duration_seconds_count{service="web"} 2693
`,
  );
  t.end();
});

t.test("forms that are read", (t) => {
  const forms: readonly (readonly [string, string])[] = [
    ["a 1", 'a{service="web"} 1'],
    ["a 1\n", 'a{service="web"} 1'],
    ["\n \t \n  a \t 1  ", 'a{service="web"} 1'],
    ["a{} 1", 'a{service="web"} 1'],
    ["a{}1", 'a{service="web"} 1'],
    ["a { } 1", 'a{service="web"} 1'],
    ['a{b="",} nan', 'a{service="web"} NaN'],
    ['a { b = "x" , c="}" , } -inf', 'a{service="web",b="x",c="}"} -Inf'],
    ["a:b_C9 -.5E-3", 'a:b_C9{service="web"} -.5E-3'],
    ["#EOF\n# EOF\n#\n# HELPA b\na 1", 'a{service="web"} 1'],
    ["a 1 -1", 'a{service="web"} 1'],
  ];
  for (const [text, line] of forms) t.same(families(text)[0]?.lines, [line], text);
  t.same(families(""), []);
  t.same(families("# HELP a b\n# TYPE a gauge\n"), [], "a metric without a series");
  t.match(families("#HELP a b \\\\ \\n c\n# TYPE  a  gauge\na 1"), [{ help: "b \\\\ \\n c", type: "gauge" }]);
  t.end();
});

t.test("lines that are wrong refuse the whole text, with the line's number and the reason", (t) => {
  const bad: readonly (readonly [string, RegExp])[] = [
    ["ok 1\na", /^line 2: no blank follows the name a/],
    ["a\u00a01", /no blank/],
    ["a x", /no value that is a number/],
    ["a 1 2 3", /no value/],
    ["a 1 now", /no value/],
    ["a 0x10", /no value/],
    ["a 1_000", /no value/],
    ["a 1e999", /no value/],
    ["a 1,5", /no value/],
    ["a Infinityx", /no value/],
    [`a ${"1".repeat(100)}`, /no value/],
    ["a 1\r", /no value/],
    ["1a 1", /begins with no name/],
    ["é 1", /begins with no name/],
    ['{"a"} 1', /begins with no name/],
    ['{__name__="a"} 1', /begins with no name/],
    [`${"a".repeat(201)} 1`, /begins with no name/],
    ["a{b=1} 1", /its labels cannot be read at "b=1/],
    ["a{b='1'} 1", /labels cannot be read/],
    ['a{b="1"', /labels cannot be read/],
    ['a{b="1} 1', /labels cannot be read/],
    ['a{b="\\t"} 1', /labels cannot be read/],
    ['a{b="1"c="2"} 1', /labels cannot be read/],
    ['a{,b="1"} 1', /labels cannot be read/],
    ['a{b:c="1"} 1', /labels cannot be read/],
    ['a{b="1",b="2"} 1', /the label b is there twice/],
    ['a{__x="1"} 1', /the label __x is reserved/],
    [`a{b="${"x".repeat(1_025)}"} 1`, /longer than 1024/],
    [`a{${Array.from({ length: 33 }, (_, n) => `l${n}="1"`).join(",")}} 1`, /more than 32 labels/],
    ["a 1\na 2", /line 2: the series "a" is there twice/],
    ['a{b="1",c="2"} 1\na{c="2",b="1"} 2', /is there twice/],
    ['a 1\na{b=""} 2', /is there twice/],
    ["# TYPE a gauge\n# TYPE a gauge\na 1", /line 2: a second TYPE of a/],
    ["# HELP a b\n# HELP a c", /a second HELP of a/],
    ["a 1\n# TYPE a gauge", /TYPE of a stands behind its series/],
    ["# TYPE a info", /"info" is no type/],
    ["# TYPE a", /"" is no type/],
    ["# TYPE", /TYPE names no metric/],
    ["# HELP 9 x", /HELP names no metric/],
    ["# HELP a b\\t", /holds a backslash/],
    ["# TYPE a histogram\na 1", /a is a histogram and has no series/],
    ["# TYPE a histogram\na_bucket 1", /a_bucket has no label le that is a number/],
    ['# TYPE a histogram\na_bucket{le="x"} 1', /no label le/],
    ["# TYPE a summary\na 1", /a has no label quantile/],
    [`a{b="${"x".repeat(40_000)}"} 1`, /longer than 32768/],
    ["\u0000", /begins with no name/],
  ];
  for (const [text, reason] of bad) {
    t.match(problem(text), reason, JSON.stringify(text.slice(0, 50)));
    t.ok(problem(text).length < 300);
    t.notMatch(problem(text), /\p{Cc}/u, "one printable line");
  }
  t.end();
});

t.test("bounds: octets, series, metrics", (t) => {
  t.match(problem("#".repeat(MOST_EXPOSITION_OCTETS + 1)), /larger than 1048576 octets/);
  const series = (n: number): string => Array.from({ length: n }, (_, at) => `a{b="${at}"} 1\n`).join("");
  t.equal(families(series(MOST_SERIES))[0]?.lines.length, MOST_SERIES);
  t.match(problem(series(MOST_SERIES + 1)), /more than 5000 series/);
  t.match(problem(Array.from({ length: 1_001 }, (_, n) => `a${n} 1\n`).join("")), /more than 1000 metrics/);
  t.match(problem(Array.from({ length: 1_001 }, (_, n) => `# HELP a${n} x\n`).join("")), /more than 1000/);
  t.ok((families(`# HELP a ${"\\\\".repeat(5_000)}\na 1`)[0]?.help ?? "").length < 1_100);
  t.end();
});

t.test("labels named service are kept as exported_service; a text for a terminal is made harmless", (t) => {
  t.same(families('a{service="other"} 1')[0]?.lines, ['a{service="web",exported_service="other"} 1']);
  t.same(families('a{service="x",exported_service="y"} 1')[0]?.lines, [
    'a{service="web",exported_exported_service="x",exported_service="y"} 1',
  ]);
  t.same(families('a{service=""} 1')[0]?.lines, ['a{service="web"} 1'], "an empty label is none");
  const hostile = families('# HELP a \u001b[2J\u202e\na{b="\u001b[31m\u0000\u2028"} 1')[0];
  t.same(hostile?.lines, ['a{service="web",b="\ufffd[31m\ufffd\ufffd"} 1']);
  t.equal(hostile?.help, "\ufffd[2J\ufffd");
  t.end();
});

t.test("merge: one HELP and TYPE for a metric of several services", (t) => {
  const { text, leftOut } = merged(
    new Map([
      ["a", families("# TYPE x gauge\nx 1", "a")],
      ["b", families("# HELP x The x.\n# TYPE x gauge\nx 2\ny 3", "b")],
    ]),
  );
  t.equal(
    text,
    `# HELP x The x.
# TYPE x gauge
x{service="a"} 1
x{service="b"} 2
# HELP y A metric of a container, which gives no help text.
# TYPE y untyped
y{service="b"} 3
`,
  );
  t.same(
    [...leftOut],
    [
      ["a", 0],
      ["b", 0],
    ],
  );
  t.same(merged(new Map()), { text: "", leftOut: new Map() });
  t.end();
});

t.test(
  "merge: a metric with another type, a part of another's histogram, and OCDD's names are left out and counted",
  (t) => {
    const of = (texts: Readonly<Record<string, string>>) =>
      merged(new Map(Object.entries(texts).map(([service, text]) => [service, families(text, service)])));
    const types = of({ a: "# TYPE x gauge\nx 1", b: "# TYPE x counter\nx 2", c: "x 3\nz 1" });
    t.match(types.text, 'x{service="a"} 1');
    t.notMatch(types.text, /x\{service="[bc]"\}/);
    t.match(types.text, 'z{service="c"} 1', "the rest of it stays");
    t.same(
      [...types.leftOut],
      [
        ["a", 0],
        ["b", 1],
        ["c", 1],
      ],
    );
    const histogram = '# TYPE x histogram\nx_bucket{le="1"} 1\nx_sum 1\nx_count 1';
    t.same([...of({ a: histogram, b: "x_count 1" }).leftOut.values()], [0, 1]);
    t.same([...of({ a: "x_count 1", b: histogram }).leftOut.values()], [0, 1]);
    t.same([...of({ a: histogram, b: histogram }).leftOut.values()], [0, 0]);
    const own = of({ a: "# TYPE ocdd_services gauge\nocdd_services 0\nocdd_ 1\nocdd 1" });
    t.notMatch(own.text, "ocdd_");
    t.same([...own.leftOut], [["a", 2]]);
    t.end();
  },
);

t.test("hostile texts: never thrown for; what is given on is read again as it is", (t) => {
  const piece = fc.constantFrom(
    ...'# HELP TYPE a b _bucket _sum _count histogram summary gauge counter { } " \\ \\n = , 1 -1 NaN +Inf 1e9 le quantile service \n \t'.split(
      " ",
    ),
    " ",
    "\n",
    '{le="1"}',
    "\nx 1\n",
    "\r",
    "\u0000",
    "\ud800",
  );
  const line = fc.oneof(
    fc.array(piece, { maxLength: 12 }).map((parts) => parts.join("")),
    fc
      .tuple(fc.constantFrom("a", "b", "a_sum", "a_bucket"), fc.string({ maxLength: 8 }), fc.integer())
      .map(([name, value, n]) => `${name}{le="1",quantile="1",v=${JSON.stringify(value)}} ${n}`),
    fc.constantFrom("# TYPE a histogram", "# TYPE a summary", "# TYPE b gauge", "# HELP a \\n x"),
  );
  const text = fc.array(line, { maxLength: 8 }).map((lines) => lines.join("\n"));
  let accepted = 0;
  fc.assert(
    fc.property(text, text, (first, second) => {
      const [a, b] = [readExposition(first, "a"), readExposition(second, "b")];
      const good = new Map<string, readonly Family[]>();
      if ("families" in a) good.set("a", a.families);
      if ("families" in b) good.set("b", b.families);
      const whole = merged(good);
      const again = readExposition(whole.text, "c");
      if ("problem" in again) throw new Error(`${again.problem}\n${whole.text}`);
      const lines = whole.text.split("\n").filter((one) => one !== "" && !one.startsWith("#"));
      accepted += lines.length;
      const total = [...good.values()].flat().reduce((sum, one) => sum + one.lines.length, 0);
      return again.series === lines.length && lines.length <= total;
    }),
    { numRuns: Number(process.env.OCDD_RUNS ?? 2_000) },
  );
  t.ok(accepted > 100, `${accepted} series were accepted`);
  t.end();
});

t.test("long lines of repeated characters are refused as others are", (t) => {
  const hostile = [
    'a{b="',
    "a".repeat(32_000),
    `a{${'b="'.repeat(10_000)}`,
    `# HELP a ${"\\".repeat(32_000)}`,
    `a${" ".repeat(32_000)}x`,
  ];
  for (const line of hostile) t.match(problem(`${line}\n`.repeat(30)), /^line [12]: /);
  t.end();
});
