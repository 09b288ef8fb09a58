import fc from "fast-check";
import t from "tap";
import { readUsage, usageLines } from "../../../src/core/report/usage.ts";

const NOTHING = { cpuPercent: null, memory: null, memoryLimit: null };
const sample = (total_usage: number, system_cpu_usage: number, online_cpus = 2) => ({
  cpu_usage: { total_usage },
  system_cpu_usage,
  online_cpus,
});

t.test(
  "processor time: the share between two samples, none where a counter is missing or went back",
  async (t) => {
    const cpu = (cpu_stats: unknown, precpu_stats: unknown): number | null =>
      readUsage({ cpu_stats, precpu_stats }).cpuPercent;
    t.equal(cpu(sample(1_500, 20_000), sample(1_000, 10_000)), 10);
    t.equal(cpu(sample(1_000, 20_000), sample(1_000, 10_000)), 0);
    // the first sample of a container has none before it
    t.equal(cpu(sample(1_500, 20_000), { cpu_usage: { total_usage: 0 } }), null);
    t.equal(cpu(sample(500, 20_000), sample(1_000, 10_000)), null, "started again");
    t.equal(cpu(sample(1_500, 10_000), sample(1_000, 10_000)), null);
  },
);

t.test(
  "memory: without the cache, of both versions of cgroups; of a container that has ended: none",
  async (t) => {
    const memory = (stats: object) => readUsage({ memory_stats: { usage: 100, limit: 400, stats } });
    t.match(memory({ inactive_file: 30 }), { memory: 70, memoryLimit: 400 });
    t.match(memory({ total_inactive_file: 40 }), { memory: 60 });
    t.match(memory({ inactive_file: 300 }), { memory: 0 });
    t.strictSame(readUsage({ memory_stats: {} }), NOTHING);
    t.strictSame(readUsage(undefined), NOTHING);
  },
);

t.test("any answer: figures that are not negative, or null", async () => {
  fc.assert(
    fc.property(fc.jsonValue(), fc.jsonValue(), fc.jsonValue(), (cpu_stats, precpu_stats, memory_stats) =>
      Object.values(readUsage({ cpu_stats, precpu_stats, memory_stats })).every(
        (value) => value === null || (Number.isFinite(value) && value >= 0),
      ),
    ),
  );
});

t.test("lines: in columns, sizes in units", async (t) => {
  const line = (
    name: string,
    cpuPercent: number | null,
    memory: number | null,
    memoryLimit: number | null,
  ) => ({
    name,
    address: "192.168.122.11",
    cpuPercent,
    memory,
    memoryLimit,
  });
  t.strictSame(
    usageLines([
      line("jenkins", 103.2, 1_536, 2 ** 34),
      line("db", 0, 512, null),
      line("new", null, null, null),
    ]),
    ["jenkins  103.2 % CPU  1.5 KiB of 16.0 GiB", "db         0.0 % CPU  512 B", "new                -  -"],
  );
  t.strictSame(usageLines([]), []);
});
