/**
 * `npm test`: linter, compiler, then every test, quick ones first; stops at the first stage that fails. Prints a line a
 * test file, everything of one that failed, and how many assertions there were.
 */

import { globSync } from "node:fs";
import { createInterface } from "node:readline";
import { execa } from "execa";

interface Count {
  passed: number;
  failed: number;
}

const say = (line: string): void => void process.stdout.write(`${line}\n`);

/** Run a checker; its output is shown only when it finds something. */
async function check(name: string, argv: readonly [string, ...string[]]): Promise<boolean> {
  const started = performance.now();
  const [file, ...args] = argv;
  const { exitCode, all } = await execa(file, args, {
    reject: false,
    all: true,
    preferLocal: true,
    stdin: "ignore",
  });
  const ok = exitCode === 0;
  say(`${ok ? "ok" : "not ok"} - ${name} (${seconds(started)})`);
  if (!ok) say(String(all));
  return ok;
}

/** Run test files under tap, `jobs` at a time. */
async function tests(name: string, patterns: readonly string[], jobs: number): Promise<Count> {
  const files = globSync(patterns).sort();
  if (files.length === 0) throw new Error(`${name}: no test file matches ${patterns.join(" ")}`);
  const started = performance.now();
  say(`\n${name}: ${files.length} files`);
  const args = ["--disable-coverage", "--reporter=tap", `--jobs=${jobs}`, "--timeout=600", ...files];
  const tap = execa("tap", args, {
    reject: false,
    preferLocal: true,
    stdin: "ignore",
    buffer: false,
    stderr: "inherit",
  });
  const count = { passed: 0, failed: 0 };
  let unrun = 0;
  let file: string[] = [];
  let reported = 0;
  for await (const line of createInterface({ input: tap.stdout })) {
    const end = /^(not )?ok \d+ - (\S+)/.exec(line);
    if (/^# \{ total:/.test(line)) {
      const sum = (what: string): number => Number(new RegExp(` ${what}: (\\d+)`).exec(line)?.[1] ?? 0);
      count.passed = sum("pass");
      unrun = sum("skip") + sum("todo");
      count.failed = sum("total") - count.passed;
    }
    if (end === null) {
      file.push(line);
      continue;
    }
    reported += 1;
    if (end[1] !== undefined) say(file.join("\n"));
    say(line.replace(/ \{$/, ""));
    file = [];
  }
  const { exitCode } = await tap;
  if (reported < files.length) say(file.join("\n"));
  // a file that vanished without a word must not pass for one that had nothing to say
  if ((exitCode !== 0 || reported < files.length) && count.failed === 0) count.failed = 1;
  // what was left out counts as failed: a skip hides
  if (unrun > 0) say(`${name}: ${unrun} of the failures were skipped, look for SKIP or TODO above`);
  say(`${name}: ${count.passed} passed, ${count.failed} failed (${seconds(started)})`);
  return count;
}

function seconds(since: number): string {
  return `${((performance.now() - since) / 1000).toFixed(1)} s`;
}

const total: Count = { passed: 0, failed: 0 };
const stages = [
  async () =>
    tests("unit", ["test/{cli,core,daemon,director,dns,host,serve}/**/*.test.ts", "test/*.test.ts"], 2),
  async () => tests("lab", ["test/lab/*.test.ts"], 2),
  async () => tests("package", ["test/package/*.test.ts"], 2),
  async () => tests("browser", ["test/browser/*.test.ts"], 1),
];
const sound =
  (await check("lint", ["biome", "ci", "."])) && (await check("types", ["tsc", "-p", "tsconfig.json"]));
if (!sound) total.failed += 1;
else {
  for (const stage of stages) {
    const { passed, failed } = await stage();
    total.passed += passed;
    total.failed += failed;
    if (failed > 0) break;
  }
}
say(`\n${total.passed} passed, ${total.failed} failed`);
process.exitCode = total.failed > 0 ? 1 : 0;
