/** A command's output as printable lines: any octets, cut anywhere. */
import fc from "fast-check";
import t from "tap";
import { lines, printable, tail } from "../../../src/core/methods/output.ts";

function linesOf(parts: readonly (string | Uint8Array)[]): string[] {
  const got: string[] = [];
  const reader = lines((line) => got.push(line));
  for (const part of parts) reader.push(typeof part === "string" ? Buffer.from(part) : part);
  reader.end();
  return got;
}

t.test("escape sequences: left out; other control characters are replaced", (t) => {
  const rows: [string, string][] = [
    ["\u001b[31mred\u001b[0m", "red"],
    ["\u001b[38;5;1;48:2::1:2:3mx\u001b[?25l\u001b[2J\u001b[1;1H", "x"],
    ["\u001b]0;title\u0007a\u001b]8;;http://x\u001b\\link\u001b]8;;\u001b\\", "alink"],
    ["a\u001b]52;c;c2VjcmV0", "a"],
    ["\u001bPq#0\u001b\\x\u001b_app\u001b\\y\u001b^pm\u001b\\z\u001bXsos\u001b\\", "xyz"],
    ["\u001b(B\u001b[m\u001bcx\u001b7\u001b8\u001b=\u001b>\u001bM\u001b#8", "x"],
    ["\u001b[", ""],
    ["a\u001b", "a\ufffd"],
    ["a\u009b31mb\u0000\u0007\b\u007f", "a\ufffd31mb\ufffd\ufffd\ufffd\ufffd"],
    ["tab\tstays\r", "tab\tstays"],
    ["\u202eevil\u2066\u200b\u2028\u2029\ufeff", "\ufffdevil\ufffd\ufffd\ufffd\ufffd\ufffd"],
    ["gr\u00fc\u00dfe \u{1f600}", "gr\u00fc\u00dfe \u{1f600}"],
  ];
  for (const [n, [text, want]] of rows.entries()) t.equal(printable(text), want, `row ${n}`);
  t.end();
});

t.test(
  "any text: what is printable holds no control, formatting or separating character but a tab",
  async () => {
    const unit = fc.oneof(
      fc.constantFrom("\u001b", "[", "]", "\u0007", "\\", ";", "m", "\u009b"),
      fc.string({ unit: "binary", maxLength: 2 }),
    );
    fc.assert(
      fc.property(fc.array(unit), (parts) => !/[^\P{C}\t]|[\u2028\u2029]/u.test(printable(parts.join("")))),
      { numRuns: 1000 },
    );
  },
);

t.test("lines: the same wherever the octets are cut", (t) => {
  const text =
    "one\n\ntw\u00f6 \u{1f600}\r\n\u001b[31mthree\u001b[0m\n\u001b]0;t\u0007four\r\n50%\r100%\nno end";
  const want = ["one", "", "tw\u00f6 \u{1f600}", "three", "four", "50%", "100%", "no end"];
  const octets = Buffer.from(text);
  for (let at = 0; at <= octets.length; at++)
    t.strictSame(linesOf([octets.subarray(0, at), octets.subarray(at)]), want, `cut at ${at}`);
  t.strictSame(linesOf([...octets].map((octet) => Uint8Array.of(octet))), want, "octet by octet");
  t.strictSame(linesOf([""]), []);
  t.strictSame(linesOf(["a\n"]), ["a"]);
  t.end();
});

t.test("octets that are no UTF-8: replaced, and the lines stay", (t) => {
  t.strictSame(linesOf([Uint8Array.of(0x61, 0xff, 0x0a, 0xc3, 0x0a, 0xed, 0xa0, 0x80, 0x0a, 0xe2, 0x82)]), [
    "a\ufffd",
    "\ufffd",
    "\ufffd\ufffd\ufffd",
    "\ufffd",
  ]);
  t.strictSame(linesOf([Uint8Array.of(0, 0x0a)]), ["\ufffd"]);
  t.end();
});

t.test("a line of 100 MB: given in pieces of 4096 characters as it comes", (t) => {
  let count = 0;
  let characters = 0;
  let longest = 0;
  const reader = lines((line) => {
    count += 1;
    characters += line.length;
    longest = Math.max(longest, line.length);
  });
  const part = Buffer.alloc(1 << 16, "x");
  for (let n = 0; n < 1_600; n++) {
    reader.push(part);
    t.ok(characters + 4_096 >= (n + 1) * part.length || n % 100 !== 0, "nothing but one piece is kept");
  }
  reader.end();
  t.strictSame([count, characters, longest], [25_600, 1_600 << 16, 4_096]);
  t.equal(linesOf(["x".repeat(16 << 20)]).length, 4_096, "in one part");
  t.end();
});

t.test("long lines of any characters: the pieces together are the line, no character is cut", async () => {
  const unit = fc.constantFrom("x", "\u{1f600}", "\u00e9");
  fc.assert(
    fc.property(fc.nat(3), unit, fc.integer({ min: 4_000, max: 9_000 }), (before, char, n) => {
      const text = "y".repeat(before) + char.repeat(n);
      const got = linesOf([text]);
      return got.join("") === text && got.every((one) => one.length <= 4_096);
    }),
    { numRuns: 100 },
  );
});

t.test("a tail: the last whole lines within its length; the first and last that are not empty", (t) => {
  const kept = tail(10);
  t.strictSame([kept.text(), kept.first(), kept.last()], ["", "", ""]);
  for (const line of ["", "first", "second", "third", " ", ""]) kept.add(line);
  t.strictSame([kept.text(), kept.first(), kept.last()], ["third\n \n", "first", "third"]);
  const long = tail(8_000);
  for (let n = 0; n < 1_000_000; n++) long.add(n % 2 === 0 ? "" : `${n}`);
  t.ok(long.text().length <= 8_000);
  t.match(long.text(), /\n999999$/);
  t.end();
});
