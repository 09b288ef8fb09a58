/** Connections to a service that is awake, beside a flood of SYNs to services that sleep. */
import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import type { Lab } from "../test/lab/handle.ts";
import { CLIENT_ADDRESS, HOST_ADDRESS } from "../test/lab/network.ts";
import { sleep, until } from "../test/lab/process.ts";
import { compile } from "./crowd-host.ts";
import { cpuMs } from "./process.ts";
import { load, median, percentile, say, table } from "./report.ts";
import { aliasesOf, CONF, create, rulesOf, start, stop, visitors } from "./wake-lab.ts";

const RATE = Number(process.env.RATE ?? 20_000);
const ROUNDS = Number(process.env.ROUNDS ?? 10);
const SLEEPERS = Number(process.env.SLEEPERS ?? 10);
const SECONDS = 5;
const BATCH = 200;
/** Where the service that is awake answers, and where the flood goes: no port of the host's, nor one that has a page. */
const PORT = "7001";
const FLOODED = "7000";

interface Part {
  readonly name: string;
  readonly spent: number[];
  cpu: number;
  seconds: number;
  sent: number;
}

/** Kilobytes. */
const rss = (pid: number): number =>
  Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1] ?? 0);

export async function measureFlood(lab: Lab): Promise<void> {
  const names = Array.from({ length: SLEEPERS }, (_, n) => `never${n}`);
  // started by the flood, and never ready as long as it lasts: the worst case, all packets wait
  const never = { "ocdd.wake": "true", "ocdd.wake.timeout": "1h", "ocdd.health": "http://:9/" };
  for (const name of names) await create(lab, name, never);
  await create(lab, "other");
  await create(lab, "awake");
  await start(lab, "awake");
  const awake = await lab.container("awake");
  const watch = lab.startOcdd(["watch"], CONF);
  const aliases = await aliasesOf(lab, [...names, "awake", "other"]);
  const address = aliases.get("awake") ?? "";
  await until("the rules are in force", async () => {
    const { waits, leads } = await rulesOf(lab);
    return waits.size >= SLEEPERS + 1 && leads.has(address);
  });
  const [connect, flood] = [await compile(lab.dir, "connect"), await compile(lab.dir, "flood")];
  const server = lab.spawn(awake, [connect, "server", PORT], { label: "server" });
  await until("the server is ready", () => server.output().includes("ready"));
  const parts: Part[] = ["no flood", "flood to the host's own address", "flood to sleepers"].map((name) => ({
    name,
    spent: [],
    cpu: 0,
    seconds: 0,
    sent: 0,
  }));
  const targets = [[], [HOST_ADDRESS], names.map((name) => aliases.get(name) ?? "")];
  let [most, before] = [0, rss(watch.pid)];
  const client = visitors(lab, "client");
  let queue = "";
  const others: string[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    for (const [n, part] of parts.entries()) {
      const began = performance.now();
      const cpu = cpuMs(watch.pid);
      const flooding = floodFrom(lab, flood, targets[n] ?? []);
      await sleep(200);
      if (n === 2) {
        const visit = { kind: "tcp", address: aliases.get("other") ?? "", patience: 60_000 } as const;
        void client.visit(visit).then(({ ms, answers, error }) => {
          others.push(`${error ?? answers.join()} ${ms.toFixed(0)} ms`);
          return stop(lab, "other");
        });
      }
      while (performance.now() - began < SECONDS * 1000 - 500) {
        const argv = [connect, "new", address, PORT, String(BATCH)];
        const { stdout } = await lab.run("client", argv);
        for (const line of stdout.trim().split("\n")) part.spent.push(Number(line) / 1000);
        most = Math.max(most, rss(watch.pid));
        await sleep(50);
      }
      part.sent += await flooding;
      if (n === 2) queue = await queueOf(lab);
      part.cpu += cpuMs(watch.pid) - cpu;
      part.seconds += (performance.now() - began) / 1000;
    }
  }
  const base = parts[0] as Part;
  table(
    ["beside", "SYN/s", "connections", "median, µs", "99 %, µs", "to none", "CPU of watch", "load"],
    parts.map((part) => [
      part.name,
      Math.round(part.sent / part.seconds),
      part.spent.length,
      median(part.spent).toFixed(0),
      percentile(part.spent, 99).toFixed(0),
      (percentile(part.spent, 99) / percentile(base.spent, 99)).toFixed(2),
      `${(part.cpu / part.seconds / 10).toFixed(0)} % of a core`,
      load(),
    ]),
  );
  await sleep(3_000);
  say(`RSS of watch: ${before} kB before, ${most} kB at most, ${rss(watch.pid)} kB 3 s after the last flood`);
  say(`visits to another sleeper during the flood: ${others.join("; ")}`);
  say(`queue in the end: ${queue}`);
  const states = await lab.docker("ps", "-a", "--format", "{{.Names}} {{.State}}");
  say(`containers: ${states.split("\n").join(", ")}`);
  await client.close();
  await server.stop();
  await watch.stop();
}

/** What the kernel's queue holds, and what it has dropped for want of room: its own, and its reader's. */
async function queueOf(lab: Lab): Promise<string> {
  const { stdout } = await lab.run("host", ["cat", "/proc/self/net/netfilter/nfnetlink_queue"]);
  // number, port, held, copy mode, octets copied, dropped by the full queue, by its full socket, all so far
  const [, , total, , , full, unread, all] = stdout.trim().split(/ +/);
  return `${total} held, ${full} dropped by a full queue, ${unread} not read, ${all} in all`;
}

/** Packets sent, in the end. */
function floodFrom(lab: Lab, flood: string, targets: readonly string[]): Promise<number> {
  if (targets.length === 0) return sleep(SECONDS * 1000).then(() => 0);
  const argv = [...lab.enter("client"), flood, CLIENT_ADDRESS, FLOODED, String(RATE), String(SECONDS)];
  const child = spawn(argv[0] ?? "", [...argv.slice(1), ...targets], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  let text = "";
  child.stdout.on("data", (chunk) => {
    text += chunk;
  });
  return new Promise((resolve) => child.once("exit", () => resolve(Number(text.split(" ")[0]))));
}
