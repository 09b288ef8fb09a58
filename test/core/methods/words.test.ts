/** Commands as words and as JSON, compared with what a real shell makes of the same words. */
import { spawnSync } from "node:child_process";
import fc from "fast-check";
import t from "tap";
import { commandLine, readCommand } from "../../../src/core/methods/words.ts";

const argvOf = (text: string): readonly string[] | undefined => {
  const read = readCommand(text);
  return "argv" in read ? read.argv : undefined;
};

/** What the shell passes to a program, or undefined where it refuses the words. */
function byShell(words: string): readonly string[] | undefined {
  const input = `printf '%s\\0' ${words}\n`;
  // the octets are compared: no locale takes part
  const env = { PATH: process.env.PATH };
  const { status, stdout } = spawnSync("sh", ["-s"], { input, env });
  return status === 0 ? stdout.toString("utf8").split("\0").slice(0, -1) : undefined;
}

t.test("words: split as by a shell, with quotes, backslashes and lines that go on", (t) => {
  const rows: [string, readonly string[]][] = [
    ["/bin/check", ["/bin/check"]],
    ["  a  b\tc ", ["a", "b", "c"]],
    [`a 'b c' "d e"f`, ["a", "b c", "d ef"]],
    [`a '' ""`, ["a", "", ""]],
    ["a\\ b c\\\\d", ["a b", "c\\d"]],
    [`"a\\"b" "c\\d" 'e\\f'`, ['a"b', "c\\d", "e\\f"]],
    [`"\\$x" '$x' \\$x "\\\`"`, ["$x", "$x", "$x", "`"]],
    ["a \\\n  b", ["a", "b"]],
    ["a\\\nb", ["ab"]],
    [`"a\\\nb"`, ["ab"]],
    ["a 'b\nc'", ["a", "b\nc"]],
    ["\n  a b\n\n", ["a", "b"]],
    ["a b\\\n", ["a", "b"]],
    ["a b\\ ", ["a", "b "]],
    ["a=b c#d e~f %g!", ["a=b", "c#d", "e~f", "%g!"]],
    [`a '*' "?" \\[x "~" '#'`, ["a", "*", "?", "[x", "~", "#"]],
    ["\u00e4 \u{1f600}\\\u{1f600}", ["\u00e4", "\u{1f600}\u{1f600}"]],
    ["a\u00a0b", ["a\u00a0b"]],
  ];
  for (const [text, want] of rows) {
    t.strictSame(readCommand(text), { argv: want }, JSON.stringify(text));
    t.strictSame(byShell(text.trimStart()), want, `the shell: ${JSON.stringify(text)}`);
  }
  t.end();
});

t.test("words that only a shell can carry out: refused with the character, unless quoted", (t) => {
  for (const char of "|&;<>()$`*?[") {
    const problem = `"${char}" needs a shell: quote it, or write ["sh", "-c", "..."]`;
    t.strictSame(readCommand(`a b${char}c`), { problem });
    t.strictSame(readCommand(`a 'b${char}c'`), { argv: ["a", `b${char}c`] });
    t.strictSame(readCommand(`a b\\${char}c`), { argv: ["a", `b${char}c`] });
  }
  for (const char of "#~") t.match(readCommand(`a ${char}b`), { problem: /needs a shell/ });
  for (const char of "$`") t.match(readCommand(`a "b${char}c"`), { problem: /needs a shell/ });
  t.match(readCommand("a\nb"), { problem: /^a line break needs a shell/ });
  t.end();
});

t.test("what is no command: refused with the rule", (t) => {
  const rows: [string, RegExp][] = [
    ["", /names no program/],
    [" \n\t", /names no program/],
    ["''", /names no program/],
    ["[]", /names no program/],
    ['["", "a"]', /names no program/],
    ["a 'b", /quote \('\) is not closed/],
    ['a "b', /quote \("\) is not closed/],
    ["a\\", /ends with a backslash/],
    ["a\0b", /NUL/],
    ['["a\\u0000b"]', /NUL/],
    ['["\\ud800"]', /surrogate/],
    ["a \udc00", /surrogate/],
    ["[", /no JSON array of texts/],
    ["[ -f /x ]", /no JSON array of texts/],
    ['["a", 1]', /no JSON array of texts/],
    ['["a", ["b"]]', /no JSON array of texts/],
    [`["a"] b`, /no JSON array of texts/],
    ["[".repeat(60_000), /no JSON array of texts/],
    ["a ".repeat(257), /more than 256 arguments/],
    [JSON.stringify(Array(257).fill("a")), /more than 256 arguments/],
    ["x".repeat(10 << 20), /longer than 65536/],
    [`${"\n".repeat(65_000)}x${"\n".repeat(500)}y`, /line break/],
  ];
  for (const [text, problem] of rows)
    t.match(readCommand(text), { problem }, JSON.stringify(text.slice(0, 30)));
  t.strictSame(readCommand(' ["a", "b c", ""]'), { argv: ["a", "b c", ""] });
  t.strictSame(argvOf("a ".repeat(256))?.length, 256);
  t.end();
});

t.test("random words: the shell gives the same, or they are refused", async () => {
  const piece = fc.constantFrom(..."ab'\" \t\\\n=%~#$*", "\\\n", "''", '""', "\u00e9", "x y");
  const written = fc.array(piece, { maxLength: 14 }).map((parts) => parts.join(""));
  let compared = 0;
  fc.assert(
    fc.property(written, (text) => {
      // without an argument printf prints one NUL
      const argv = argvOf(`p ${text}`)?.slice(1);
      if (argv === undefined || argv.length === 0) return true;
      compared += 1;
      return JSON.stringify(byShell(text)) === JSON.stringify(argv);
    }),
    { numRuns: 600 },
  );
  if (compared < 50) throw new Error(`only ${compared} were compared`);
});

t.test("an argument vector as a line: read again, by OCDD and by the shell, it is the same", async () => {
  const unit = fc.oneof(
    fc.constantFrom(..."ab'\"\\ \t\n$*?[~#|-=/"),
    fc.string({ unit: "grapheme", maxLength: 1 }),
  );
  const word = fc.array(unit, { maxLength: 6 }).map((parts) => parts.join("").replaceAll("\0", ""));
  fc.assert(
    fc.property(fc.array(word, { minLength: 1, maxLength: 5 }), (rest) => {
      const argv = ["p", ...rest];
      return JSON.stringify(argvOf(commandLine(argv))) === JSON.stringify(argv);
    }),
    { numRuns: 2000 },
  );
  fc.assert(
    fc.property(
      fc.array(word, { minLength: 1, maxLength: 5 }),
      (argv) => JSON.stringify(byShell(commandLine(argv))) === JSON.stringify(argv),
    ),
    { numRuns: 100 },
  );
});
