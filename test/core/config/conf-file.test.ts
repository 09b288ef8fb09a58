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

const directory = mkdtempSync(join(tmpdir(), "ocdd-conf-"));
t.teardown(() => rmSync(directory, { recursive: true }));
const KEYS = ["A", "B", "C", "_d1"];

/**
 * The values of these keys after bash has read a file of each text, each by a process of its own; empty where it has set none. No
 * program is found that a text names.
 */
function bash(texts: readonly string[], variables: Record<string, string>): string[] {
  for (const [n, text] of texts.entries()) writeFileSync(join(directory, `${n}.conf`), `${text}\n`);
  const print = `PATH=/nowhere
    for ((n = 0; n < ${texts.length}; n++)); do
      (. "./$n.conf" >/dev/null 2>&1; printf '%s\\037' "$A" "$B" "$C" "$_d1")
      printf '\\036'
    done`;
  const { stdout } = execaSync("bash", ["--norc", "--noprofile", "-c", print], {
    cwd: directory,
    env: { ...variables, LC_ALL: "C.UTF-8", PATH: process.env.PATH ?? "" },
    extendEnv: false,
    stdin: "ignore",
    stripFinalNewline: false,
  });
  return stdout.split("\u001e").slice(0, -1);
}

/** The same of this reader; undefined where it finds a problem. */
function ours(text: string, variables: Record<string, string>): string | undefined {
  const { assignments, problems } = read(text, variables);
  const got = new Map(assignments.map(({ key, value }) => [key, value]));
  return problems.length > 0 ? undefined : KEYS.map((key) => `${got.get(key) ?? ""}\u001f`).join("");
}

/** Throws for a text that this reader accepts and bash reads in another way; returns how many it accepts. */
function compare(texts: readonly string[], variables: Record<string, string>): number {
  const accepted = texts.filter((text) => ours(text, variables) !== undefined);
  for (const [n, want] of bash(accepted, variables).entries()) {
    const text = accepted[n] ?? "";
    const got = ours(text, variables);
    if (got !== want)
      throw new Error([text, `bash: ${want}`, `we: ${got}`].map((x) => JSON.stringify(x)).join("\n"));
  }
  return accepted.length;
}

t.test("what bash expands, runs or leaves out: read as bash reads it, or an error", async (t) => {
  const values: Record<string, string[]> = {
    arithmetic: [
      "$[1+1]",
      '"$[2*3]"',
      "'$[1]'",
      "$[",
      "x$[A]y",
      "${N:-$[1]}",
      '"${N:-$[1]}"',
      "$((1+1))",
      '"$((1))"',
    ],
    commands: [
      "$(:)",
      '"$(:)"',
      "`:`",
      '"`:`"',
      "'`:`'",
      "<(:)",
      ">(:)",
      '"<(:)"',
      "${N:-<(:)}",
      '"${N:-<(:)}"',
    ],
    "other quotes": [
      "$'a\\tb'",
      '$"a"',
      "\"$'a'\"",
      "${N:-$'a'}",
      "'a",
      '"a',
      '"a\'b"',
      "'a\"b'",
      '"\\a\\\\\\""',
    ],
    "special parameters": [
      "$_",
      '"$_"',
      "${_}",
      "$-",
      "$$",
      "$!",
      "$?",
      "$0",
      "$1",
      "$@",
      '"$*"',
      "$#",
      "${1}",
      "${@}",
    ],
    defaults: [
      "${N:-y}",
      "${V:-y}",
      "${N-y}",
      "${N:=y}",
      "${N=y}",
      "${N:?y}",
      "${N:+y}",
      "${N:-a b}",
      '"${N:-a\\}b}"',
    ],
    "other expansions": [
      "${V##v}",
      "${V%x}",
      "${V/v/w}",
      "${V^}",
      "${V@Q}",
      "${V:0:1}",
      "${#V}",
      "${!V}",
      "${V[0]}",
      "$V[0]",
    ],
    tildes: [
      "~",
      "~root",
      "~+",
      "a:~",
      "a=~",
      "a~",
      ":~x",
      '"~"',
      "\\~",
      "$V:~",
      '""~',
      "${N:-~}",
      '"${N:-~}"',
      "${N:-a:~}",
    ],
    braces: [
      "{a,b}",
      "{1..3}",
      "x{a,b}y",
      "{a}",
      '"{a,b}"',
      "\\{a,b}",
      "${N:-{a,b}}",
      '{"label":["a","b"]}',
      "$V{a,b}",
    ],
    patterns: ["*", "?", "[a]", "!a", "!!", '"!!"', "@(a)", "+y", "=b", "-n", "%a", "^a"],
    operators: [
      "a;",
      "'a';",
      "a;b",
      "a&&b",
      "a|b",
      "a&",
      "a>b",
      "a<b",
      "<<E",
      "(a)",
      "(a b)",
      "a(b)",
      "\\(",
      "a\\;b",
    ],
    "words and comments": [
      "",
      " b",
      "a#b",
      "#b",
      "'a'#b",
      "a \\#b",
      "a\\ ",
      "a\\",
      "$",
      '"$"',
      "$%",
      "a$",
      "$é",
      "é",
    ],
    "blanks of Unicode": [
      "a\u00a0",
      " \u00a0",
      "a \u00a0",
      "a \f",
      "a \v",
      "a \u2003",
      "a\u2028b",
      "a\ufeff",
    ],
    "control characters": [
      "\0b",
      "b\0",
      "b\u0001c",
      "\\\u0001",
      "b\u007fc",
      '"\u001b"',
      "\u0085",
      "b\rc",
      "b\tc",
      '"b\tc"',
    ],
  };
  const files = [
    ..."A+=b|A[0]=b|A =b|A=b B=c|A=b export B=c|A=b;B=c|\fA=b|\u00a0A=b|A\0=b|A=b\nA+=c|A=1\nA=2".split("|"),
    ..."export|export A|export -n A=b|export 'A=b'|export A=b B=c|export\tA=b|export # c|export=b".split("|"),
    ..."declare A=b|typeset A=b|readonly A=b|local A=b|set -u|unset A|eval A=b|. x".split("|"),
    ...[
      "A=b\\\nB=c",
      'A="b\\\nB=c"',
      'A="b\nB=c"',
      "A='b\nB=c'",
      "A=b # c\\\nB=c",
      "# c\\\nB=c",
      "A=\nB=c\\",
    ],
    ...[": <<E\nA=b\nE", "A=<<E\nB=c\nE", "if :; then\nA=b\nfi", "{ A=b; }", "f() {\nA=b\n}", "(\nA=b\n)"],
    ..."UID=5\nA=$UID|EUID=5\nA=$EUID|PPID=5\nA=$PPID|IFS=,\nA=$IFS|HOSTNAME=h\nA=$HOSTNAME|PWD=/x\nA=$PWD".split(
      "|",
    ),
  ];
  const texts = Object.values(values)
    .flat()
    .flatMap((value) => [`A=${value}`, `export A=${value}`, `A=x${value}y`, `A=${value} # c`]);
  const accepted = compare([...texts, ...files], { V: "vvx" });
  t.ok(
    accepted > 150 && accepted < texts.length,
    `${accepted} of ${texts.length + files.length} are accepted`,
  );
});

t.test("each variable that bash sets itself, with no value here: an error that says so", async (t) => {
  const { stdout } = execaSync("env", ["-i", "bash", "--norc", "--noprofile", "-c", "compgen -v"]);
  for (const name of stdout.split("\n")) {
    t.equal(values(`A=$${name}`), `F:1: "$${name}" is set by bash alone; write its value`);
    t.match(values(`A="\${${name}:-x}"`), /is set by bash alone/);
    t.strictSame(values(`A='$${name}'`), { A: `$${name}` });
  }
  t.strictSame(values("A=$UID-$OSTYPE", { UID: "7", OSTYPE: "o" }), { A: "7-o" }, "of the environment");
  t.match(values("A=$RANDOM", { RANDOM: "7" }), /set by bash alone/, "bash takes it from no environment");
  t.match(values("UID=5\nA=$UID"), /^F:1: bash lets no file set it/);
});

t.test("a value of a file that is not UTF-8, as the script took it: no error, as before", async (t) => {
  t.strictSame(values("WEB_TITLE=Gr\ufffd\ufffde"), { WEB_TITLE: "Gr\ufffd\ufffde" });
});

t.test("substitution, arithmetic and arrays: errors, nothing is executed", async (t) => {
  const table: [string, RegExp][] = [
    ["A=$(id)", /a command in \$\(\.\.\.\) is never executed/],
    ['A="$(id)"', /a command in \$\(\.\.\.\) is never executed/],
    ["A=`id`", /backticks/],
    ["A=${X:-`id`}", /backticks/],
    ["A=${X:-$(id)}", /never executed/],
    ["A=$((1+1))", /arithmetic is never executed/],
    ["A=$[1+1]", /arithmetic is never executed/],
    ['A="$[2*3]"', /arithmetic is never executed/],
    ["A=${X:-<(id)}", /a command in <\(\.\.\.\) is never executed/],
    ["export A={a,b}", /expands braces behind "export"; put the value in quotes/],
    ["A=a\u0000b", /control character/],
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

// Bash reads the same file for comparison. The pieces are harmless: no command can be written with them.
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

/** What means something to bash, in any order: a word that is run by it is found nowhere. */
const pieces = fc
  .array(
    fc.constantFrom(
      ..."A B 1 a é = $ ${ } :- $A $B ${N:- $[ $( <( >( { } {a,b} {1..3} , .. \\ ' \" ` ~ / * ? [ ] ! # ; & | < > ( ) + - @ % ^ : =~ $_ $' $\" ${_}".split(
        " ",
      ),
      ..." |\t|\nA=|\nB=|export |\u00a0|\f|\u0001|\u007f|\u2028|\ufeff".split(/(?<!^)\|/),
    ),
    { minLength: 1, maxLength: 9 },
  )
  .map((parts) => parts.join(""));
const wild = fc
  .tuple(
    fc.constantFrom(
      "A=",
      "export A=",
      'A="',
      'export A="',
      "B=1\nA=",
      "A=${N:-",
      'A="x${N:-${N:-',
      "export A=${N:-",
    ),
    pieces,
    fc.constantFrom("", '"', " # c", "}", '}"', '}}"'),
  )
  .map((parts) => parts.join(""));

t.test("accepted text: bash reads the same values", async (t) => {
  for (const [what, text] of [
    ["lines", file.map((lines) => lines.join("\n"))],
    ["any pieces", wild],
  ] as const) {
    let accepted = 0;
    fc.assert(
      fc.property(fc.array(text, { minLength: 80, maxLength: 80, size: "max" }), (texts) => {
        accepted += compare(texts, { OUTER: "out er" });
      }),
      { numRuns: Math.ceil(Number(process.env.OCDD_RUNS ?? 400) / 80) },
    );
    t.ok(accepted > 10, `${what}: bash was asked ${accepted} times`);
  }
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
