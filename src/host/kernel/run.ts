/** The one place where a program is started: argument vector in, stdout out, never a shell. */
import { constants } from "node:os";
import { execa, type Options } from "execa";
import { clip } from "../../core/clip.ts";
import { HostError } from "../../core/errors.ts";

export interface RunOptions {
  readonly input?: string;
  /** Exit codes that are no failure; 0 when not given. */
  readonly ok?: readonly number[] | "any";
  /** Variables beside those of this process. */
  readonly env?: Readonly<Record<string, string>>;
  /** Milliseconds. */
  readonly timeout?: number;
  /** Open file for the program's standard input. */
  readonly stdin?: number;
}

export interface RunResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** The Debian package that holds a program. */
export const PACKAGE_OF: ReadonlyMap<string, string> = new Map([
  ["ip", "iproute2"],
  ["iptables", "iptables"],
  ["iptables-save", "iptables"],
  ["iptables-restore", "iptables"],
  ["nft", "nftables"],
  ["arping", "iputils-arping"],
  ["conntrack", "conntrack"],
  ["flock", "util-linux"],
  ["docker", "docker.io"],
  ["docker-compose", "docker-compose"],
  ["systemctl", "systemd"],
]);

/** Cron's PATH lacks the directories of these programs. */
export const SEARCH_PATH: string = [process.env.PATH, "/usr/sbin", "/usr/bin", "/sbin", "/bin"]
  .filter(Boolean)
  .join(":");

let tracer: ((line: string) => void) | undefined;

/** Has every command reported to `trace` (the CLI's --debug). */
export function traceCommands(trace: (line: string) => void): void {
  tracer = trace;
}

/** Reports a change that was made without a program. */
export const trace = (line: string): void => tracer?.(line);

export const NEEDS_PRIVILEGE = "run as root, or with CAP_NET_ADMIN and CAP_NET_RAW";

export type Argv = readonly [program: string, ...args: string[]];

/** Runs a program to its end, whatever its exit status. Throws HostError when it cannot be run. */
export type Runner = (argv: Argv, options: RunOptions) => Promise<RunResult>;

const onThisHost: Runner = (argv, options) => {
  // any open descriptor will do; execa's type names only the low ones
  const io: Options =
    options.stdin === undefined ? { input: options.input ?? "" } : { stdin: options.stdin as 3 };
  return ended(argv, start(argv, options, io));
};

let runner = onThisHost;

/** Has programs run by `other` from now on: tests use a simulated host. */
export function runWith(other: Runner): void {
  runner = other;
}

/** Runs a program to its end. Throws HostError with the arguments, exit code and stderr in its cause. */
export async function run(argv: Argv, options: RunOptions = {}): Promise<RunResult> {
  const result = await runner(argv, options);
  const { ok = [0] } = options;
  if (ok !== "any" && !ok.includes(result.code)) throw failure(argv, result.code, result.stderr);
  return result;
}

/** Milliseconds after which a program is killed. */
const PROGRAM_TIMEOUT_MS = 20_000;

/** PIDs of the programs started last: their changes in the kernel come from this process. */
const recent: number[] = [];
const MOST_RECENT = 64;

/** Whether a process was started here lately. */
export const startedHere = (pid: number): boolean => recent.includes(pid);

function start(argv: Argv, options: RunOptions, io: Options) {
  const [program, ...args] = argv;
  const child = execa(program, args, {
    ...io,
    reject: false,
    timeout: options.timeout ?? PROGRAM_TIMEOUT_MS,
    killSignal: "SIGKILL",
    maxBuffer: 256 * 1024 * 1024,
    env: { PATH: SEARCH_PATH, LC_ALL: "C", ...options.env },
  });
  if (child.pid !== undefined) recent.push(child.pid);
  if (recent.length > MOST_RECENT) recent.shift();
  return child;
}

async function ended(argv: Argv, running: ReturnType<typeof start>): Promise<RunResult> {
  const started = performance.now();
  try {
    const result = await running;
    tracer?.(
      `${argv.join(" ")} (exit ${result.exitCode ?? "-"}, ${Math.round(performance.now() - started)} ms)`,
    );
    if (result.exitCode === undefined) throw startFailure(argv, result);
    const { exitCode: code, stdout, stderr } = result;
    return { code, stdout: String(stdout ?? ""), stderr: String(stderr ?? "") };
  } catch (error) {
    if (error instanceof HostError) throw error;
    throw startFailure(argv, error);
  }
}

/**
 * Runs a program until it is stopped: `onLine` gets each line it prints. Returns when the signal is aborted;
 * throws HostError when the program ends by itself.
 */
export async function follow(argv: Argv, signal: AbortSignal, onLine: (line: string) => void): Promise<void> {
  const [program, ...args] = argv;
  const child = execa(program, args, {
    stdin: "ignore",
    stderr: "ignore",
    buffer: false,
    reject: false,
    cancelSignal: signal,
    env: { PATH: SEARCH_PATH, LC_ALL: "C" },
  });
  for await (const line of child) onLine(String(line));
  const result = await child;
  if (signal.aborted) return;
  if (result.code === "ENOENT") throw missing(program, result);
  throw new HostError("command", `${argv.join(" ")} has ended`, { cause: result });
}

/** Milliseconds after SIGTERM until a program on the terminal is killed. */
const KILL_AFTER_MS = 10_000;

/** A program that has the terminal of this process. */
export interface Attached {
  /** Its exit status, 128 and the number of the signal that has ended it. Rejects with HostError where it cannot be run. */
  readonly ended: Promise<number>;
  signal(name: NodeJS.Signals): void;
}

/**
 * Starts a program on this process's terminal, with its environment and directory. With `toStderr` what it prints on standard output
 * goes to standard error.
 */
export function attached(argv: Argv, toStderr: boolean): Attached {
  const [program, ...args] = argv;
  const child = execa(program, args, {
    stdin: "inherit",
    stdout: toStderr ? 2 : "inherit",
    stderr: "inherit",
    reject: false,
    // this process ends it, and waits for it
    cleanup: false,
    forceKillAfterDelay: KILL_AFTER_MS,
  });
  const ended = child.then((result) => {
    if (result.exitCode !== undefined) return result.exitCode;
    if (result.signal !== undefined) return 128 + constants.signals[result.signal as NodeJS.Signals];
    const isMissing = result.code === "ENOENT";
    throw new HostError(
      "command",
      `${program} cannot be run${isMissing ? ": there is no such program" : ""}`,
      {
        cause: result,
      },
    );
  });
  return { ended, signal: (name) => void child.kill(name) };
}

function failure(argv: Argv, code: number, stderr: string): HostError {
  const said = clip(stderr.trim().split("\n")[0], 300);
  const denied = /permission denied|operation not permitted|must be root/i.test(stderr);
  return new HostError(
    denied ? "privilege" : "command",
    `${argv[0]} failed with exit status ${code}: ${said || "no message"}`,
    {
      cause: { argv, code, stderr },
      ...(denied ? { remedy: NEEDS_PRIVILEGE } : {}),
    },
  );
}

function startFailure(argv: Argv, error: unknown): HostError {
  const [program] = argv;
  const cause = error as { code?: string; timedOut?: boolean; cause?: { code?: string } };
  if (cause.code === "ENOENT" || cause.cause?.code === "ENOENT") return missing(program, error);
  if (cause.timedOut === true)
    return new HostError("command", `${program} did not end in time`, { cause: error });
  return new HostError("command", `${program} could not be run`, { cause: error });
}

/** The error for a program that is not installed. */
export function missing(program: string, cause?: unknown): HostError {
  const name = PACKAGE_OF.get(program) ?? program;
  return new HostError("missing", `${program} is not installed`, {
    remedy: `apt-get install ${name}`,
    cause,
  });
}
