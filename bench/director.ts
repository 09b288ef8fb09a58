/**
 * The cost of a run of the director: `bin/ocdd` as a process of its own, real addresses and real iptables in network
 * namespaces made here, a simulated Docker engine. Prints a table for the bundle, and one for the source.
 *
 *     npm run bench:director                 5, 50, 1 000 and 4 000 containers
 *     npm run bench:director -- 1000 --runs 9 --only bundle
 */
import { mkdtempSync, rmSync } from "node:fs";
import { availableParallelism, loadavg, tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { type Crowd, raiseCrowd } from "./crowd-host.ts";
import {
  type Bench,
  countProcesses,
  layPrograms,
  peakMemory,
  processorTime,
  raiseBench,
  timed,
  writeConf,
} from "./director-host.ts";
import { idOf, sketches } from "./docker-double.ts";
import { ENGINE_TIMES, EngineDouble } from "./engine-double.ts";

/** Goals in seconds; `one` without the probe, which waits for answers of the network. */
interface Goals {
  readonly nothing: number;
  readonly one: number;
  readonly all: number | null;
  /** Seconds of a run of the bash script: 8 containers for 5; for larger numbers one process per address and rule. */
  readonly original: number | null;
}

const GOALS: ReadonlyMap<number, Goals> = new Map([
  [5, { nothing: 0.4, one: 0.6, all: null, original: 3.47 }],
  [50, { nothing: 0.4, one: 0.6, all: null, original: 6.9 }],
  [1000, { nothing: 1, one: 1, all: 3, original: 22.4 }],
  [4000, { nothing: 1, one: 1, all: 10, original: 125.1 }],
]);

interface Row {
  readonly count: number;
  /** Milliseconds. */
  readonly all: number;
  readonly nothing: number;
  readonly one: number;
  /** Seconds of processor time of a run with nothing to do, its children's with it. */
  readonly processor: number;
  readonly processesAll: number;
  readonly processesNothing: number;
  readonly processesOne: number;
  /** MiB: from nothing, with nothing to do, for one change. */
  readonly memory: readonly number[];
}

/** The fastest of some runs: other load only makes runs slower. */
const best = (values: readonly number[]): number => Math.min(...values);

async function measure(
  bench: Bench,
  crowd: Crowd,
  program: string,
  count: number,
  runs: number,
): Promise<Row> {
  const socket = join(bench.directory, "docker.sock");
  const engine = new EngineDouble(crowd, ENGINE_TIMES["20.10"]);
  await engine.listen(socket);
  const all = sketches(count);
  await engine.add(all);
  const set = (n: number, running: boolean): Promise<void> =>
    engine.set(idOf(all.at(-1 - n)?.name ?? ""), running);
  const conf = writeConf(bench.directory, socket);
  try {
    const ocdd = (...args: string[]): string[] => [...bench.enter, program, "--config", conf, ...args];
    await timed(ocdd("initialize"));
    const fromNothing = await timed(ocdd());
    const nothing: number[] = [];
    for (let i = 0; i < runs; i++) nothing.push(await timed(ocdd()));
    const one: number[] = [];
    for (let i = 0; i < runs; i++) {
      // a container ends and, once its address is free, another starts: here the end
      await set(i, false);
      one.push(await timed(ocdd()));
      await set(i, true);
      // the container that starts again still has its lease: no probe, only its rule, address, name and announcement
      one.push(await timed(ocdd()));
    }
    const processor = await processorTime(ocdd());
    const processesNothing = await countProcesses(ocdd());
    await set(0, false);
    const processesOne = await countProcesses(ocdd());
    await set(0, true);
    await timed(ocdd("teardown", "--yes"));
    rmSync(`${bench.directory}/storage`, { recursive: true });
    await timed(ocdd("initialize"));
    const memory: number[] = [await peakMemory(ocdd()), await peakMemory(ocdd())];
    await set(0, false);
    memory.push(await peakMemory(ocdd()));
    await set(0, true);
    await timed(ocdd("teardown", "--yes"));
    rmSync(`${bench.directory}/storage`, { recursive: true });
    await timed(ocdd("initialize"));
    const processesAll = await countProcesses(ocdd());
    await timed(ocdd("teardown", "--yes"));
    rmSync(`${bench.directory}/storage`, { recursive: true });
    return {
      count,
      all: fromNothing,
      nothing: best(nothing),
      one: best(one),
      processor,
      processesAll,
      processesNothing,
      processesOne,
      memory,
    };
  } finally {
    await engine.close();
  }
}

function print(rows: readonly Row[], runs: number): void {
  const head = [
    "containers",
    "from nothing",
    "one change",
    "nothing to do",
    "its processor time",
    "of the original's",
    "processes",
    "peak RSS",
  ];
  const cell = (ms: number, goal: number | null | undefined): string =>
    `${(ms / 1000).toFixed(2)} s${goal == null ? "" : ms / 1000 <= goal ? ` (≤ ${goal})` : ` (MISSES ${goal})`}`;
  const body = rows.map((row) => {
    const goals = GOALS.get(row.count);
    return [
      String(row.count),
      cell(row.all, goals?.all),
      cell(row.one, goals?.one),
      cell(row.nothing, goals?.nothing),
      `${row.processor.toFixed(2)} s`,
      goals?.original == null ? "-" : `1/${Math.round((goals.original * 1000) / row.nothing)}`,
      `${row.processesAll} / ${row.processesOne} / ${row.processesNothing}`,
      `${[0, 2, 1].map((i) => Math.round(row.memory[i] ?? 0)).join(" / ")} MiB${row.count === 4000 ? (Math.max(...row.memory) <= 150 ? " (≤ 150)" : " (MISSES 150)") : ""}`,
    ];
  });
  const table = [head, head.map(() => "---"), ...body];
  for (const line of table) console.log(`| ${line.join(" | ")} |`);
  const [load = 0] = loadavg();
  console.log(
    `\nNode ${process.version}, ${availableParallelism()} processors, load ${load.toFixed(1)}; ${runs} runs each, the fastest counts.`,
  );
}

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { runs: { type: "string", default: "5" }, only: { type: "string" } },
  });
  const counts = positionals.length > 0 ? positionals.map(Number) : [5, 50, 1000, 4000];
  const directory = mkdtempSync(join(tmpdir(), "ocdd-bench-"));
  try {
    // the Node that runs this runs them
    process.env.OCDD_NODE = process.execPath;
    for (const [name, program] of await layPrograms(directory)) {
      if (values.only !== undefined && values.only !== name) continue;
      const rows: Row[] = [];
      for (const count of counts) rows.push(await onHost(directory, program, count, Number(values.runs)));
      console.log(`\n## ${name}\n`);
      print(rows, Number(values.runs));
    }
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

/** Measure on a host that nothing has run on. */
async function onHost(directory: string, program: string, count: number, runs: number): Promise<Row> {
  const place = mkdtempSync(join(directory, "host-"));
  const bench = await raiseBench(place);
  const crowd = await raiseCrowd(bench);
  try {
    return await measure(bench, crowd, program, count, runs);
  } finally {
    await crowd.down();
    await bench.down();
  }
}

if (import.meta.main) await main();
