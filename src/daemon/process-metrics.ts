/** What a process says of itself, by the names that Prometheus' client libraries use. */
import { readdir } from "node:fs/promises";
import { setImmediate as nextTurn } from "node:timers/promises";
import type { Family, MetricType } from "../core/methods/exposition.ts";

const STARTED = performance.timeOrigin / 1000;

/** One series without labels. */
const family = (name: string, type: MetricType, help: string, value: number): Family => ({
  name,
  type,
  help,
  lines: [`${name} ${value}`],
});

/** Read at each scrape. What the system does not tell is left out. */
export async function processMetrics(): Promise<Family[]> {
  const began = performance.now();
  await nextTurn();
  const lag = (performance.now() - began) / 1000;
  const { user, system } = process.cpuUsage();
  const files = await readdir("/proc/self/fd").catch(() => undefined);
  return [
    family("process_cpu_seconds_total", "counter", "Processor time of all threads", (user + system) / 1e6),
    family("process_resident_memory_bytes", "gauge", "Memory in use (RSS)", process.memoryUsage.rss()),
    family("process_start_time_seconds", "gauge", "Time at which the process started", STARTED),
    ...(files === undefined
      ? []
      : [family("process_open_fds", "gauge", "Files and sockets that are open", files.length)]),
    family("nodejs_eventloop_lag_seconds", "gauge", "Time until the next turn of the event loop", lag),
  ];
}
