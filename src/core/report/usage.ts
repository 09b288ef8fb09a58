/** What containers use of the machine, for `ocdd status --stats`. */

/** One service's container; null is a figure that Docker does not report. */
export interface Usage {
  readonly name: string;
  readonly address: string;
  /** Per cent of one processor, as `docker stats` counts: 200 is two processors in full use. */
  readonly cpuPercent: number | null;
  /** Octets, without the page cache that can be dropped. */
  readonly memory: number | null;
  /** Octets; the machine's memory where the container has no limit of its own. */
  readonly memoryLimit: number | null;
}

type Json = Readonly<Record<string, unknown>>;

const object = (value: unknown): Json => (typeof value === "object" && value !== null ? (value as Json) : {});
const count = (value: unknown): number | null =>
  typeof value === "number" && Number.isFinite(value) && value >= 0 ? value : null;

/** Reads Docker's answer to `GET /containers/{id}/stats`, as `docker stats` does. A field that is no number gives null. */
export function readUsage(stats: unknown): Pick<Usage, "cpuPercent" | "memory" | "memoryLimit"> {
  const { cpu_stats, precpu_stats, memory_stats } = object(stats);
  const memory = object(memory_stats);
  const { inactive_file, total_inactive_file } = object(memory.stats);
  const used = count(memory.usage);
  // cgroup version 2, and 1
  const cache = count(inactive_file) ?? count(total_inactive_file) ?? 0;
  return {
    cpuPercent: cpuPercent(object(cpu_stats), object(precpu_stats)),
    memory: used === null ? null : Math.max(0, used - cache),
    memoryLimit: count(memory.limit),
  };
}

/** The container's share of all processors' time between the two samples of one answer. */
function cpuPercent(now: Json, before: Json): number | null {
  const cpus = count(now.online_cpus);
  const [used, usedBefore] = [now, before].map((sample) => count(object(sample.cpu_usage).total_usage));
  const [all, allBefore] = [now, before].map((sample) => count(sample.system_cpu_usage));
  if (cpus == null || used == null || usedBefore == null || all == null || allBefore == null) return null;
  if (used < usedBefore || all <= allBefore) return null;
  return Math.round(((used - usedBefore) / (all - allBefore)) * cpus * 1000) / 10;
}

/** One line each, in columns. */
export function usageLines(list: readonly Usage[]): string[] {
  const rows = list.map(({ name, cpuPercent, memory, memoryLimit }) => [
    name,
    cpuPercent === null ? "-" : `${cpuPercent.toFixed(1)} % CPU`,
    memory === null ? "-" : `${octets(memory)}${memoryLimit === null ? "" : ` of ${octets(memoryLimit)}`}`,
  ]);
  const width = (at: number): number => Math.max(0, ...rows.map((row) => row[at]?.length ?? 0));
  const [names, cpus] = [width(0), width(1)];
  return rows.map(
    ([name = "", cpu = "", memory = ""]) => `${name.padEnd(names)}  ${cpu.padStart(cpus)}  ${memory}`,
  );
}

function octets(n: number): string {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let [value, unit] = [n, 0];
  while (value >= 1024 && unit < units.length - 1) [value, unit] = [value / 1024, unit + 1];
  return `${unit === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${units[unit]}`;
}
