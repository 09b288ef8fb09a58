/** What is to be run in which container, and when: decided from services and labels, carried out by the lifecycle. */
import type { Container, Service } from "../model.ts";
import { textVersion } from "../text.ts";
import { cadenceOfContainer, type Repeated } from "./cadence.ts";
import type { CronEntry } from "./cron.ts";

/** One method at an interval, or one cron entry, of one container. */
export interface Task {
  /** The same as long as container, service and what is run stay the same. */
  readonly key: string;
  /** Id of the container. */
  readonly container: string;
  /** Name of the service. */
  readonly service: string;
  /** Where the container answers. */
  readonly address: Service["address"];
  readonly run:
    | { readonly method: Repeated; readonly interval: number }
    | { readonly method: "cron"; readonly entry: CronEntry };
}

/**
 * Tasks of the services whose container runs now: one that sleeps is not woken for it, and one whose HEALTHCHECK has not succeeded
 * yet would fail. `metrics`: whether any are collected.
 */
export function tasksOf(
  services: readonly Service[],
  containers: readonly Container[],
  metrics: boolean,
): Task[] {
  const wanted = new Map<string, Container>();
  for (const container of containers) {
    const { intervals, cron } = cadenceOfContainer(container);
    if (intervals.size > 0 || cron.length > 0) wanted.set(container.id, container);
  }
  if (wanted.size === 0) return [];
  return services.flatMap(({ name, address, state, health, instances: [instance] }): Task[] => {
    const container = wanted.get(instance?.id ?? "");
    if (container === undefined || state !== "running" || container.state !== "running") return [];
    if (health === "starting") return [];
    const { intervals, cron } = cadenceOfContainer(container);
    const of = { container: container.id, service: name, address: instance?.address ?? address };
    const repeated = [...intervals].flatMap(([method, interval]): Task[] =>
      method === "metrics" && !metrics
        ? []
        : [{ ...of, key: `${container.id} ${name} ${method} ${interval}`, run: { method, interval } }],
    );
    const timed = cron.map((entry): Task => {
      const key = `${container.id} ${name} cron.${entry.name} ${JSON.stringify(entry)}`;
      return { ...of, key, run: { method: "cron", entry } };
    });
    return [...repeated, ...timed];
  });
}

/** What it is called in the metrics: `validate`, `cron.backup`. */
export const taskName = ({ run }: Task): string =>
  run.method === "cron" ? `cron.${run.entry.name}` : run.method;

/** Milliseconds over which first runs are spread, and for which a container that was never asked is left alone. */
const SPREAD_MS = 30_000;
const SETTLE_MS = 10_000;
/** Milliseconds between the end of a run and the next one, at least. */
const REST_MS = 1_000;

/**
 * Milliseconds until the first run. `sinceMs`: since the last one, which an earlier `watch` or a command has made; null where none is
 * known. Tasks that are due at once are spread, each by an offset that stays the same.
 */
export function firstDelayMs(key: string, interval: number, sinceMs: number | null): number {
  const every = interval * 1000;
  const offset = share(key) * Math.min(every, SPREAD_MS);
  if (sinceMs === null) return Math.min(every, SETTLE_MS) + offset;
  const left = every - Math.max(0, sinceMs);
  return left > 0 ? left : offset;
}

/** When it is due again; all times in milliseconds of one clock. */
export const nextDueMs = (interval: number, startedAt: number, endedAt: number): number =>
  Math.max(startedAt + interval * 1000, endedAt + REST_MS);

/** From 0 to below 1, evenly, always the same for a text. */
export const share = (text: string): number => Number.parseInt(textVersion(text).slice(-8), 16) / 2 ** 32;

/** Milliseconds by which a cron entry may begin late: what was missed while the host was suspended is not made up for. */
const LATE_MS = 300_000;

export const isMissed = (dueAt: number, now: number): boolean => now - dueAt > LATE_MS;
