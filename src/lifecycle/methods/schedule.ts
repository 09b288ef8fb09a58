/** Has `watch` run methods of containers at the times that their labels ask for. */
import type { Config } from "../../core/config/config.ts";
import type { Family } from "../../core/methods/exposition.ts";
import type { MethodFigures } from "../../core/methods/figures.ts";
import type { Results } from "../../core/methods/results.ts";
import { firstDelayMs, isMissed, nextDueMs, type Task, taskName, tasksOf } from "../../core/methods/tasks.ts";
import type { Decision, Observation } from "../../core/model.ts";
import { nextTime } from "../../daemon/cron.ts";
import type { Say } from "../../daemon/log.ts";
import { withOwnSignal } from "../own-signal.ts";
import { slots } from "../slots.ts";
import { makeFigures } from "./figures.ts";
import { type Report, reportOf, type TaskRuns } from "./task-runs.ts";

/** Of a host with one configuration. */
export interface ScheduleMeans {
  readonly runs: TaskRuns;
  /** What is stored of earlier runs; never rejects. */
  readonly results: () => Promise<Results>;
}

export interface Clock {
  /** Milliseconds; never set back. */
  readonly now: () => number;
  /** Milliseconds since the epoch. */
  readonly date: () => number;
  /** Calls back once, after so many milliseconds. Returns what cancels that. */
  readonly after: (milliseconds: number, act: () => void) => () => void;
}

export interface ScheduleParts {
  /** `exists`: whether results of a container are kept. */
  readonly open: (config: Config, exists: (id: string) => boolean) => ScheduleMeans;
  /** The result of a method of a container is another one than before. */
  readonly changed: (container: string) => void;
  readonly say: Say;
  readonly clock: Clock;
}

export interface Schedule {
  /** A run has put this in force. */
  update(config: Config, outcome: { readonly seen: Observation; readonly decision: Decision }): void;
  /** For the metrics. */
  figures(own?: readonly Family[]): Promise<MethodFigures>;
  /** Ends what runs; resolves when it has ended, or after some seconds. */
  close(): Promise<void>;
}

/** Runs at once: of methods, of METRICS, of cron. One kind does not keep the others waiting. */
const METHODS_AT_ONCE = 4;
const METRICS_AT_ONCE = 4;
const CRON_AT_ONCE = 8;
/** Milliseconds for which a run counts as one of these: a label may let it run for hours. */
const COUNTED_MS = 60_000;

/** Milliseconds after which the clock is compared again with the times of cron, and after which all are. */
const CLOCK_MS = 30_000;
const LONGEST_MS = 86_400_000;
/** Milliseconds that what runs may take to end. */
const END_MS = 8_000;

interface Plan {
  task: Task;
  /** When it is due: for cron in milliseconds since the epoch, else of the monotonic clock. Infinity while it runs. */
  at: number;
}

/** One for the whole time of `watch`: a new configuration ends no run. Without a label that asks for a run it does nothing. */
export function makeSchedule({ open, changed, say, clock }: ScheduleParts): Schedule {
  const plans = new Map<string, Plan>();
  /** Keys of tasks whose run has not ended, or waits for its turn. */
  const running = new Map<string, Promise<void>>();
  /** Container and method → the last result in one word. */
  const states = new Map<string, string>();
  const figures = makeFigures();
  const over = new AbortController();
  const longest = { ms: COUNTED_MS, after: clock.after };
  const turns = {
    methods: slots(METHODS_AT_ONCE, longest),
    metrics: slots(METRICS_AT_ONCE, longest),
    cron: slots(CRON_AT_ONCE, longest),
  };
  let opened: { readonly config: Config; readonly means: ScheduleMeans } | undefined;
  let outcome: { readonly seen: Observation; readonly decision: Decision } | undefined;
  let lastDate = clock.date();
  let cancel = (): void => undefined;

  const exists = (id: string): boolean => {
    const { containers = [], stopped } = outcome?.seen ?? {};
    return stopped === undefined || [...containers, ...stopped].some((one) => one.id === id);
  };
  const meansFor = (config: Config): ScheduleMeans => {
    if (opened?.config !== config) opened = { config, means: open(config, exists) };
    return opened.means;
  };

  const heard = (task: Task, given: Report): void => {
    const report = figures.ran(task, given);
    const key = `${task.container} ${report.method}`;
    const before = states.get(key);
    states.set(key, report.state);
    if (report.state !== before) changed(task.container);
    if (report.state !== (before ?? GOOD.get(report.method) ?? "passed")) say(...changeLine(task, report));
  };

  const act = async (task: Task, { runs }: ScheduleMeans): Promise<void> => {
    const plan = plans.get(task.key);
    // it has ended or fallen asleep while it waited for its turn
    if (plan === undefined) return;
    const startedAt = clock.now();
    const result = await withOwnSignal(over.signal, (signal) => runs.run(plan.task, signal));
    if (over.signal.aborted) return;
    const again = plans.get(task.key);
    if ("without" in result) {
      say("warning", `${titleOf(taskName(task))} of "${task.service}" is not run: ${result.without}`);
      return;
    }
    for (const report of result.reports) if (again !== undefined) heard(task, report);
    if (again !== undefined && task.run.method !== "cron")
      again.at = nextDueMs(task.run.interval, startedAt, clock.now());
  };

  const begin = (task: Task, means: ScheduleMeans): void => {
    const { method } = task.run;
    const turn = turns[method === "cron" || method === "metrics" ? method : "methods"];
    const run = turn(() => act(task, means), over.signal)
      .catch((error: unknown) => {
        if (!over.signal.aborted)
          say("error", `${titleOf(taskName(task))} of "${task.service}": ${String(error)}`);
      })
      .finally(() => {
        running.delete(task.key);
        arm();
      });
    running.set(task.key, run);
  };

  const tick = (): void => {
    if (opened === undefined) return;
    const [now, date] = [clock.now(), clock.date()];
    // the clock was set back: what was planned by it is planned again
    const isBack = date < lastDate;
    lastDate = date;
    for (const plan of plans.values()) {
      const { task, at } = plan;
      if (task.run.method !== "cron") {
        if (at > now) continue;
        plan.at = Number.POSITIVE_INFINITY;
        if (!running.has(task.key)) begin(task, opened.means);
        continue;
      }
      if (at > date && !isBack) continue;
      plan.at = nextTime(task.run.entry.expression, date) ?? Number.POSITIVE_INFINITY;
      if (at > date || isMissed(at, date)) continue;
      if (running.has(task.key)) figures.skipped();
      else begin(task, opened.means);
    }
    arm();
  };

  /** Sets the one timer to what is due next. */
  const arm = (): void => {
    cancel();
    cancel = () => undefined;
    if (over.signal.aborted) return;
    const [now, date] = [clock.now(), clock.date()];
    const waits = [...plans.values()].map(({ task, at }) =>
      task.run.method === "cron" ? Math.min(at - date, CLOCK_MS) : at - now,
    );
    const wait = Math.min(...waits);
    if (Number.isFinite(wait)) cancel = clock.after(Math.max(0, Math.min(wait, LONGEST_MS)), tick);
  };

  const plan = async (tasks: readonly Task[], { results }: ScheduleMeans): Promise<void> => {
    for (const task of tasks) {
      const { run } = task;
      const at = run.method === "cron" ? nextTime(run.entry.expression, clock.date()) : null;
      plans.set(task.key, { task, at: at ?? Number.POSITIVE_INFINITY });
    }
    const stored = await results();
    for (const task of tasks) {
      const { run, container, service } = task;
      const own = plans.get(task.key);
      if (run.method === "cron" || own?.task !== task) continue;
      const last = stored.get(container)?.get(run.method);
      for (const result of stored.get(container)?.values() ?? []) {
        const { method, state } = reportOf(result);
        if (!states.has(`${container} ${method}`)) states.set(`${container} ${method}`, state);
      }
      const since = last === undefined ? null : clock.date() - last.startedAt;
      own.at = clock.now() + firstDelayMs(`${service} ${taskName(task)}`, run.interval, since);
    }
    arm();
  };

  return {
    update(config, next) {
      outcome = next;
      const means = meansFor(config);
      const tasks = tasksOf(next.decision.services, next.seen.containers, config.metricsListen !== null);
      if (tasks.length === 0 && plans.size === 0) return;
      const keys = new Set(tasks.map(({ key }) => key));
      const containers = new Set(tasks.map(({ container }) => container));
      for (const key of plans.keys()) if (!keys.has(key)) plans.delete(key);
      for (const key of states.keys()) if (!containers.has(key.split(" ")[0] ?? "")) states.delete(key);
      figures.keep(tasks);
      means.runs.keep(containers);
      const added = tasks.filter((task) => {
        const known = plans.get(task.key);
        // its address may be another one
        if (known !== undefined) known.task = task;
        return known === undefined;
      });
      if (added.length > 0) void plan(added, means);
      arm();
    },
    async figures(own) {
      const services = new Map(
        (outcome?.decision.services ?? []).flatMap(({ name, instances }) =>
          instances.slice(0, 1).map(({ id }): [string, string] => [id, name]),
        ),
      );
      return figures.read(services, (await opened?.means.results()) ?? new Map(), own);
    },
    async close() {
      over.abort();
      cancel();
      const ended = Promise.withResolvers<void>();
      const stop = clock.after(END_MS, ended.resolve);
      await Promise.race([Promise.all(running.values()), ended.promise]);
      stop();
    },
  };
}

/** What needs no line when nothing was known before. */
const GOOD: ReadonlyMap<string, string> = new Map([["monitor", "OK"]]);

/** `VALIDATE`, `ocdd.cron.backup`. */
const titleOf = (method: string): string =>
  method.startsWith("cron.") ? `ocdd.${method}` : method.toUpperCase();

function changeLine({ service }: Task, { method, ok, words }: Report): Parameters<Say> {
  return [ok ? "info" : "warning", `${titleOf(method)} of "${service}" ${words}`];
}
