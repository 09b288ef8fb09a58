/** Running programs for the lab: argument vectors in, text out; daemons known by PID and start time. */

import { spawn as spawnProcess } from "node:child_process";
import { closeSync, mkdirSync, openSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { execa } from "execa";

/** The result of a program. `ms` is its wall time in milliseconds. */
export interface Outcome {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
  readonly ms: number;
}

export interface RunOptions {
  readonly input?: string | Uint8Array;
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** Milliseconds; then the program is killed and its code is 124, as timeout(1) has it. */
  readonly timeout?: number;
  /** False: a status other than 0 is a result, not an error. */
  readonly check?: boolean;
}

/** Run a program to its end. Throws when it is missing, and when it fails unless `check` is false. */
export async function run(argv: readonly string[], options: RunOptions = {}): Promise<Outcome> {
  const [file, ...args] = argv;
  if (file === undefined) throw new Error("nothing to run");
  const start = performance.now();
  const result = await execa(file, args, {
    reject: false,
    ...(options.input === undefined ? { stdin: "ignore" } : { input: options.input }),
    ...(options.env === undefined ? {} : { env: options.env }),
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    timeout: options.timeout ?? 120_000,
    maxBuffer: 64 * 1024 * 1024,
  });
  if (result.code === "ENOENT")
    throw new Error(`${file}: no such program: does test/lab/setup.sh install it?`);
  const outcome: Outcome = {
    code: result.exitCode ?? (result.timedOut ? 124 : 137),
    stdout: result.stdout,
    stderr: result.stderr,
    ms: Math.round(performance.now() - start),
  };
  if (outcome.code !== 0 && options.check !== false) {
    throw new Error(`${argv.join(" ")}: status ${outcome.code}\n${outcome.stderr || outcome.stdout}`);
  }
  return outcome;
}

/**
 * Milliseconds after which what is waited for will not come. One for all waits, and far more than a busy machine needs: a test
 * is about what comes, and how soon is a benchmark's.
 */
const PATIENCE = 300_000;

/** Milliseconds that a program has to end by itself. */
const ENDS_IN = 60_000;

/** Repeat until the result is neither false nor undefined, each `pause` milliseconds; throws when it does not come. */
export async function until<T>(
  what: string,
  ask: () => Promise<T | undefined | false> | T | undefined | false,
  { pause = 20 } = {},
): Promise<T> {
  const answer = await within(PATIENCE, ask, pause);
  if (answer === undefined) throw new Error(`it did not come in ${PATIENCE / 1000} seconds: ${what}`);
  return answer;
}

/** The same with another patience; undefined when it does not come. */
async function within<T>(
  patience: number,
  ask: () => Promise<T | undefined | false> | T | undefined | false,
  pause: number,
): Promise<T | undefined> {
  const end = performance.now() + patience;
  for (;;) {
    const asked = performance.now();
    const answer = await ask();
    if (answer !== undefined && answer !== false) return answer;
    const now = performance.now();
    if (now > end) return undefined;
    // a question that starts a program leaves the processor to what is waited for
    await sleep(Math.max(pause, 2 * (now - asked)));
  }
}

/** Wait some milliseconds. */
export const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** State letter and start time (clock ticks since boot) of a process; undefined when there is none. */
function status(pid: number): { state: string; start: string } | undefined {
  try {
    // The second field, the name in brackets, may hold blanks: count from its end.
    const text = readFileSync(`/proc/${pid}/stat`, "latin1");
    const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
    return { state: fields[0] ?? "", start: fields[19] ?? "" };
  } catch {
    return undefined;
  }
}

/** Whether a process runs. A zombie does not: where PID 1 does not reap, zombies stay listed. */
export function alive(pid: number): boolean {
  const now = status(pid);
  return now !== undefined && now.state !== "Z" && now.state !== "X";
}

/** A process identified by PID and start time: a PID may be reused by another process. */
export interface Known {
  readonly pid: number;
  readonly start: string;
}

/** Identify a running process. Throws when it has ended already. */
export function known(pid: number): Known {
  const now = status(pid);
  if (now === undefined) throw new Error(`process ${pid} is gone`);
  return { pid, start: now.start };
}

export const stillThere = (process: Known): boolean =>
  alive(process.pid) && status(process.pid)?.start === process.start;

/** Send a signal; a process that has ended is no error. */
export function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}

/** A program in the background of the test. */
export interface Daemon extends Known {
  readonly argv: readonly string[];
  /** Everything it has printed so far, on both streams. */
  output(): string;
  running(): boolean;
  /** Send a signal (TERM) and wait for the end; KILL after a minute. How it ended: a status or a signal. */
  stop(name?: NodeJS.Signals): Promise<number | NodeJS.Signals>;
}

/**
 * Start a program in the background, its output in `directory`/log, its PID recorded in `directory`/pids, so that a
 * later run can end what a crashed one left. It has a process group of its own: ^C reaches the test, not the daemon.
 */
export function spawn(
  directory: string,
  label: string,
  argv: readonly string[],
  options: { readonly env?: Readonly<Record<string, string>>; readonly cwd?: string } = {},
): Daemon {
  const [file, ...args] = argv;
  if (file === undefined) throw new Error("nothing to run");
  mkdirSync(join(directory, "log"), { recursive: true });
  mkdirSync(join(directory, "pids"), { recursive: true });
  const log = join(directory, "log", label);
  const out = openSync(log, "w");
  const child = spawnProcess(file, args, {
    detached: true,
    stdio: ["ignore", out, out],
    env: { ...process.env, ...options.env },
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
  });
  closeSync(out);
  child.on("error", () => {}); // pid stays undefined, which is reported below
  if (child.pid === undefined)
    throw new Error(`${file}: no such program: does test/lab/setup.sh install it?`);
  child.unref();
  const who = known(child.pid);
  const record = join(directory, "pids", String(who.pid));
  writeFileSync(record, JSON.stringify(who));
  const running = (): boolean => stillThere(who);
  return {
    ...who,
    argv,
    output: () => readFileSync(log, "utf8"),
    running,
    async stop(name = "SIGTERM") {
      if (running()) signal(who.pid, name);
      if ((await within(ENDS_IN, () => !running(), 20)) === undefined) signal(who.pid, "SIGKILL");
      // Not before it is reaped: the threads of a killed leader may still be ending, and to kill(2), with which dockerd
      // reads its own PID file, a zombie is a process that runs.
      await until(`end of ${label}`, () => child.exitCode !== null || child.signalCode !== null);
      rmSync(record, { force: true });
      return child.signalCode ?? child.exitCode ?? 0;
    },
  };
}

/** The recorded daemons of a directory that still run. */
export function recorded(directory: string): Known[] {
  let names: string[];
  try {
    names = readdirSync(join(directory, "pids"));
  } catch {
    return [];
  }
  return names.flatMap((name) => {
    try {
      const who = JSON.parse(readFileSync(join(directory, "pids", name), "utf8")) as Known;
      return stillThere(who) ? [who] : [];
    } catch {
      return []; // half written by a run that was killed: the scan of /proc finds that one
    }
  });
}

/** What a program has printed on both: each begins a line. */
export const printed = (stdout: string, stderr: string): string =>
  [stdout, stderr].filter((text) => text !== "").join(stdout.endsWith("\n") ? "" : "\n");
