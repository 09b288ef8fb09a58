/** A schedule with a clock that the test moves, and containers whose commands end when the test says so. */
import { setImmediate as turn } from "node:timers/promises";
import { decide } from "../../../src/core/decide.ts";
import type { MethodName } from "../../../src/core/methods/method.ts";
import type { MethodResult, Results } from "../../../src/core/methods/results.ts";
import type { Container } from "../../../src/core/model.ts";
import type { ContainerDescription } from "../../../src/host/docker/description.ts";
import type { ExecRequest, ExecResult } from "../../../src/host/docker/exec.ts";
import type { DockerMethods } from "../../../src/host/docker/methods.ts";
import type { MethodRunner } from "../../../src/lifecycle/methods/run.ts";
import { type Clock, makeSchedule, type Schedule } from "../../../src/lifecycle/methods/schedule.ts";
import { taskRuns } from "../../../src/lifecycle/methods/task-runs.ts";
import { config, container, NOW, observation } from "../../core/make.ts";

/** Lets everything happen that waits for no clock. */
export async function settle(): Promise<void> {
  for (let n = 0; n < 20; n++) await turn();
}

export interface FakeClock extends Clock {
  /** Both clocks go on; what is due meanwhile happens in its order. */
  advance(milliseconds: number): Promise<void>;
  /** The host's time is set to another one, or the host was suspended: only the calendar goes on. */
  set(date: number): void;
  /** Timers that are set. */
  readonly timers: number;
}

export function fakeClock(start = NOW * 1000): FakeClock {
  let now = 0;
  let shift = start;
  const timers = new Map<object, { readonly at: number; readonly act: () => void }>();
  return {
    now: () => now,
    date: () => now + shift,
    after(milliseconds, act) {
      const key = {};
      timers.set(key, { at: now + milliseconds, act });
      return () => void timers.delete(key);
    },
    async advance(milliseconds) {
      const end = now + milliseconds;
      await settle();
      for (;;) {
        const [next] = [...timers].sort(([, a], [, b]) => a.at - b.at);
        if (next === undefined || next[1].at > end) break;
        timers.delete(next[0]);
        now = Math.max(now, next[1].at);
        next[1].act();
        await settle();
      }
      now = end;
    },
    set(date) {
      shift = date - now;
    },
    get timers() {
      return timers.size;
    },
  };
}

/** A command that runs in a container. */
export interface Run {
  readonly container: string;
  readonly argv: readonly string[];
  readonly signal: AbortSignal | undefined;
  end(status: number, output?: string): void;
}

export interface FakeMethods extends DockerMethods {
  /** All commands so far. */
  readonly begun: Run[];
  /** Those that have not ended. */
  readonly running: Set<Run>;
  /** The most at once. */
  most: number;
  /** Questions about a container. */
  asked: number;
  /** Status and output of commands that end at once, by their first word; null has them run until the test ends them. */
  answer: (argv: readonly string[]) => readonly [number, string] | null;
}

/** `containers`: as they are now. */
export function fakeMethods(containers: () => readonly Container[]): FakeMethods {
  const execute = (request: ExecRequest): Promise<ExecResult> =>
    new Promise((resolve) => {
      const { signal } = request;
      const done = (result: ExecResult): void => {
        fake.running.delete(run);
        signal?.removeEventListener("abort", interrupted);
        resolve(result);
      };
      const interrupted = (): void => done({ status: null, ended: "signal", runsOn: false });
      const run: Run = {
        container: request.container,
        argv: request.argv,
        signal,
        end(status, output = "") {
          if (output !== "") void request.onOutput({ stream: "stdout", octets: Buffer.from(output) });
          done({ status, ended: null, runsOn: false });
        },
      };
      fake.begun.push(run);
      fake.running.add(run);
      fake.most = Math.max(fake.most, fake.running.size);
      signal?.addEventListener("abort", interrupted);
      const answer = fake.answer(request.argv);
      if (answer !== null) run.end(...answer);
    });
  const fake: FakeMethods = {
    begun: [],
    running: new Set(),
    most: 0,
    asked: 0,
    answer: () => [0, ""],
    async container(id) {
      fake.asked += 1;
      const found = containers().find((one) => one.id === id);
      return found === undefined ? undefined : describedOf(found);
    },
    image: async () => undefined,
    files: async () => ({ files: new Map(), leftOut: [], instead: null }),
    isExecutable: async () => false,
    execute,
  };
  return fake;
}

const describedOf = ({ id, name, state, labels }: Container): ContainerDescription => ({
  id,
  name,
  running: state === "running",
  paused: state === "paused",
  pid: 1,
  created: 1,
  startedAt: 1,
  labels,
  image: "image",
  imageId: "sha256:0",
  environment: [],
  addresses: new Map(),
  whole: {},
});

export interface Stage {
  readonly schedule: Schedule;
  readonly clock: FakeClock;
  readonly docker: FakeMethods;
  readonly log: string[];
  /** What is stored. */
  readonly results: Map<string, Map<MethodName, MethodResult>>;
  /** Containers whose result is another one. */
  readonly changed: string[];
  /** A run of the director with these containers. */
  update(containers: readonly Container[], settings?: ReturnType<typeof config>): void;
  /** What has been run so far, in order: first words of the commands. */
  words(): string[];
}

export const METRICS = config({ METRICS_LISTEN: "127.0.0.1:9553" });

export function makeStage(): Stage {
  let seen = observation();
  const clock = fakeClock();
  const docker = fakeMethods(() => [...seen.containers, ...(seen.stopped ?? [])]);
  const log: string[] = [];
  const changed: string[] = [];
  const results = new Map<string, Map<MethodName, MethodResult>>();
  const runner: MethodRunner = {
    async run({ container: id, method, by, signal, counts }) {
      if ("http" in method.action) throw new Error("not run");
      const startedAt = clock.date();
      const { argv } = method.action;
      const { status, ended } = await docker.execute({
        container: id,
        argv,
        timeoutMs: method.timeout * 1000,
        ...(signal && { signal }),
        onOutput: () => undefined,
      });
      const reason = ended ?? (status === 0 ? null : "as it said");
      const head = { container: id, method: method.name, ok: status === 0, status, reason };
      const result: MethodResult = { ...head, startedAt, endedAt: clock.date(), by };
      if ((await counts?.(result)) !== false)
        results.set(id, (results.get(id) ?? new Map()).set(method.name, result));
      return { ...result, output: "", shared: false, notStored: null };
    },
  };
  const schedule = makeSchedule({
    open: () => ({
      runs: taskRuns({ docker, runner, now: clock.date }),
      results: async () => results as Results,
    }),
    changed: (id) => changed.push(id),
    say: (level, line) => log.push(`${level}: ${line}`),
    clock,
  });
  return {
    schedule,
    clock,
    docker,
    log,
    results,
    changed,
    update(containers, settings = METRICS) {
      const running = containers.filter(({ state }) => state !== "exited");
      const stopped = containers.filter(({ state }) => state === "exited");
      seen = observation({ containers: running, stopped });
      schedule.update(settings, { seen, decision: decide(settings, seen, NOW) });
    },
    words: () => docker.begun.map(({ argv }) => argv[0] ?? ""),
  };
}

/** A container with these labels. */
export const labelled = (name: string, labels: Readonly<Record<string, string>>, at?: string): Container =>
  container({ name, labels: new Map(Object.entries(labels)), ...(at === undefined ? {} : { at }) });
