// `node bench/dns.ts`: our name server beside BIND, NSD and Knot, in the same run, on the same zone; prints Markdown.
// Server on core 0, load on core 1, medians of adjacent rounds. `--quick` is a short trial whose figures are not comparable.
import { execFileSync, spawn } from "node:child_process";
import { createSocket } from "node:dgram";
import { mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { cpus, tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { bundle } from "../packaging/bundle.ts";
import { makeQuery, type ReadMessage, readMessage } from "../test/dns/message.ts";
import { honestQueries, mutated, numbers } from "../test/dns/mutate.ts";
import { freePorts, type Peer, startBind, startKnot, startNsd } from "../test/serve/peers.ts";
import {
  type Blast,
  blast,
  blastTcp,
  buildBlast,
  cpuSeconds,
  pssMegabytes,
  writeQueries,
  ZONE,
  zoneText,
} from "./dns-load.ts";

const quick = process.argv.includes("--quick");
/** `--only=throughput` and `--only=behaviour` leave the other half out. */
const only = process.argv.find((word) => word.startsWith("--only="))?.slice(7);
const ROUNDS = quick ? 1 : 5;
const SECONDS = quick ? 1 : 3;
const PIN = ["taskset", "-c", "0"];
// This process is load too: it must not run on the servers' core.
execFileSync("taskset", ["-a", "-c", "-p", "1", String(process.pid)], { stdio: "ignore" });
const dir = mkdtempSync(join(tmpdir(), "ocdd-bench-"));
const dnsblast = buildBlast(dir);
// Under node_modules, where the bundle finds koffi.
const root = join(import.meta.dirname, "..");
const built = join(root, "node_modules/.cache/ocdd-bench");
rmSync(built, { recursive: true, force: true });
await bundle(built, [
  { in: "bench/dns-server.ts", out: "dns-server" },
  { in: "src/serve/dns/udp-worker.ts", out: "udp-worker" },
]);

function median(values: number[]): number {
  return values.sort((a, b) => a - b)[values.length >> 1] as number;
}

/** Milliseconds until an answer is correct: one query each millisecond on one socket. */
async function until(
  port: number,
  query: Uint8Array,
  good: (answer: ReadMessage) => boolean,
): Promise<number> {
  const start = performance.now();
  const socket = createSocket("udp4");
  const asking = setInterval(() => socket.send(query, port, "127.0.0.1"), 1);
  const late = AbortSignal.timeout(20_000);
  await new Promise<void>((done, fail) => {
    late.addEventListener("abort", () => fail(new Error("no answer")));
    socket.on("message", (answer) => {
      if (good(readMessage(answer))) done();
    });
  });
  clearInterval(asking);
  socket.close();
  return performance.now() - start;
}

/** Milliseconds until a query is answered with NOERROR. */
const untilAnswered = (port: number, name = ZONE, type = "SOA"): Promise<number> =>
  until(port, makeQuery(name, type), ({ rcode }) => rcode === 0);

/** Milliseconds until a name's address ends in `last`. */
const untilAddress = (port: number, name: string, last: number): Promise<number> =>
  until(port, makeQuery(name, "A"), ({ records }) => records[0]?.rdata[3] === last);

async function startOurs(file: string, engine: string, pin = PIN): Promise<Peer & { started: number }> {
  const [port] = (await freePorts(1)) as [number];
  // as bin/ocdd starts it
  const node = [process.execPath, "--max-semi-space-size=4"];
  const argv = [...pin, ...node, join(built, "dns-server.js"), ZONE, file, String(port), engine];
  const child = spawn(argv[0] as string, argv.slice(1), {
    stdio: ["ignore", "ignore", "inherit"],
    env: { ...process.env, MALLOC_ARENA_MAX: "1" },
  });
  const started = await untilAnswered(port);
  const exited = new Promise<void>((done) => child.once("exit", () => done()));
  return {
    name: `OCDD, ${engine} engine`,
    port,
    pid: child.pid as number,
    started,
    async stop() {
      child.kill("SIGKILL");
      await exited;
    },
  };
}

/** BIND, NSD and Knot, in this order. */
async function startOthers(file: string, place: string): Promise<Peer[]> {
  const ports = await freePorts(3);
  const all: Peer[] = [];
  for (const [i, start] of [startBind, startNsd, startKnot].entries()) {
    const port = ports[i] as number;
    all.push(await start({ dir: join(dir, `${place}-${i}`), port, zone: ZONE, file, prefix: PIN }));
  }
  return all;
}

function row(...cells: (string | number)[]): void {
  console.log(`| ${cells.join(" | ")} |`);
}

const k = (value: number) => `${(value / 1000).toFixed(0)} k`;

/** Throughput of all servers, UDP and TCP. */
async function throughput(names: number): Promise<void> {
  const file = join(dir, `zone${names}`);
  const queries = join(dir, `queries${names}`);
  writeFileSync(file, zoneText(names));
  writeQueries(queries, names);
  const servers: Peer[] = [await startOurs(file, "fast"), await startOurs(file, "portable")];
  const echo = await startOurs(file, "echo");
  servers.push(...(await startOthers(file, `throughput${names}`)));
  for (const server of servers) await untilAnswered(server.port, `n1.${ZONE}`, "A");
  const figures = servers.map(() => ({
    udp: [] as number[],
    udpCpu: [] as number[],
    tcp: [] as number[],
    tcpCpu: [] as number[],
  }));
  const echoed: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const before = cpuSeconds(echo.pid);
    const { sent } = await blast(dnsblast, echo.port, queries, ["-d", String(SECONDS), "-w", "0"]);
    echoed.push(sent / (cpuSeconds(echo.pid) - before));
    for (const [i, { port, pid }] of servers.entries()) {
      const figure = figures[i] as (typeof figures)[number];
      let cpu = cpuSeconds(pid);
      const { qps, sent } = await blast(dnsblast, port, queries, ["-d", String(SECONDS), "-w", "0"]);
      figure.udp.push(qps);
      figure.udpCpu.push(sent / (cpuSeconds(pid) - cpu));
      cpu = cpuSeconds(pid);
      const answers = await blastTcp(port, queries, SECONDS);
      figure.tcp.push(answers);
      figure.tcpCpu.push((answers * SECONDS) / (cpuSeconds(pid) - cpu));
    }
  }
  const memory = servers.map(({ pid }) => pssMegabytes(pid));
  await Promise.all([...servers, echo].map((server) => server.stop()));
  console.log(`\n### ${names.toLocaleString("en")} names\n`);
  row(
    "server",
    "UDP q/s",
    "UDP q/CPU s",
    "to BIND",
    "to NSD",
    "TCP q/s",
    "TCP q/CPU s",
    "to BIND",
    "to NSD",
    "PSS MB",
  );
  row(...Array(10).fill("---"));
  const [bind, nsd] = [figures[2], figures[3]] as [(typeof figures)[number], (typeof figures)[number]];
  for (const [i, figure] of figures.entries()) {
    const ratio = (key: "udpCpu" | "tcpCpu", to: (typeof figures)[number]) =>
      (median(figure[key]) / median(to[key])).toFixed(2);
    row(
      servers[i]?.name ?? "",
      k(median(figure.udp)),
      k(median(figure.udpCpu)),
      ratio("udpCpu", bind),
      ratio("udpCpu", nsd),
      k(median(figure.tcp)),
      k(median(figure.tcpCpu)),
      ratio("tcpCpu", bind),
      ratio("tcpCpu", nsd),
      (memory[i] ?? 0).toFixed(0),
    );
  }
  const [fast, portable] = figures as [(typeof figures)[number], (typeof figures)[number]];
  console.log(
    `\nA plain echo on node:dgram, the upper limit of the portable engine: ${k(median(echoed))} q/CPU s, ${(median(echoed) / median(bind.udpCpu)).toFixed(2)} of BIND; the portable engine has ${((100 * median(portable.udpCpu)) / median(echoed)).toFixed(0)} % of it, the fast one ${(median(fast.udpCpu) / median(echoed)).toFixed(1)} times as much.`,
  );
}

/** Latency of all servers at a low load: the comparison shows the part that is due to the machine. */
async function latency(names: number): Promise<void> {
  const file = join(dir, `zone${names}`);
  const queries = join(dir, `queries${names}`);
  writeFileSync(file, zoneText(names));
  writeQueries(queries, names);
  const servers: Peer[] = [
    await startOurs(file, "fast"),
    ...(await startOthers(file, `latency${names}`)),
    { ...(await startOurs(file, "echo")), name: "a plain echo on node:dgram" },
  ];
  const rounds = servers.map(() => [] as Blast[]);
  for (let round = 0; round < ROUNDS; round++)
    for (const [i, { port }] of servers.entries())
      rounds[i]?.push(await blast(dnsblast, port, queries, ["-r", "10000", "-d", String(SECONDS)]));
  await Promise.all(servers.map((server) => server.stop()));
  console.log(`\n### 10 000 queries/s, ${names.toLocaleString("en")} names\n`);
  row("server", "p50 µs", "p99 µs", "p99 of each round", "lost");
  row(...Array(5).fill("---"));
  for (const [i, all] of rounds.entries()) {
    const p99 = all.map((each) => each.p99_us);
    const lost = all.reduce((sum, each) => sum + each.lost, 0);
    const each = p99.map((us) => us.toFixed(0)).join(", ");
    row(
      servers[i]?.name ?? "",
      median(all.map((b) => b.p50_us)).toFixed(0),
      median([...p99]).toFixed(0),
      each,
      lost,
    );
  }
}

/** The median of a figure, and that of each round. */
function eachOf(rounds: readonly Blast[], figure: (round: Blast) => number, digits = 0): string {
  const all = rounds.map(figure);
  return `${median([...all]).toFixed(digits)} (${all.map((value) => value.toFixed(digits)).join(", ")})`;
}

function told(rounds: readonly Blast[]): string {
  const lost = rounds.reduce((sum, round) => sum + round.lost, 0);
  const sent = rounds.reduce((sum, round) => sum + round.sent, 0);
  return `p50 ${median(rounds.map((b) => b.p50_us)).toFixed(0)} µs, p99 ${eachOf(rounds, (b) => b.p99_us)} µs, lost ${lost} of ${sent}`;
}

/** Latency, idle connections, reload, flood: OCDD's server only. */
async function behaviour(names: number): Promise<void> {
  const file = join(dir, `zone${names}`);
  const queries = join(dir, `queries${names}`);
  writeFileSync(file, zoneText(names));
  writeQueries(queries, names);
  const starts: number[] = [];
  for (let i = 0; i < ROUNDS; i++) {
    const each = await startOurs(file, "fast", ["taskset", "-c", "0,1"]);
    starts.push(each.started);
    await each.stop();
  }
  const server = await startOurs(file, "fast", PIN);
  const { port, pid } = server;
  console.log(`\n### One server, ${names.toLocaleString("en")} names\n`);
  row("what", "measured");
  row("---", "---");
  row("start of the process to first answer", `${median(starts).toFixed(0)} ms`);
  const steady: Blast[] = [];
  const held: Blast[] = [];
  let holding = 0;
  // alternating: other load of the machine affects both
  for (let round = 0; round < ROUNDS; round++) {
    steady.push(await blast(dnsblast, port, queries, ["-r", "10000", "-d", String(SECONDS)]));
    const idle = Array.from({ length: 2000 }, () =>
      connect({ host: "127.0.0.1", port }).on("error", () => {}),
    );
    await sleep(500);
    held.push(await blast(dnsblast, port, queries, ["-r", "10000", "-d", String(SECONDS)]));
    holding = idle.filter((socket) => !socket.destroyed && !socket.connecting).length;
    for (const socket of idle) socket.destroy();
    await sleep(200);
  }
  row("10 000 queries/s", told(steady));
  row(`the same, ${holding} idle TCP connections held`, told(held));

  const seen: number[] = [];
  for (let i = 0; i < 2 * ROUNDS + 1; i++) {
    const text = zoneText(names, 2 + i).replace(/^n7\t.*$/m, `n7\t60\tIN\tA\t192.0.2.${i + 1}`);
    writeFileSync(`${file}.new`, text);
    await sleep(100);
    renameSync(`${file}.new`, file);
    seen.push(await untilAddress(port, `n7.${ZONE}`, i + 1));
    await sleep(300);
  }
  row("one changed name visible after the rename", `${median(seen).toFixed(1)} ms`);
  const reloads: Blast[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    // written before the measurement: writing here shares a core with the load
    const versions = [0, 1, 2, 3].map((n) => {
      const version = `${file}.${n}`;
      writeFileSync(version, zoneText(names, 100 + 4 * round + n));
      return version;
    });
    const [load] = await Promise.all([
      blast(dnsblast, port, queries, ["-r", "20000", "-d", String(SECONDS)]),
      (async () => {
        for (const version of versions) {
          await sleep(SECONDS * 200);
          renameSync(version, file);
        }
      })(),
    ]);
    reloads.push(load);
  }
  row(
    "4 reloads under 20 000 queries/s",
    `${told(reloads)}; worst ${eachOf(reloads, (b) => b.max_us / 1000, 1)} ms`,
  );

  const worst = join(dir, "worst");
  const pick = numbers(1);
  const from = honestQueries();
  const hostile = Array.from({ length: 20_000 }, (_, i) =>
    i % 2 ? mutated(pick, from).subarray(0, 590) : makeQuery(`${pick(2 ** 30).toString(36)}.${ZONE}`, "A"),
  ).filter((message) => message.length > 0);
  writeFileSync(
    worst,
    Buffer.concat(
      hostile.flatMap((message) => [
        Buffer.from([message.length >> 8, message.length]),
        Buffer.from(message),
      ]),
    ),
  );
  const floods: Blast[] = [];
  const normals: Blast[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const chains = floodTcp(port, SECONDS + 1);
    const [flood, normal] = await Promise.all([
      blast(dnsblast, port, worst, ["-r", "50000", "-d", String(SECONDS), "-t", "0.2"]),
      blast(dnsblast, port, queries, ["-r", "1000", "-d", String(SECONDS), "-S", "1", "-b", "1"]),
    ]);
    await chains;
    floods.push(flood);
    normals.push(normal);
  }
  row(
    `flood of ${k(median(floods.map(({ sent }) => sent / SECONDS)))} hostile packets/s and 65 kB pointer chains over TCP: a normal query`,
    told(normals),
  );
  row("memory after all this (PSS)", `${pssMegabytes(pid).toFixed(0)} MB`);
  await server.stop();
}

/** 65 kB messages of chained pointers over TCP, as many as one connection takes. */
async function floodTcp(port: number, seconds: number): Promise<void> {
  const message = Buffer.alloc(2 + 65535);
  message.writeUInt16BE(65535);
  message.set([0, 1, 0, 0, 0xff, 0xff, 0, 0, 0, 0, 0, 0], 2);
  for (let at = 14; at + 1 < message.length; at += 2)
    message.writeUInt16BE(0xc000 | Math.max(12, Math.min(0x3fff, at - 4)), at);
  const socket = connect({ host: "127.0.0.1", port });
  socket.on("error", () => {});
  socket.resume();
  const until = performance.now() + seconds * 1000;
  while (performance.now() < until) {
    if (socket.writableLength < 1 << 20) socket.write(message);
    await sleep(1);
  }
  socket.destroy();
}

console.log(
  `Node ${process.version}, ${cpus()[0]?.model}, ${ROUNDS} rounds of ${SECONDS} s; server on core 0, load on core 1.`,
);
console.log(
  "q/CPU s: answers for each second of CPU time that the server's process used, all its threads; the ratios are of these.",
);
try {
  for (const names of only === "behaviour" ? [] : [1000, 100_000]) await throughput(names);
  for (const names of only === "throughput" ? [] : [1000, 100_000]) {
    await latency(names);
    await behaviour(names);
  }
} finally {
  rmSync(dir, { recursive: true, force: true });
}
