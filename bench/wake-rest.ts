/**
 * What services that sleep cost `watch` at rest: COUNT (4000) services of a simulated engine, AWAKE (100) of them awake, real
 * rules. `node bench/wake-rest.ts` prints a line: processor time of SECONDS (60) in which nothing happens, and memory. With
 * AWAKE=COUNT no container has a label of sleep and wake: the same host without them.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import { until } from "../test/lab/process.ts";
import { raiseCrowd } from "./crowd-host.ts";
import { layPrograms, raiseBench, timed, writeConf } from "./director-host.ts";
import { idOf, sketches } from "./docker-double.ts";
import { ENGINE_TIMES, EngineDouble } from "./engine-double.ts";
import { cpuMs, pssMiB, untilIdle } from "./process.ts";
import { load, say } from "./report.ts";

const COUNT = Number(process.env.COUNT ?? 4_000);
const AWAKE = Number(process.env.AWAKE ?? 100);
const SECONDS = Number(process.env.SECONDS ?? 60);

process.env.OCDD_NODE = process.execPath;
const directory = mkdtempSync(join(tmpdir(), "ocdd-bench-"));
const bench = await raiseBench(directory);
const crowd = await raiseCrowd(bench);
const engine = new EngineDouble(crowd, ENGINE_TIMES["20.10"]);
try {
  const ocdd = (await layPrograms(directory)).get("bundle") ?? "";
  const socket = join(directory, "docker.sock");
  await engine.listen(socket);
  const all = sketches(COUNT).map(({ labels, ...sketch }) => ({
    ...sketch,
    labels: { ...labels, ...(AWAKE < COUNT ? { "ocdd.wake": "true", "ocdd.idle": "1h" } : {}) },
  }));
  await engine.add(all);
  for (const { name } of all.slice(AWAKE)) await engine.set(idOf(name), false);
  const argv = [...bench.enter, ocdd, "--config", writeConf(directory, socket)];
  await timed([...argv, "initialize"]);
  const watch = spawn(argv[0] ?? "", [...argv.slice(1), "watch"], { stdio: ["ignore", "ignore", "inherit"] });
  const pid = watch.pid ?? 0;
  const rules = async (of: string): Promise<number> => {
    const [file = "", ...args] = [...bench.enter, "iptables-save", "-t", "nat"];
    return (await execa(file, args, { maxBuffer: 1 << 28 })).stdout.split(of).length - 1;
  };
  await until("all wait", async () => (await rules("-g OCDD-ASLEEP")) >= COUNT - AWAKE, { pause: 2_000 });
  await untilIdle(pid, 2_000, 60_000);
  const [began, used] = [performance.now(), cpuMs(pid)];
  await new Promise((resolve) => setTimeout(resolve, SECONDS * 1_000));
  const share = (cpuMs(pid) - used) / (performance.now() - began);
  say(
    `${COUNT} services, ${await rules("-g OCDD-ASLEEP")} asleep: watch ${(share * 100).toFixed(2)} % of a core over ${SECONDS} s, ${pssMiB(pid).toFixed(0)} MiB, load ${load()}`,
  );
  watch.kill();
  await once(watch, "exit");
} finally {
  await engine.close();
  await crowd.down();
  await bench.down();
  rmSync(directory, { recursive: true, force: true });
}
