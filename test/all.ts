/**
 * Runs the stages named as arguments, all of them without one (`npm test`): linter, compiler, the unit tests, then all others
 * together. A stage that fails does not stop the next. Prints a line a test program, everything of one that failed, and how
 * many assertions there were.
 */

import { globSync } from "node:fs";
import { dirname } from "node:path";
import { execa } from "execa";

interface Count {
  passed: number;
  failed: number;
}

type Command = readonly [file: string, ...args: string[]];

const say = (line: string): void => void process.stdout.write(`${line}\n`);

/** Run a checker; its output is shown only when it finds something. */
async function check(name: string, argv: Command): Promise<boolean> {
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

/** A process that runs tests: the files it loads, and its environment on top of ours. */
interface Program {
  readonly stage: string;
  readonly files: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}

/** As many as keep two cores busy: most of the tests wait for Docker, or for traffic, half of their time. */
const AT_ONCE = 4;

/** Seconds for one program. tap ends a test that takes longer, so that it cleans up. Far more than any takes on a busy machine. */
const LONGEST_S = 1200;

/** What failed, printed once more at the end: the end is what is left of a log that was cut. */
const failures: string[] = [];

/** Lines of one assertion, and of all programs together, at most: the stack and the source stand above. */
const MOST_LINES = 40;
const MOST_FAILURES = 50;

/** The assertions that failed, each with what differs. A test that sums up others has its time in its line. */
function failuresOf(output: string): string[] {
  const found = output.matchAll(
    /^( *)not ok (?!.* # time=).*\n\1 {2}---\n(?:\1 {2}.*\n| *\n)*?\1 {2}\.\.\.\n/gm,
  );
  return [...found].map(([block]) => block.trimEnd().split("\n").slice(0, MOST_LINES).join("\n"));
}

/** Run programs, some at once, and count what each stage has found. */
async function run(programs: readonly Program[], counts: Map<string, Count>): Promise<void> {
  const left = programs.values();
  const work = async (): Promise<void> => {
    for (const program of left) {
      const { passed, failed } = await ended(program);
      const count = counts.get(program.stage) ?? { passed: 0, failed: 0 };
      counts.set(program.stage, { passed: count.passed + passed, failed: count.failed + failed });
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
}

/**
 * Run one. Not by the program `tap`: that has every program which a test starts record what it loads, also `ocdd`, for a third
 * of its time.
 */
async function ended({ files, env }: Program): Promise<Count> {
  const started = performance.now();
  const { exitCode, all } = await execa("node", ["test/run.ts", ...files], {
    reject: false,
    preferLocal: true,
    stdin: "ignore",
    all: true,
    timeout: (LONGEST_S + 20) * 1000,
    env: { TAP: "1", TAP_TIMEOUT: String(LONGEST_S), ...env },
  });
  // the last line but one of a program that came to its end
  const end = /^# \{ (total: .*) \}$/gm.exec(String(all).slice(-4096))?.[1] ?? "";
  const sum = (what: string): number => Number(new RegExp(`${what}: (\\d+)`).exec(end)?.[1] ?? 0);
  const passed = sum("pass");
  // a skipped assertion counts as failed, and so does a program without any, or that did not come to its end
  const failed = Math.max(sum("total") - passed, exitCode === 0 && passed > 0 ? 0 : 1);
  const name = files.length > 1 ? `${dirname(files[0] ?? "")}/*` : files[0];
  if (failed > 0) {
    say(String(all));
    const found = failuresOf(String(all));
    // a program that was ended, or had no assertion
    if (found.length === 0) found.push("    without an assertion that failed, see above");
    failures.push(...found.map((one) => `${name}\n${one}`));
  }
  if (sum("skip") + sum("todo") > 0) say(`${name}: some were skipped, look for SKIP or TODO above`);
  say(`${failed === 0 ? "ok" : "not ok"} - ${name} (${seconds(started)}; ${passed} passed)`);
  return { passed, failed };
}

function seconds(since: number): string {
  return `${((performance.now() - since) / 1000).toFixed(1)} s`;
}

/** Each file in a process of its own. */
function alone(
  stage: string,
  files: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Program[] {
  if (files.length === 0) throw new Error(`${stage}: there is no test file`);
  return files.map((file) => ({ stage, files: [file], env }));
}

/** The files of a folder in one process. */
function together(stage: string, files: readonly string[]): Program[] {
  return [...Map.groupBy(files, dirname).values()].map((group) => ({ stage, files: group, env: {} }));
}

/** Tests outside of the lab that need root, or programs that setup.sh installs: BIND, NSD, Knot, iptables, nft, groff, promtool. */
const PREPARED = files([
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
]);
/** They touch nothing outside of their process, and load the same code. */
const PURE = files(["test/{core,dns}/**/*.test.ts"], PREPARED);
const OTHERS = files(
  ["test/{cli,daemon,director,examples,host,lifecycle,platform,serve}/**/*.test.ts", "test/*.test.ts"],
  PREPARED,
);

/** Take longest, and so are begun first: none of them is left to run alone at the end. */
const LONG = files([
  "test/lab/{schedule,methods,faults,flows,sleep-together,try,sleep,sleep-by-hand,leases,hardship,race}.test.ts",
  "test/package/{deb,completions}.test.ts",
  "test/browser/looks.test.ts",
  "test/host/kernel/{nft-table,queue/queue}.test.ts",
  "test/serve/dns/secondaries.test.ts",
  "test/director/walk.test.ts",
  "test/prepare.test.ts",
]);

function files(patterns: readonly string[], exclude: readonly string[] = []): string[] {
  return globSync(patterns, { exclude }).sort();
}

/** The lab runs the product as it is installed, from its bundle, which starts in a quarter of the source's time. */
const BUNDLED = { OCDD_INSTALLED: "1" };

/** What each stage needs, and how long it takes: CONTRIBUTING.md. */
const CHECKS: Readonly<Record<string, Command>> = {
  lint: ["biome", "ci", "."],
  types: ["tsc", "-p", "tsconfig.json"],
};
const UNIT = [...together("unit", PURE), ...alone("unit", OTHERS)];
const OUTSIDE = [
  ...alone("root", PREPARED),
  ...alone("lab", files(["test/lab/*.test.ts"]), BUNDLED),
  ...alone("package", files(["test/package/*.test.ts"])),
  ...alone("browser", files(["test/browser/*.test.ts"]), BUNDLED),
];

const stages = [...Object.keys(CHECKS), ...new Set([...UNIT, ...OUTSIDE].map(({ stage }) => stage))];
const wanted = process.argv.length > 2 ? process.argv.slice(2) : stages;
const unknown = wanted.filter((name) => !stages.includes(name));
if (unknown.length > 0) {
  say(`no such stage: ${unknown.join(", ")}; there are ${stages.join(", ")}`);
  process.exit(64);
}
const counts = new Map<string, Count>();
const checked = async (name: string, command: Command): Promise<void> => {
  counts.set(name, (await check(name, command)) ? { passed: 1, failed: 0 } : { passed: 0, failed: 1 });
};
for (const [name, command] of Object.entries(CHECKS)) if (wanted.includes(name)) await checked(name, command);
for (const programs of [UNIT, OUTSIDE]) {
  const now = programs.filter(({ stage }) => wanted.includes(stage));
  if (now.some(({ env }) => env === BUNDLED)) await checked("build", ["node", "packaging/bundle.ts"]);
  const isLong = (program: Program): boolean => program.files.some((file) => LONG.includes(file));
  await run([...now.filter(isLong), ...now.filter((program) => !isLong(program))], counts);
}
for (const one of failures.slice(0, MOST_FAILURES)) say(`\nfailed: ${one}`);
if (failures.length > MOST_FAILURES) say(`\nand ${failures.length - MOST_FAILURES} more, see above`);
say("");
const total: Count = { passed: 0, failed: 0 };
for (const [name, { passed, failed }] of counts) {
  say(`${name}: ${passed} passed, ${failed} failed`);
  total.passed += passed;
  total.failed += failed;
}
say(`\n${total.passed} passed, ${total.failed} failed`);
process.exitCode = total.failed > 0 ? 1 : 0;
