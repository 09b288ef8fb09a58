/** Reconcile for ever: an event of Docker's or the interval wakes it. Never two runs at once. */
import type { Config } from "./core/config.ts";
import { ConfigError, HostError } from "./core/errors.ts";
import { connectDocker } from "./host/docker.ts";
import { openHost } from "./host/host.ts";
import { takeLock } from "./host/lock.ts";
import { lockFile } from "./initialize.ts";
import { type Outcome, reconcile } from "./reconcile.ts";

/** Milliseconds between the starts of two runs in a burst of events. */
const BURST = 100;
/** Milliseconds before Docker's event stream is opened anew: doubled on each failure, up to the second. */
const BACK_OFF = [200, 10_000] as const;

export interface WatchOptions {
  /** Reads the configuration anew. Throws ConfigError. */
  readonly read: () => Config;
  /** One line for the log. */
  readonly say: (level: "info" | "warning" | "error", line: string) => void;
  /** Ends the watch after the run in hand. */
  readonly signal: AbortSignal;
  /** Has `reread` called when the configuration may have changed. */
  readonly onReread: (reread: () => void) => void;
}

/** Keeps the host converged until the signal is aborted. Whatever fails, what is in force stays in force. */
export async function watch(options: WatchOptions): Promise<void> {
  const { say, signal } = options;
  let config = options.read();
  const bell = makeBell(signal);
  const said = new Set<string>();
  options.onReread(() => {
    try {
      config = options.read();
      say("info", "the configuration has been read anew");
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      for (const line of error.message.split("\n")) say("error", `${line}; the old configuration stays`);
    }
    bell.ring();
  });
  const following = follow(() => config, bell.ring, options);
  while (!signal.aborted) {
    const started = performance.now();
    try {
      report(await lockedRun(config), said, say);
    } catch (error) {
      if (!(error instanceof HostError || error instanceof ConfigError)) throw error;
      const remedy = error instanceof HostError && error.remedy !== undefined ? ` (${error.remedy})` : "";
      once(said, "error", `${error.message}${remedy}; what is in force stays`, say);
    }
    await bell.wait(BURST - (performance.now() - started), config.syncInterval * 1000);
  }
  await following;
}

async function lockedRun(config: Config): Promise<Outcome> {
  const release = await takeLock(lockFile(config));
  try {
    const now = (): number => Math.floor(Date.now() / 1000);
    return await reconcile(config, openHost(config), { now, apply: true, yes: false, secondLook: 3_000 });
  } finally {
    await release();
  }
}

type Say = WatchOptions["say"];

/** Says a standing condition when it arises, not at every run that finds it again. */
function once(said: Set<string>, level: "warning" | "error", line: string, say: Say): void {
  if (!said.has(line)) say(level, line);
  said.add(line);
}

function report({ decision, plan }: Outcome, said: Set<string>, say: Say): void {
  const standing = new Set(decision.warnings);
  for (const line of said) if (!standing.has(line)) said.delete(line);
  for (const line of standing) once(said, "warning", line, say);
  if (plan.changes.length > 0) {
    say(
      "info",
      `${plan.changes.length} changes: ${plan.changes.slice(0, 4).join("; ")}${plan.changes.length > 4 ? "; ..." : ""}`,
    );
  }
}

/** Keeps Docker's event stream open; every opening is a reason to look, since events were lost meanwhile. */
async function follow(config: () => Config, wake: () => void, { signal, say }: WatchOptions): Promise<void> {
  let pause: number = BACK_OFF[0];
  while (!signal.aborted) {
    try {
      const docker = connectDocker({ socket: config().dockerSocket, ...config().api });
      await docker.follow(
        signal,
        () => {
          pause = BACK_OFF[0];
          wake();
        },
        wake,
      );
    } catch (error) {
      if (!(error instanceof HostError)) throw error;
      if (pause === BACK_OFF[0]) say("warning", `${error.message}; trying again`);
    }
    await pausing(pause, signal);
    pause = Math.min(pause * 2, BACK_OFF[1]);
  }
}

function pausing(milliseconds: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve();
    const timer = setTimeout(done, Math.max(0, milliseconds));
    function done(): void {
      clearTimeout(timer);
      signal.removeEventListener("abort", done);
      resolve();
    }
    signal.addEventListener("abort", done);
  });
}

/** A bell that remembers having been rung. */
function makeBell(signal: AbortSignal): {
  ring: () => void;
  wait: (least: number, most: number) => Promise<void>;
} {
  let rung = false;
  let answer = (): void => undefined;
  return {
    ring() {
      rung = true;
      answer();
    },
    /** Returns once the bell has been rung, but not before `least` ms nor after `most` ms. */
    async wait(least, most) {
      await pausing(least, signal);
      if (!rung && !signal.aborted) {
        const heard = new AbortController();
        answer = () => heard.abort();
        await pausing(most - least, AbortSignal.any([signal, heard.signal]));
      }
      rung = false;
    },
  };
}
