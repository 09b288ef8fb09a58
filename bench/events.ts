/**
 * What `ocdd watch` needs for one end and one start, by number of services: the bundle on real addresses and real
 * netfilter, a simulated engine with an event stream, a process and a bridge port for each container. `npm run bench:events` prints a table.
 *
 *     node bench/events.ts [COUNT...]    50, 1000 and 4000
 *
 * ROUNDS (12) ends and starts are timed, CHANGES (100) in all before memory is read again; IDLE (60) seconds without events;
 * RUNS (3) of `ocdd`; ENGINE (20.10, 28): its order of events; FIREWALL: the configuration's key.
 */

import { spawn } from "node:child_process";
import { mkdtempSync, openSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { execa } from "execa";
import { clock } from "./clock.ts";
import { type Crowd, raiseCrowd } from "./crowd-host.ts";
import { type Bench, layPrograms, raiseBench, timed, writeConf, ZONE } from "./director-host.ts";
import { idOf, sketches } from "./docker-double.ts";
import { ENGINE_TIMES, EngineDouble } from "./engine-double.ts";
import { EventObserver } from "./event-observer.ts";
import { cpuMs, pssMiB, untilIdle } from "./process.ts";
import { load, median, say, table } from "./report.ts";

const setting = (key: string, otherwise: number): number => Number(process.env[key] ?? otherwise);
const ROUNDS = setting("ROUNDS", 12);
const CHANGES = setting("CHANGES", 100);
const IDLE_S = setting("IDLE", 60);
const RUNS = setting("RUNS", 3);
const { ENGINE = "20.10", FIREWALL } = process.env;
const times = ENGINE_TIMES[ENGINE as "20.10" | "28"];
if (times === undefined) throw new Error(`ENGINE: ${ENGINE}: 20.10 or 28`);

interface Figures {
  readonly exitToGone: number[];
  readonly dieToGone: number[];
  readonly dieToRule: number[];
  readonly connectToForward: number[];
  /** To the forward and, where there is one, its bridge port. */
  readonly startToForward: number[];
  readonly startToZone: number[];
  readonly endCpu: number[];
  readonly startCpu: number[];
}

/** Times ends and starts one after the other, each when all work for the one before is done. */
async function timeRounds(
  engine: EngineDouble,
  observer: EventObserver,
  aliases: ReadonlyMap<string, string>,
  pid: number,
): Promise<Figures> {
  const figures: Figures = {
    exitToGone: [],
    dieToGone: [],
    dieToRule: [],
    connectToForward: [],
    startToForward: [],
    startToZone: [],
    endCpu: [],
    startCpu: [],
  };
  const names = [...aliases.keys()];
  for (let round = 0; round < ROUNDS; round++) {
    const name = names[Math.floor((round * names.length) / ROUNDS)] ?? "";
    const alias = aliases.get(name) ?? "";
    let cpu = cpuMs(pid);
    const before = clock();
    const { exited, died } = await engine.end(idOf(name));
    const rule = await observer.changed("forward", alias, false, before);
    // without its bridge port an alias leads nowhere, also with a rule
    const closed = observer.hasPort(alias) ? await observer.changed("port", alias, false, before) : rule;
    const gone = Math.min(rule, closed);
    figures.dieToRule.push(rule - died);
    figures.exitToGone.push(gone - exited);
    figures.dieToGone.push(gone - died);
    await untilIdle(pid);
    figures.endCpu.push(cpuMs(pid) - cpu);
    cpu = cpuMs(pid);
    const { connected, started } = await engine.start(idOf(name));
    const forward = await observer.changed("forward", alias, true, connected);
    figures.connectToForward.push(forward - connected);
    const named = await observer.named(alias, connected);
    figures.startToZone.push(named - started);
    await untilIdle(pid);
    const port = observer.hasPort(alias) ? await observer.changed("port", alias, true, connected) : 0;
    figures.startToForward.push(Math.max(forward, port) - started);
    figures.startCpu.push(cpuMs(pid) - cpu);
  }
  return figures;
}

/** Seconds of `ocdd` with nothing to do, and for one container ended or started; the fastest of some. */
async function timeRuns(
  ocdd: readonly string[],
  engine: EngineDouble,
  victim: string,
): Promise<{ nothing: number; one: number }> {
  const [nothing, one]: [number[], number[]] = [[], []];
  for (let run = 0; run < RUNS; run++) {
    nothing.push(await timed(ocdd));
    await engine.set(idOf(victim), false);
    one.push(await timed(ocdd));
    await engine.set(idOf(victim), true);
    one.push(await timed(ocdd));
  }
  return { nothing: Math.min(...nothing) / 1000, one: Math.min(...one) / 1000 };
}

async function measure(bench: Bench, crowd: Crowd, program: string, count: number): Promise<string[]> {
  const engine = new EngineDouble(crowd, times);
  const socket = join(bench.directory, "docker.sock");
  await engine.listen(socket);
  const all = sketches(count);
  await engine.add(all);
  const conf = writeConf(bench.directory, socket, FIREWALL);
  const storage = join(bench.directory, "storage");
  const ocdd = [...bench.enter, program, "--config", conf];
  await timed([...ocdd, "initialize"]);
  await timed(ocdd);
  const { stdout } = await execa(ocdd[0] ?? "", [...ocdd.slice(1), "list", "--json"], { maxBuffer: 1 << 28 });
  const { services } = JSON.parse(stdout) as {
    services: { address: string; container: { name: string } }[];
  };
  if (services.length !== count) throw new Error(`${services.length} of ${count} containers are served`);
  const aliases = new Map(services.map(({ address, container }) => [container.name, address]));
  const runs = await timeRuns(ocdd, engine, all[0]?.name ?? "");

  const log = openSync(join(bench.directory, "watch.log"), "w");
  const director = spawn(ocdd[0] ?? "", [...ocdd.slice(1), "watch"], {
    stdio: ["ignore", log, log],
  });
  const pid = director.pid as number;
  const observer = new EventObserver(bench, join(storage, `dns/${ZONE}.zone`));
  try {
    await observer.ready;
    await sleep(3_000);
    await untilIdle(pid);
    const atRest = pssMiB(pid);
    const idleFrom = cpuMs(pid);
    await sleep(IDLE_S * 1000);
    const idle = (cpuMs(pid) - idleFrom) / (IDLE_S * 10);
    const figures = await timeRounds(engine, observer, aliases, pid);
    for (let change = 2 * ROUNDS; change < CHANGES; change += 2) {
      const id = idOf(all[change % count]?.name ?? "");
      await engine.end(id);
      await sleep(200);
      await engine.start(id);
      await sleep(200);
    }
    await untilIdle(pid);
    return row(count, figures, runs, [atRest, pssMiB(pid)], idle);
  } catch (error) {
    say(readFileSync(join(bench.directory, "watch.log"), "utf8").slice(-4_000));
    throw error;
  } finally {
    observer.close();
    const ended = new Promise((resolve) => director.once("exit", resolve));
    director.kill("SIGTERM");
    await ended;
    await engine.close();
  }
}

function row(
  count: number,
  figures: Figures,
  { nothing, one }: { nothing: number; one: number },
  memory: readonly number[],
  idle: number,
): string[] {
  const ms = (values: readonly number[]): string =>
    `${median(values).toFixed(0)} (${Math.max(...values).toFixed(0)})`;
  const mean = (values: readonly number[]): string =>
    (values.reduce((sum, value) => sum + value, 0) / values.length).toFixed(0);
  return [
    String(count),
    ms(figures.exitToGone),
    ms(figures.dieToGone),
    ms(figures.dieToRule),
    ms(figures.connectToForward),
    ms(figures.startToForward),
    ms(figures.startToZone),
    `${mean(figures.endCpu)} / ${mean(figures.startCpu)}`,
    memory.map((mib) => mib.toFixed(0)).join(" / "),
    `${idle.toFixed(2)} %`,
    `${nothing.toFixed(2)} / ${one.toFixed(2)}`,
    load(),
  ];
}

const HEAD = [
  "containers",
  "exit → forward gone, ms",
  "die → leads nowhere",
  "die → rule gone",
  "connect → forward",
  "start → forward and port",
  "start → zone",
  "CPU an end / a start, ms",
  `PSS idle / after ${CHANGES} changes, MiB`,
  "idle",
  "ocdd nothing / one change, s",
  "load",
];

async function main(): Promise<void> {
  const counts = process.argv.slice(2).map(Number);
  const rows: string[][] = [];
  // the Node that runs this runs them
  process.env.OCDD_NODE = process.execPath;
  for (const count of counts.length > 0 ? counts : [50, 1000, 4000]) {
    const directory = mkdtempSync(join(tmpdir(), "ocdd-bench-"));
    const bench = await raiseBench(directory);
    const crowd = await raiseCrowd(bench);
    try {
      const program = (await layPrograms(directory)).get("bundle") ?? "";
      rows.push(await measure(bench, crowd, program, count));
      say(rows.at(-1)?.join(" · ") ?? "");
    } finally {
      await crowd.down();
      await bench.down();
      rmSync(directory, { recursive: true, force: true });
    }
  }
  say(
    `\nmedian (worst) of ${ROUNDS}; engine doubled: ${times.version}${FIREWALL ? `; FIREWALL=${FIREWALL}` : ""}\n`,
  );
  table(HEAD, rows);
}

if (import.meta.main) await main();
