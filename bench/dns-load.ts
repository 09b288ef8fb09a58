import { execFile, execFileSync, spawn } from "node:child_process";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { promisify } from "node:util";
import { makeQuery } from "../test/dns/message.ts";

const run = promisify(execFile);
export const ZONE = "toolbox.example.com";

/** A zone of `names` addresses as OCDD writes it. */
export function zoneText(names: number, serial = 1): string {
  const lines = [
    `@ 60 IN SOA ns1 hostmaster ${serial} 3600 600 86400 60`,
    "@ 60 IN NS ns1",
    "ns1 60 IN A 127.0.0.1",
  ];
  for (let i = 0; i < names; i++)
    lines.push(`n${i}\t60\tIN\tA\t10.${i >> 16}.${(i >> 8) & 255}.${i & 255} ; ADDED-BY-OCDD-SCRIPT`);
  return `${lines.join("\n")}\n`;
}

/** Queries, length-prefixed: 90 % addresses, 5 % another type, 5 % names that do not exist. */
export function writeQueries(file: string, names: number): void {
  const parts: Buffer[] = [];
  for (let i = 0; i < 50_000; i++) {
    const name = `n${(i * 7919) % names}.${ZONE}.`;
    const message =
      i % 20 === 0 ? makeQuery(`x${i}.${ZONE}.`, "A") : makeQuery(name, i % 20 === 1 ? "AAAA" : "A");
    parts.push(Buffer.from([message.length >> 8, message.length]), Buffer.from(message));
  }
  writeFileSync(file, Buffer.concat(parts));
}

/** What dnsblast prints. */
export interface Blast {
  qps: number;
  lost: number;
  sent: number;
  p50_us: number;
  p99_us: number;
  p999_us: number;
  max_us: number;
}

/** Compile the load generator of the lab into `dir`. */
export function buildBlast(dir: string): string {
  const source = join(import.meta.dirname, "../../shared/lab/dnsblast.c");
  if (!existsSync(source)) throw new Error(`${source} is not there: the load generator of the lab`);
  execFileSync("cc", ["-O2", "-o", join(dir, "dnsblast"), source], { stdio: "ignore" });
  return join(dir, "dnsblast");
}

/** Run it on core 1. */
export async function blast(
  program: string,
  port: number,
  file: string,
  args: readonly string[],
): Promise<Blast> {
  const { stdout } = await run("taskset", [
    "-c",
    "1",
    program,
    "-s",
    "127.0.0.1",
    "-p",
    String(port),
    "-f",
    file,
    ...args,
  ]);
  return JSON.parse(stdout) as Blast;
}

/** Pids of a process and its children. */
function family(pid: number): number[] {
  const children = readdirSync(`/proc/${pid}/task`).flatMap((task) =>
    readFileSync(`/proc/${pid}/task/${task}/children`, "utf8").split(" ").filter(Boolean).map(Number),
  );
  return [pid, ...children.flatMap(family)];
}

/** CPU seconds a process and its children have used. */
export function cpuSeconds(pid: number): number {
  return family(pid).reduce((sum, each) => {
    const fields = readFileSync(`/proc/${each}/stat`, "utf8")
      .replace(/^.*\) /s, "")
      .split(" ");
    return sum + (Number(fields[11]) + Number(fields[12])) / 100;
  }, 0);
}

/** Megabytes of memory, shared pages counted by their share. */
export function pssMegabytes(pid: number): number {
  const kilobytes = family(pid).map((each) =>
    Number(/^Pss:\s+(\d+)/m.exec(readFileSync(`/proc/${each}/smaps_rollup`, "utf8"))?.[1]),
  );
  return kilobytes.reduce((sum, each) => sum + each, 0) / 1024;
}

/** Pipelined queries a second over one TCP connection, from a process of its own on core 1. */
export async function blastTcp(port: number, file: string, seconds: number): Promise<number> {
  const child = spawn(
    "taskset",
    [
      "-c",
      "1",
      process.execPath,
      join(import.meta.dirname, "dns-load.ts"),
      String(port),
      file,
      String(seconds),
    ],
    {
      stdio: ["ignore", "pipe", "inherit"],
    },
  );
  let out = "";
  child.stdout.on("data", (chunk) => (out += chunk));
  await new Promise((done) => child.once("exit", done));
  return Number(out);
}

/** The process: keeps 4 chunks of queries in flight and counts answers by their length prefixes. */
function pipeline(port: number, file: string, seconds: number): void {
  const all = readFileSync(file);
  const chunks: { octets: Buffer; queries: number }[] = [];
  for (let at = 0, from = 0, queries = 0; at < all.length; ) {
    at += 2 + all.readUInt16BE(at);
    queries++;
    if (queries === 500) {
      chunks.push({ octets: all.subarray(from, at), queries });
      from = at;
      queries = 0;
    }
  }
  const socket = connect({ host: "127.0.0.1", port, noDelay: true });
  let flying = 0;
  let answers = 0;
  let next = 0;
  let skip = 0;
  let head = -1;
  const fill = () => {
    while (flying < 4000) {
      const chunk = chunks[next++ % chunks.length] as { octets: Buffer; queries: number };
      socket.write(chunk.octets);
      flying += chunk.queries;
    }
  };
  socket.on("connect", fill);
  socket.on("data", (data: Buffer) => {
    for (let at = 0; at < data.length; ) {
      if (skip > 0) {
        const step = Math.min(skip, data.length - at);
        skip -= step;
        at += step;
        if (skip === 0) {
          answers++;
          flying--;
        }
      } else if (head < 0) head = data[at++] as number;
      else {
        skip = (head << 8) | (data[at++] as number);
        head = -1;
      }
    }
    fill();
  });
  setTimeout(() => {
    console.log(answers / seconds);
    process.exit();
  }, seconds * 1000);
}

if (process.argv[1] === import.meta.filename) {
  const [port, file, seconds] = process.argv.slice(2) as [string, string, string];
  pipeline(Number(port), file, Number(seconds));
}
