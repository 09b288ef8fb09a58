/** Carries out what is due in a container: VALIDATE, UPDATE, MONITOR, METRICS, or a command of cron. */
import { clip } from "../../core/clip.ts";
import { HostError } from "../../core/errors.ts";
import type { CronEntry } from "../../core/methods/cron.ts";
import type { Method, MethodName, Methods } from "../../core/methods/method.ts";
import { lines, tail } from "../../core/methods/output.ts";
import { type MethodResult, monitorState } from "../../core/methods/results.ts";
import { type Task, taskName } from "../../core/methods/tasks.ts";
import { field } from "../../core/text.ts";
import { reasonOf } from "../../host/docker/error.ts";
import type { DockerMethods } from "../../host/docker/methods.ts";
import { type Collected, collect } from "./collect.ts";
import { describe } from "./describe.ts";
import { type MethodRunner, resultWords } from "./run.ts";

/** One run that says something of its service. */
export interface Report {
  /** `validate`, `cron.backup`. */
  readonly method: string;
  readonly ok: boolean;
  /** Its result in one word: the log has a line when it changes. */
  readonly state: string;
  /** Its result in words; untrusted, bounded. */
  readonly words: string;
  /** Milliseconds since the epoch. */
  readonly startedAt: number;
  readonly endedAt: number;
  /** Of METRICS that were collected. */
  readonly collected?: Collected;
}

/** What came of a task. No report: it was interrupted, or its container has ended meanwhile. */
export type TaskResult =
  | { readonly reports: readonly Report[] }
  /** Why it cannot be run in this container at all. */
  | { readonly without: string };

export interface TaskMeans {
  readonly docker: DockerMethods;
  readonly runner: MethodRunner;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
}

export interface TaskRuns {
  /** Never rejects with what happens in a container. */
  run(task: Task, signal: AbortSignal): Promise<TaskResult>;
  /** What is known of containers that are not among these is forgotten. */
  keep(containers: ReadonlySet<string>): void;
}

/** Seconds that a run may take, whatever its label says: it takes the turn of others. */
const MOST_SECONDS: Readonly<Partial<Record<MethodName, number>>> = { metrics: 60 };
const MOST = 3_600;

export const INTERVAL = "interval";

export function taskRuns({ docker, runner, now }: TaskMeans): TaskRuns {
  /** Container id → its methods, looked for once: it takes some requests. */
  const known = new Map<string, Promise<Methods>>();
  const methodsOf = (container: string): Promise<Methods> => {
    const before = known.get(container);
    if (before !== undefined) return before;
    const asked = describe(docker, container).then((described) => {
      if (described === undefined) throw new Error("its container has been removed");
      return described.methods;
    });
    known.set(container, asked);
    // asked for again at the next run
    asked.catch(() => known.delete(container));
    return asked;
  };
  /** False where it was interrupted, or its container has ended or was paused meanwhile: that is no failure of the service's. */
  const counts = async (container: string, since: number, signal: AbortSignal): Promise<boolean> => {
    if (signal.aborted) return false;
    const found = await docker.container(container).catch(() => undefined);
    return found?.running === true && !found.paused && (found.startedAt ?? 0) * 1000 <= since;
  };

  const stored = async (task: Task, method: Method, signal: AbortSignal): Promise<Report | null> => {
    let isReported = true;
    const result = await runner.run({
      container: task.container,
      method,
      by: INTERVAL,
      signal,
      counts: async ({ ok, startedAt }) => {
        isReported = ok || (await counts(task.container, startedAt, signal));
        return isReported;
      },
    });
    return isReported ? reportOf(result) : null;
  };

  const cron = async (task: Task, entry: CronEntry, signal: AbortSignal): Promise<Report> => {
    const said = tail(1_000);
    const output = { stdout: lines(said.add), stderr: lines(said.add) };
    const startedAt = now();
    const { container } = task;
    const { status, ended } = await docker.execute({
      container,
      argv: entry.argv,
      timeoutMs: entry.timeout * 1000,
      signal,
      onOutput: ({ stream, octets }) => output[stream].push(octets),
    });
    output.stdout.end();
    output.stderr.end();
    const reason = ended === null ? field(said.last()) : `it was ended after ${entry.timeout} s`;
    const ok = status === 0;
    return { ...outcomeOf(taskName(task), { ok, status, reason }), startedAt, endedAt: now() };
  };

  const metrics = async (task: Task, method: Method, signal: AbortSignal): Promise<Report> => {
    const startedAt = now();
    const collected = await collect(docker, task, method, signal);
    const result = { ok: true, status: null, reason: null };
    const words = "are collected again";
    return { ...outcomeOf("metrics", result), words, startedAt, endedAt: now(), collected };
  };

  return {
    async run(task, signal) {
      const { run, container } = task;
      const began = now();
      try {
        if (run.method === "cron") return { reports: [await cron(task, run.entry, signal)] };
        const { found, problems } = await methodsOf(container);
        const method = bounded(found.get(run.method));
        if (method === undefined)
          return { without: problems.find((line) => line.startsWith(`${run.method} `)) ?? NONE };
        if (run.method === "metrics") return { reports: [await metrics(task, method, signal)] };
        const first = await stored(task, method, signal);
        const validate = run.method === "update" ? bounded(found.get("validate")) : undefined;
        const then =
          first?.ok === true && validate !== undefined ? await stored(task, validate, signal) : null;
        return { reports: [first, then].filter((one) => one !== null) };
      } catch (error) {
        // another process runs it all the time
        const isBusy = error instanceof HostError && error.fault === "busy";
        if (isBusy || !(await counts(container, began, signal))) return { reports: [] };
        const failed = { ok: false, status: null, reason: field(reasonOf(error)) };
        const report = { ...outcomeOf(taskName(task), failed), startedAt: began, endedAt: now() };
        return { reports: [report] };
      }
    },
    keep(containers) {
      for (const id of known.keys()) if (!containers.has(id)) known.delete(id);
    },
  };
}

const NONE = "its container has no such method";

const bounded = (method: Method | undefined): Method | undefined =>
  method && { ...method, timeout: Math.min(method.timeout, MOST_SECONDS[method.name] ?? MOST) };

type Outcome = Pick<MethodResult, "ok" | "status" | "reason">;

const outcomeOf = (method: string, result: Outcome): Omit<Report, "startedAt" | "endedAt"> => ({
  method,
  ok: result.ok,
  state: result.ok ? "passed" : "failed",
  words: resultWords(result),
});

/** Of a stored result, as it was before this process ran as well. */
export function reportOf(result: MethodResult): Report {
  const { method, startedAt, endedAt, reason } = result;
  const report = { ...outcomeOf(method, result), startedAt, endedAt };
  if (method !== "monitor") return report;
  const state = monitorState(result.status);
  return { ...report, state, words: `is ${state}${reason === null ? "" : `: ${clip(reason, 200)}`}` };
}
