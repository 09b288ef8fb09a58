// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the shell's spelling is what is tested
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execaSync } from "execa";
import fc from "fast-check";
import t from "tap";
import { readConfFile } from "../../../src/core/config/conf-file.ts";

const read = (text: string, variables: Record<string, string> = {}) =>
  readConfFile(text, "F", new Map(Object.entries(variables)));

/** Values by key, the last assignment winning; the problems' text where there are any. */
function values(text: string, variables: Record<string, string> = {}): Record<string, string> | string {
  const { assignments, problems } = read(text, variables);
  if (problems.length > 0) return problems.map((p) => `${p.where}: ${p.message}`).join("\n");
  return Object.fromEntries(assignments.map(({ key, value }) => [key, value]));
}

t.test("values in each quoting: as a shell reads them", async (t) => {
  const table: [string, string, Record<string, string>][] = [
    ["bare", "A=b", { A: "b" }],
    ["empty", "A=", { A: "" }],
    ["single quotes are literal", "A='$B `x` \\ #'", { A: "$B `x` \\ #" }],
    ["double quotes expand", 'B=1\nA="$B ${B} \\$B \\" \\\\ \\n"', { B: "1", A: '1 1 $B " \\ \\n' }],
    ["adjacent quotes join", "A='it'\\''s'\" $A\"x", { A: "it's x" }],
    ["comment", "A=b # c\n  # A=x\n\nB=c#d", { A: "b", B: "c#d" }],
    ["export", "export A=b", { A: "b" }],
    ["indented", " \t A=b \t", { A: "b" }],
    ["last wins, earlier ones are seen", "A=1\nA=${A}2", { A: "12" }],
    ["default of an unset one", "A=${X:-/opt}", { A: "/opt" }],
    ["default of an empty one", "X=\nA=${X:-$Y-z}", { X: "", A: "y-z" }],
    ["default not needed", "X=v\nA=${X:-d}", { X: "v", A: "v" }],
    ["quotes in a default", "A=${X:-'a $b'\"c\"}", { A: "a $bc" }],
    ["a default in double quotes", 'A="${X:-a b}"', { A: "a b" }],
    ["a default in a default", "A=${X:-${Z:-deep}}", { A: "deep" }],
    ["the environment", "A=$Y", { A: "y" }],
    ["CRLF", "A=b\r\nB='c'\r\n", { A: "b", B: "c" }],
    ["byte order mark", "\ufeffA=b", { A: "b" }],
    ["a dollar alone", "A=a$ B\n".replace(" B", ""), { A: "a$" }],
    ["a brace escaped in a default", 'A="${X:-a\\}b}"${X:-c\\}}', { A: "a}bc}" }],
    ["a no-break space is no blank", "A=b\u00a0", { A: "b\u00a0" }],
    ["escaped blanks", "A=a\\ b", { A: "a b" }],
    ["other scripts", "A=日本", { A: "日本" }],
  ];
  for (const [what, text, want] of table) t.strictSame(values(text, { Y: "y" }), want, what);
});

t.test("substitution, arithmetic and arrays: errors, nothing is executed", async (t) => {
  const table: [string, RegExp][] = [
    ["A=$(id)", /a command in \$\(\.\.\.\) is never executed/],
    ['A="$(id)"', /a command in \$\(\.\.\.\) is never executed/],
    ["A=`id`", /backticks/],
    ["A=${X:-`id`}", /backticks/],
    ["A=${X:-$(id)}", /never executed/],
    ["A=$((1+1))", /arithmetic/],
    ["A=(1 2)", /arrays/],
    ["A=1; B=2", /";" has a meaning to the shell/],
    ["A=a|b", /"\|" has a meaning/],
    ["A=a>b", /">" has a meaning/],
    ["A=a b", /"b" follows the value; put a value with blanks in quotes/],
    ["A='a", /single quote is not closed/],
    ['A="a', /double quote is not closed/],
    ["A=a\\", /backslash/],
    ["A=~/x", /"~" is not expanded/],
    ["A=/x:~/y", /"~" is not expanded/],
    ["A=$1", /"\$1" is not expanded/],
    ["A=$'x'", /\$'/],
    ["A=${X", /only \$NAME|not closed/],
    ["A=${X:-y", /not closed/],
    ["A=${X:-'y}", /not closed/],
    ["A=${X:=y}", /only \$NAME/],
    ["A=${X%y}", /only \$NAME/],
    ["A=${#X}", /only \$NAME/],
    ["A =b", /without a blank/],
    ["A", /"A" is not KEY=value/],
    ["source other", /is not KEY=value/],
    ["A+=b", /is not KEY=value/],
    ["A[0]=b", /is not KEY=value/],
    ["1A=b", /is not KEY=value/],
  ];
  for (const [text, want] of table) {
    const got = values(text);
    t.match(got, want, text);
    t.match(got, /^F:1: /, `${text}: says where`);
  }
});

t.test("invalid lines: reported with their numbers, the others are read", async (t) => {
  const { assignments, problems } = read("A=1\nB=$(x)\n\nC=\nD\n", {});
  t.strictSame(
    assignments.map((a) => [a.where, a.key, a.value]),
    [
      ["F:1", "A", "1"],
      ["F:4", "C", ""],
    ],
  );
  t.strictSame(
    problems.map((p) => p.where),
    ["F:2", "F:5"],
  );
});

t.test("a file that is no conf file: none of its text is shown, and not every line", async (t) => {
  const shadow = Array.from({ length: 46 }, (_, i) => `user${i}:$6$secret${i}:20228:0:99999:7:::`).join("\n");
  const messages = read(shadow, {}).problems.map(({ message }) => message);
  t.equal(messages.length, 11);
  t.notMatch(messages.join("\n"), /secret|user/);
  t.equal(messages.at(-1), "36 more lines are not KEY=value");
  const key = read("DNS_TTL 60\nDNS_PORT = 53\n", {});
  t.strictSame(
    key.problems.map(({ message }) => message),
    ['"DNS_TTL" is not KEY=value', '"=" must follow "DNS_PORT" without a blank'],
  );
  t.strictSame([...key.unread], ["DNS_TTL", "DNS_PORT"]);
});

// A real shell reads the same file for comparison. The pieces are harmless: no command can be written with them.
const word = fc.stringMatching(/^[A-Za-z0-9_./:,@%+=-]{0,8}$/);
const variable = fc.constantFrom(
  "$A",
  "${A}",
  "${B}",
  "$NONE",
  "${NONE:-x}",
  "${A:-$B}",
  "${NONE:-${B:-q}}",
  "$OUTER",
  '${NONE:-"q r"}',
  "${NONE:-'s t'}",
  "${NONE:-u\\v}",
);
const bare = fc.oneof(
  word,
  variable,
  fc.constantFrom("\\ ", "\\\\", "\\'", '\\"', "\\$", "\\#", "a#b", "*", "?", "[x]", "{a,b}", "!", "é", "日"),
);
const single = fc.stringMatching(/^[ -&(-~é]{0,12}$/).map((s) => `'${s}'`);
const double = fc
  .array(
    fc.oneof(
      fc.stringMatching(/^[A-Za-z0-9 '#;|&<>()*~{}=é-]{0,6}$/),
      variable.filter((v) => !/['"\\]/.test(v)),
      fc.constantFrom('\\"', "\\\\", "\\$", "\\`", "\\a"),
    ),
    { maxLength: 4 },
  )
  .map((parts) => `"${parts.join("")}"`);
const line = fc
  .tuple(
    fc.constantFrom("", "  ", "export ", "\t"),
    fc.constantFrom("A", "B", "C", "_d1"),
    fc.array(fc.oneof(bare, single, double), { maxLength: 4 }),
    fc.constantFrom("", " ", " # it's a comment", "\t#x"),
  )
  .map(([indent, key, parts, tail]) => `${indent}${key}=${parts.join("")}${tail}`);
const file = fc.array(
  fc.oneof({ weight: 8, arbitrary: line }, { weight: 1, arbitrary: fc.constantFrom("", "# c", "   ") }),
  { maxLength: 6 },
);

t.test("accepted text: a shell reads the same values", async (t) => {
  const directory = mkdtempSync(join(tmpdir(), "ocdd-conf-"));
  t.teardown(() => rmSync(directory, { recursive: true }));
  const path = join(directory, "conf");
  let accepted = 0;
  fc.assert(
    fc.property(file, (lines) => {
      const text = lines.join("\n");
      const { assignments, problems } = read(text, { OUTER: "out er" });
      if (problems.length > 0) return true;
      accepted += 1;
      writeFileSync(path, `${text}\n`);
      const keys = ["A", "B", "C", "_d1"];
      const { stdout } = execaSync(
        "sh",
        ["-c", `. "$1"; printf '%s\\037' "$A" "$B" "$C" "$_d1"`, "sh", path],
        {
          env: { OUTER: "out er", PATH: process.env.PATH ?? "" },
          extendEnv: false,
          stripFinalNewline: false,
        },
      );
      const got = new Map(assignments.map(({ key, value }) => [key, value]));
      const ours = `${keys.map((key) => got.get(key) ?? "").join("\u001f")}\u001f`;
      if (ours !== stdout) throw new Error(`sh: ${JSON.stringify(stdout)}\nwe: ${JSON.stringify(ours)}`);
      return true;
    }),
    { numRuns: Number(process.env.OCDD_RUNS ?? 400) },
  );
  t.ok(accepted > 100, `the shell was asked ${accepted} times`);
});

t.test("any text: assignments or problems, no exception", async () => {
  fc.assert(
    fc.property(
      fc.oneof(fc.string({ unit: "binary" }), fc.stringMatching(/^[A-B=$\\{}:\-"'`(# \n]{0,40}$/)),
      (text) => {
        const { assignments, problems } = read(text);
        return (
          assignments.every((a) => /^F:\d+$/.test(a.where)) && problems.every((p) => /^F:\d+$/.test(p.where))
        );
      },
    ),
    { numRuns: 1000 },
  );
});
