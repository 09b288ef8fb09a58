/**
 * Runs the stages named as arguments, all of them without one (`npm test`): linter, compiler, then the tests, quick ones
 * first. A stage that fails does not stop the next. Prints a line a test file, everything of one that failed, and how many
 * assertions there were.
 */

import { globSync } from "node:fs";
import { basename } from "node:path";
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

/** Files that take longest: begun first, so that none of them is left to run alone at the end. */
const LONG = [
  "flows",
  "faults",
  "methods",
  "sleep-together",
  "schedule",
  "try",
  "sleep",
  "sleep-by-hand",
  "race",
  "leases",
  "hardship",
  "deb",
  "nft-table",
  "queue",
  "secondaries",
];

/** The long ones, then the others by name. */
function inOrder(files: readonly string[]): string[] {
  const rank = (file: string): number => {
    const found = LONG.indexOf(basename(file, ".test.ts"));
    return found < 0 ? LONG.length : found;
  };
  return [...files].sort((a, b) => rank(a) - rank(b) || (a < b ? -1 : 1));
}

/** Seconds for one file. tap ends a test that takes longer, so that it cleans up. */
const LONGEST_S = 600;

/**
 * Runs test files, `jobs` at a time, `env` on top of the environment. Each is a program of its own, and not run by the program
 * `tap`: that has every program which a test starts record what it loads, also `ocdd`, for a third of its time.
 */
async function tests(
  name: string,
  patterns: readonly string[],
  jobs: number,
  env: Readonly<Record<string, string>> = {},
): Promise<Count> {
  const files = inOrder(globSync(patterns));
  if (files.length === 0) throw new Error(`${name}: no test file matches ${patterns.join(" ")}`);
  const started = performance.now();
  say(`\n${name}: ${files.length} files`);
  const count = { passed: 0, failed: 0 };
  const left = files.values();
  const work = async (): Promise<void> => {
    for (const file of left) {
      const { passed, failed } = await testFile(file, env);
      count.passed += passed;
      count.failed += failed;
    }
  };
  await Promise.all(Array.from({ length: jobs }, work));
  say(`${name}: ${count.passed} passed, ${count.failed} failed (${seconds(started)})`);
  return count;
}

async function testFile(file: string, env: Readonly<Record<string, string>>): Promise<Count> {
  const started = performance.now();
  const { exitCode, all } = await execa("node", [file], {
    reject: false,
    preferLocal: true,
    stdin: "ignore",
    all: true,
    timeout: (LONGEST_S + 20) * 1000,
    env: { TAP: "1", TAP_TIMEOUT: String(LONGEST_S), ...env },
  });
  // the last line but one of a file that came to its end
  const end = /^# \{ (total: .*) \}$/gm.exec(String(all).slice(-4096))?.[1] ?? "";
  const sum = (what: string): number => Number(new RegExp(`${what}: (\\d+)`).exec(end)?.[1] ?? 0);
  const passed = sum("pass");
  // a skipped assertion counts as failed, and so does a file without any, or that did not come to its end
  const failed = Math.max(sum("total") - passed, exitCode === 0 && passed > 0 ? 0 : 1);
  if (failed > 0) say(String(all));
  if (sum("skip") + sum("todo") > 0) say(`${file}: some were skipped, look for SKIP or TODO above`);
  say(`${failed === 0 ? "ok" : "not ok"} - ${file} (${seconds(started)}; ${passed} passed)`);
  return { passed, failed };
}

function seconds(since: number): string {
  return `${((performance.now() - since) / 1000).toFixed(1)} s`;
}

/** The lab runs the product as it is installed, from its bundle, which starts in a quarter of the source's time. */
async function inLab(name: string, patterns: readonly string[], jobs: number): Promise<Count> {
  const built = await checked("build", ["node", "packaging/bundle.ts"]);
  return built.failed > 0 ? built : await tests(name, patterns, jobs, { OCDD_INSTALLED: "1" });
}

const checked = async (name: string, argv: readonly [string, ...string[]]): Promise<Count> =>
  (await check(name, argv)) ? { passed: 1, failed: 0 } : { passed: 0, failed: 1 };

/** Tests outside of the lab that need root, or programs that setup.sh installs: BIND, NSD, Knot, iptables, nft, groff, promtool. */
const PREPARED = [
  "test/{docs,golden}.test.ts",
  "test/contrib/*.test.ts",
  "test/core/zone/records.test.ts",
  "test/daemon/promtool.test.ts",
  "test/dns/text/{rdata,zonefile}.test.ts",
  "test/dns/zone/conflict.test.ts",
  "test/host/*.test.ts",
  "test/host/disk/{file,lock}.test.ts",
  "test/host/kernel/**/*.test.ts",
  "test/serve/socket-activation.test.ts",
  "test/serve/dns/**/*.test.ts",
];
const UNPREPARED = globSync(
  ["test/{cli,core,daemon,director,dns,examples,host,lifecycle,serve}/**/*.test.ts", "test/*.test.ts"],
  { exclude: PREPARED },
);

/** What each stage needs, and how long it takes: CONTRIBUTING.md. */
const STAGES: Readonly<Record<string, () => Promise<Count>>> = {
  lint: () => checked("lint", ["biome", "ci", "."]),
  types: () => checked("types", ["tsc", "-p", "tsconfig.json"]),
  unit: () => tests("unit", UNPREPARED, 2),
  root: () => tests("root", PREPARED, 3),
  lab: () => inLab("lab", ["test/lab/*.test.ts"], 4),
  package: () => tests("package", ["test/package/*.test.ts"], 2),
  browser: () => inLab("browser", ["test/browser/*.test.ts"], 1),
};

const wanted = process.argv.length > 2 ? process.argv.slice(2) : Object.keys(STAGES);
const unknown = wanted.filter((name) => !(name in STAGES));
if (unknown.length > 0) {
  say(`no such stage: ${unknown.join(", ")}; there are ${Object.keys(STAGES).join(", ")}`);
  process.exit(64);
}
const total: Count = { passed: 0, failed: 0 };
for (const name of wanted) {
  const { passed, failed } = await (STAGES[name] as () => Promise<Count>)();
  total.passed += passed;
  total.failed += failed;
}
say(`\n${total.passed} passed, ${total.failed} failed`);
process.exitCode = total.failed > 0 ? 1 : 0;
