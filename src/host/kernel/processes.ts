/** Ends a command in a container with all that it has started: only processes that provably belong to it. */
import { readFileSync } from "node:fs";
import { readdir, readFile } from "node:fs/promises";
import { uptime } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";

export interface RunningCommand {
  /** Of its first process, as Docker says. Another process has this number here where Docker runs in another PID namespace or on another machine. */
  readonly pid: number;
  /** Id of its container, of 64 hexadecimal digits. */
  readonly container: string;
  /** What `ticksNow` said before it was started. */
  readonly since: number;
}

/** Where processes are read and signalled; of this host when not given. */
export interface Processes {
  /** Numbers of all processes. */
  list(): Promise<number[]>;
  /** `/proc/PID/stat`. Throws where there is no such process, or it may not be seen. */
  stat(pid: number): Promise<string>;
  /** The same and `/proc/PID/cgroup` without a moment between them and the signal. */
  now(pid: number): { readonly stat: string; readonly cgroup: string };
  signal(pid: number, name: "SIGTERM" | "SIGKILL"): void;
}

interface Process {
  readonly pid: number;
  readonly parent: number;
  readonly session: number;
  /** Clock ticks since boot: a number that is used again has another. */
  readonly started: number;
}

/** Clock ticks of /proc in a second (USER_HZ). */
const TICKS = 100;
/** Milliseconds between the signal to end and the one that kills. */
const TERM_MS = 2_000;
/** Milliseconds between two looks. */
const LOOK_MS = 50;
/** Looks after the kill: a process in the midst of an input or output ends when that is done. */
const KILL_LOOKS = 20;
/** Files that are open at once. */
const AT_ONCE = 32;

/** Clock ticks since boot, as a process's start is given; rounded down. */
export const ticksNow = (): number => Math.floor(uptime() * TICKS) - 1;

/**
 * SIGTERM, after 2 s SIGKILL, to the command's first process, its descendants, and the others of its session. The first process must be
 * in the container's cgroup and not older than the request that started it: the PID that some runtimes give is that of the container's
 * virtual machine. Each other process that gets a signal must be in that cgroup as well.
 *
 * Resolves with whether none is left; false where this cannot be told. Descendants that have both another session and another parent
 * before the first look are not found. Throws nothing.
 */
export async function endProcesses(
  { pid, container, since }: RunningCommand,
  termMs: number = TERM_MS,
  host: Processes = THIS_HOST,
): Promise<boolean> {
  const first = seen(pid, container, host);
  if (first === undefined || first.started < since) return false;
  const known = new Map([[pid, first]]);
  const look = async (): Promise<Process[]> => {
    const found = family(first, await processes(host), known);
    for (const one of found) known.set(one.pid, one);
    return found;
  };
  const send = (to: readonly Process[], name: "SIGTERM" | "SIGKILL"): void => {
    // the number may be another process's since the look
    for (const one of to)
      if (seen(one.pid, container, host)?.started === one.started) host.signal(one.pid, name);
  };
  try {
    let left = await look();
    send(left, "SIGTERM");
    for (const began = performance.now(); left.length > 0 && performance.now() - began < termMs; ) {
      await sleep(LOOK_MS);
      left = await look();
    }
    for (let n = 0; left.length > 0 && n < KILL_LOOKS; n++) {
      send(left, "SIGKILL");
      await sleep(LOOK_MS);
      left = await look();
    }
    return left.length === 0;
  } catch {
    return false;
  }
}

/** A process that runs in the container's cgroup; undefined for any other, and where this cannot be seen. */
function seen(pid: number, container: string, host: Processes): Process | undefined {
  if (!Number.isSafeInteger(pid) || pid <= 1 || !/^[0-9a-f]{64}$/.test(container)) return undefined;
  try {
    const { stat, cgroup } = host.now(pid);
    // the directory is named by the id: docker/ID, docker-ID.scope, libpod-ID.scope
    return cgroup.includes(container) ? parsed(pid, stat) : undefined;
  } catch {
    return undefined;
  }
}

/** Of those that run: the first process, the `known` ones, their descendants, and the others of the first one's session. */
function family(first: Process, all: readonly Process[], known: ReadonlyMap<number, Process>): Process[] {
  const found = new Map<number, Process>();
  for (const one of all) if (known.get(one.pid)?.started === one.started) found.set(one.pid, one);
  // a session keeps its number while it has a process; then the number may be given to another process, and to its session
  const isReused = all.some(({ pid, started }) => pid === first.pid && started !== first.started);
  for (let before = -1; before < found.size; ) {
    before = found.size;
    for (const one of all) {
      const isInSession = !isReused && one.session === first.pid;
      // none is older than the process that has begun it
      if ((isInSession || found.has(one.parent)) && one.started >= first.started) found.set(one.pid, one);
    }
  }
  return [...found.values()];
}

async function processes(host: Processes): Promise<Process[]> {
  const pids = await host.list();
  const found: Process[] = [];
  for (let at = 0; at < pids.length; at += AT_ONCE) {
    const texts = pids.slice(at, at + AT_ONCE).map(async (pid) => {
      const text = await host.stat(pid).catch(noneWhereEnded);
      const one = text === undefined ? undefined : parsed(pid, text);
      if (one !== undefined) found.push(one);
    });
    await Promise.all(texts);
  }
  return found;
}

/** Any other error, as of too many open files, would have a process counted as ended. */
function noneWhereEnded(error: NodeJS.ErrnoException): undefined {
  if (error.code !== "ENOENT" && error.code !== "ESRCH") throw error;
}

/** Reads /proc/PID/stat; undefined for one that has ended and waits for its parent. */
function parsed(pid: number, stat: string): Process | undefined {
  // the name in parentheses may hold any character
  const [state = "", parent, , session, ...rest] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const started = Number(rest[15]);
  if (!/^[A-Z]$/i.test(state) || !Number.isSafeInteger(started))
    throw new Error(`/proc/${pid}/stat is unreadable`);
  if (/[ZX]/i.test(state)) return undefined;
  return { pid, parent: Number(parent), session: Number(session), started };
}

/** Of this machine, as far as this process may see them. */
export const THIS_HOST: Processes = {
  async list() {
    return (await readdir("/proc")).filter((name) => /^\d+$/.test(name)).map(Number);
  },
  stat: (pid) => readFile(`/proc/${pid}/stat`, "latin1"),
  now: (pid) => ({
    stat: readFileSync(`/proc/${pid}/stat`, "latin1"),
    cgroup: readFileSync(`/proc/${pid}/cgroup`, "latin1"),
  }),
  signal(pid, name) {
    try {
      process.kill(pid, name);
    } catch {
      // it has ended, or may not be ended by this user
    }
  },
};
