/** Ends a process of this host with all that it has started. */
import { readdir, readFile } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";

interface Process {
  readonly pid: number;
  readonly parent: number;
  readonly session: number;
  /** Clock ticks since boot: a number that is used again has another. */
  readonly started: string;
}

/** Milliseconds between the signal to end and the one that kills, and between two looks. */
const TERM_MS = 2_000;
const LOOK_MS = 50;
/** Looks after the kill: a process in the midst of an input or output ends when that is done. */
const KILL_LOOKS = 20;

/**
 * SIGTERM, after 2 s SIGKILL, to a process, its descendants, and the others of its session (a command run by Docker leads one).
 * Resolves with whether none is left. Throws nothing: what may not be ended is left.
 */
export async function endProcesses(pid: number, termMs: number = TERM_MS): Promise<boolean> {
  const known = new Map<number, Process>();
  const look = async (): Promise<Process[]> => {
    const all = await processes();
    for (const one of family(pid, all, known)) known.set(one.pid, one);
    return all.filter((one) => known.get(one.pid)?.started === one.started);
  };
  let left = await look();
  for (const one of left) signal(one.pid, "SIGTERM");
  for (const began = performance.now(); left.length > 0 && performance.now() - began < termMs; ) {
    await sleep(LOOK_MS);
    left = await look();
  }
  for (let n = 0; left.length > 0 && n < KILL_LOOKS; n++) {
    for (const one of left) signal(one.pid, "SIGKILL");
    await sleep(LOOK_MS);
    left = await look();
  }
  return left.length === 0;
}

/** The process, those it has started, and those of its session; `known` ones count as their parents also when they have ended. */
function family(pid: number, all: readonly Process[], known: ReadonlyMap<number, Process>): Process[] {
  const ids = new Set([pid, ...known.keys()]);
  const found = new Set<Process>();
  for (let grew = true; grew; ) {
    grew = false;
    for (const one of all) {
      // the first process of the host, and of a session that is the host's
      if (found.has(one) || one.pid <= 1) continue;
      if (one.pid !== pid && !ids.has(one.parent) && one.session !== pid) continue;
      // a number that has been given to another process meanwhile
      if (known.has(one.pid) && known.get(one.pid)?.started !== one.started) continue;
      found.add(one);
      ids.add(one.pid);
      grew = true;
    }
  }
  return [...found];
}

async function processes(): Promise<Process[]> {
  const names = await readdir("/proc");
  const read = names
    .filter((name) => /^\d+$/.test(name))
    .map(async (name): Promise<Process[]> => {
      const text = await readFile(`/proc/${name}/stat`, "latin1").catch(() => "");
      // the name in parentheses may hold any character
      const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
      const [state = "Z", parent = "", , session = ""] = fields;
      // one that has ended and waits for its parent
      if (state === "Z" || state === "X") return [];
      const started = fields[19] ?? "";
      return [{ pid: Number(name), parent: Number(parent), session: Number(session), started }];
    });
  return (await Promise.all(read)).flat();
}

function signal(pid: number, name: "SIGTERM" | "SIGKILL"): void {
  try {
    process.kill(pid, name);
  } catch {
    // it has ended, or may not be ended by this user
  }
}
