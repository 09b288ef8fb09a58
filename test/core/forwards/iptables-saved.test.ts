/** What iptables-save prints, cut into tables, lines, words and rules. */
import fc from "fast-check";
import t from "tap";
import { linesOf, ruleOf, tableOf, wordsOf } from "../../../src/core/forwards/iptables-saved.ts";
import { device, hostile, printed, printedPattern } from "./hostile.ts";

t.test("words are in quotes or not, as xtables_save_string of iptables 1.8.9 prints them", async (t) => {
  // recorded from the library
  const table: [string, string][] = [
    ["-j", "-j"],
    ["--dport", "--dport"],
    ["a b", '"a b"'],
    ['q"x', '"q\\"x"'],
    ["o'c", '"o\\\'c"'],
    ["b\\s", '"b\\\\s"'],
    ["", '""'],
    ["a.b", '"a.b"'],
    ["a\nb", '"a\nb"'],
    ["-j OCDD", '"-j OCDD"'],
  ];
  for (const [text, as] of table) {
    t.equal(printed(text), as, `${as}: the tests print it so`);
    t.strictSame(wordsOf(`-m comment --comment ${as} -j X`).slice(3), [
      { text, quoted: as !== text },
      { text: "-j", quoted: false },
      { text: "X", quoted: false },
    ]);
  }
});

t.test("a rule's target is what takes the packet, and nothing that looks like it", async (t) => {
  const table: [string, string | undefined][] = [
    ["-j DROP", "DROP"],
    ["-g MINE", "MINE"],
    ["-s 10.0.0.0/8", ""],
    ["", ""],
    ['-m comment --comment "before -j OCDD-INPUT" -j DROP', "DROP"],
    ['-m comment --comment "before -g OCDD-INPUT"', ""],
    ['-m comment --comment "\\" -j OCDD-INPUT \\"" -j DROP', "DROP"],
    ['-m comment --comment "ends with \\\\" -j DROP', "DROP"],
    ['-m comment --comment "a\n-j OCDD-INPUT\n" -j DROP', "DROP"],
    ["-m comment --comment -j -j DROP", "DROP"],
    ["-m comment --comment -g", ""],
    ["-m comment --comment --comment -j DROP", "DROP"],
    ["-j LOG --log-prefix -j", "LOG"],
    ["-j LOG --log-prefix -g --log-level 4", "LOG"],
    ['-j LOG --log-prefix "to -j OCDD-INPUT "', "LOG"],
    ['-m string --string "x\\\\" -j OCDD-INPUT z" --algo bm -j DROP', "DROP"],
    ['-m string --hex-string "|2d6a|"  --algo bm -j DROP', "DROP"],
    ["-i -j -o -g -j DROP", "DROP"],
    ['-i " -o a"b -m comment --comment " -j OCDD" -j DROP', "DROP"],
    ['-m set --match-set "x src -m comment --comment "a b" -j DROP', "DROP"],
    ["-m set --match-set -j src -j DROP", "DROP"],
    // a name with spaces is printed without quotes: which of both it is cannot be known
    ["-m recent --update --name x -j OCDD-INPUT --mask 255.255.255.255 --rsource -j DROP", undefined],
  ];
  for (const [rule, target] of table) t.equal(ruleOf(rule).target, target, rule);
  t.ok(ruleOf("-m comment --comment -s -j DROP").always, "a comment is no condition");
  t.notOk(ruleOf("-m comment --comment x -s 10.0.0.1/32 -j DROP").always);
  t.strictSame(ruleOf("! -i ens3 -g X").conditions, [{ option: "-i", value: "ens3", negated: true }]);
  t.ok(ruleOf("! -i ens3 -g X").goes);
});

t.test("any text: the rule around it, its line and its table stay what they are", async () => {
  fc.assert(
    fc.property(hostile, hostile, device, (comment, pattern, name) => {
      const rule = `-i ${name} -m comment --comment ${printed(comment)} -m string --string ${printedPattern(pattern)} --algo bm -j DROP`;
      const lines = ["*filter", ":INPUT ACCEPT [0:0]", `-A INPUT ${rule}`, "-A INPUT -j LAST", "COMMIT"];
      const text = ["# Generated", "*nat", `-A INPUT ${rule}`, "COMMIT", ...lines, ""].join("\n");
      const found = ruleOf(rule);
      return (
        tableOf(text, "filter") === lines.join("\n") &&
        linesOf(text).length === 9 &&
        found.target === "DROP" &&
        found.conditions.find(({ option }) => option === "--comment")?.value === comment &&
        found.conditions[0]?.value === name
      );
    }),
    { numRuns: 1000 },
  );
});

t.test("any text at all: lines and words without an exception", async () => {
  fc.assert(
    fc.property(
      fc.oneof(fc.string({ unit: "binary" }), fc.string({ unit: fc.constantFrom(...' "\\-j\nA') })),
      (text) => {
        ruleOf(text);
        return (
          linesOf(text).join("\n").replace(/\n/g, "") === text.replace(/\n/g, "") &&
          tableOf(text, "nat") === ""
        );
      },
    ),
  );
});
