/** What is known of the runs so far, for the metrics. */
import type { Family } from "../../core/methods/exposition.ts";
import { figureOf, type MethodFigures, storedFigures } from "../../core/methods/figures.ts";
import { merged } from "../../core/methods/merge.ts";
import type { Results } from "../../core/methods/results.ts";
import { type Task, taskName } from "../../core/methods/tasks.ts";
import type { Collected } from "./collect.ts";
import type { Report } from "./task-runs.ts";

export interface Figures {
  /**
   * A task has been carried out. METRICS that could not be collected take the place of those before: what is out of date is not
   * shown. Gives the report as it counts: metrics for which there is no room have failed.
   */
  ran(task: Task, report: Report): Report;
  /** A cron entry was due while it still ran. */
  skipped(): void;
  /** Only these tasks are still known. */
  keep(tasks: readonly Task[]): void;
  /** `services`: container id → name. `own`: metrics of the director that containers may have as well, to be in the text too. */
  read(services: ReadonlyMap<string, string>, results: Results, own?: readonly Family[]): MethodFigures;
}

/** Characters of all services' metrics together. */
const MOST_LENGTH = 16 << 20;

export function makeFigures(): Figures {
  /** Key of the task → its last run; of those whose result is not stored. */
  const last = new Map<string, { readonly task: Task; readonly report: Report }>();
  /** Service → its metrics. */
  const collected = new Map<string, Collected>();
  const runs = new Map<string, { method: string; result: string; n: number }>();
  const count = (method: string, result: string): void => {
    const known = runs.get(`${method} ${result}`) ?? { method, result, n: 0 };
    runs.set(`${method} ${result}`, { ...known, n: known.n + 1 });
  };
  const hasRoom = (service: string, { collected: next }: Report): boolean => {
    const others = [...collected].filter(([name]) => name !== service);
    return others.reduce((sum, [, { length }]) => sum + length, next?.length ?? 0) <= MOST_LENGTH;
  };
  return {
    ran(task, given) {
      const { method } = task.run;
      const report = hasRoom(task.service, given) ? given : withoutRoom(given);
      count(method === "cron" ? method : report.method, report.ok ? "ok" : "failed");
      if (method !== "cron" && method !== "metrics") return report;
      last.set(task.key, { task, report });
      if (method !== "metrics") return report;
      // one that stays keeps its place: of two services with the same metric the first decides its type
      if (report.collected === undefined) collected.delete(task.service);
      else collected.set(task.service, report.collected);
      return report;
    },
    skipped: () => count("cron", "skipped"),
    keep(tasks) {
      const keys = new Set(tasks.map(({ key }) => key));
      for (const key of last.keys()) if (!keys.has(key)) last.delete(key);
      const services = new Set(
        tasks.flatMap(({ run, service }) => (run.method === "metrics" ? [service] : [])),
      );
      for (const service of collected.keys()) if (!services.has(service)) collected.delete(service);
    },
    read(services, results, own) {
      const stored = storedFigures(services, results);
      const { text, leftOut } = merged(
        new Map([...collected].map(([service, { families }]) => [service, families])),
        own,
      );
      const kept = [...last.values()].map(({ task, report }) =>
        figureOf(task.service, taskName(task), report),
      );
      return {
        last: [...stored.last, ...kept],
        monitor: stored.monitor,
        runs: [...runs.values()],
        series: new Map([...collected].map(([service, { series }]) => [service, series])),
        leftOut,
        text,
      };
    },
  };
}

function withoutRoom({ collected: _, ...report }: Report): Report {
  const words = `failed: the metrics of all services together are larger than ${MOST_LENGTH} octets`;
  return { ...report, ok: false, state: "failed", words };
}
