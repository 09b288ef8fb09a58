/** A command run inside a container through Docker, its output streamed, and ended when its time is over. */
import { setTimeout as sleep } from "node:timers/promises";
import { HostError } from "../../core/errors.ts";
import { unlessAborted } from "../../platform/abort.ts";
import { after, pausing } from "../../platform/timer.ts";
import { type RunningCommand, ticksNow } from "../kernel/processes.ts";
import { readDocument } from "./answer.ts";
import { connectEngine, type Engine, type EngineOptions } from "./engine.ts";
import { dockerError, orNone } from "./error.ts";
import { type OnOutput, readFrames } from "./frames.ts";
import { isContainerId, number, record, string } from "./json.ts";

export interface ExecRequest {
  /** Of 64 hexadecimal digits. */
  readonly container: string;
  readonly argv: readonly string[];
  /** Milliseconds until the command is ended. */
  readonly timeoutMs: number;
  /** Ends the command. */
  readonly signal?: AbortSignal;
  readonly onOutput: OnOutput;
}

export interface ExecResult {
  /** Exit status, or null where it did not end by itself, or where Docker does not know it. */
  readonly status: number | null;
  /** Why it was ended: its time was over, or the signal was aborted. Null where it ended by itself. */
  readonly ended: "timeout" | "signal" | null;
  /** True where it could not be ended, and goes on in the container. */
  readonly runsOn: boolean;
}

/** Ends a command's processes. Resolves with whether none is left. */
export type EndProcesses = (command: RunningCommand) => Promise<boolean>;

/** Milliseconds that Docker has to say what became of a command that is to be ended. */
const AFTER_END_MS = 2_000;

/**
 * Runs a command in a running container. Docker has no call that ends a command: `end` gets the number of its process on this host.
 * A program that cannot be run, as when it does not exist there, gives a status of 126 or 127, and the runtime's words as its output.
 * Throws HostError "docker" where the container is gone or does not run, or Docker does not answer; the command may go on then. What
 * `onOutput` throws ends the command, and is thrown.
 */
export async function execute(
  options: EngineOptions,
  end: EndProcesses,
  request: ExecRequest,
): Promise<ExecResult> {
  const engine = connectEngine(options);
  const { container, timeoutMs, signal } = request;
  const notBegun: ExecResult = { status: null, ended: "signal", runsOn: false };
  const id = await create(engine, options, request).catch((error: unknown) => {
    if (signal?.aborted !== true) throw error;
  });
  if (id === undefined || signal?.aborted) return notBegun;
  const since = ticksNow();
  const late = new AbortController();
  const cancel = after(timeoutMs, () => late.abort());
  const over = signal === undefined ? late.signal : AbortSignal.any([late.signal, signal]);
  const connection = new AbortController();
  try {
    const path = `/exec/${id}/start`;
    const start = { method: "POST", path, body: { Detach: false, Tty: false } } as const;
    const failure = (error: unknown): HostError => dockerError(options, error, null, start);
    const opened = engine.open(start, connection.signal).catch((error: unknown) => {
      throw failure(error);
    });
    const output = opened.then((body) => readFrames(body, request.onOutput, connection.signal, failure));
    const broken = await unlessAborted(output, over).then(
      () => undefined,
      (error: unknown) => (error === over.reason ? undefined : { error }),
    );
    // Docker has refused it
    if (broken !== undefined) await opened;
    const found = broken === undefined ? await untilEnded(engine, id, over) : undefined;
    if (found !== undefined) return found;
    const status = await ended(engine, id, (pid) => end({ pid, container, since }));
    // the rest of what it has printed
    await Promise.race([output.catch(() => undefined), sleep(AFTER_END_MS)]);
    if (broken !== undefined) throw broken.error;
    if (typeof status === "number") return { status, ended: null, runsOn: false };
    return { status: null, ended: signal?.aborted === true ? "signal" : "timeout", runsOn: !status };
  } finally {
    cancel();
    connection.abort();
  }
}

async function create(
  engine: Engine,
  options: EngineOptions,
  { container, argv, signal }: ExecRequest,
): Promise<string> {
  if (!isContainerId(container)) throw new HostError("docker", "no container id");
  const path = `/containers/${container}/exec`;
  const body = { Cmd: argv, AttachStdout: true, AttachStderr: true };
  // one that is made twice and never started does nothing
  const made = await engine
    .ask({ method: "POST", path, body, success: [201] }, readDocument, { again: true, signal })
    .catch(orNone(404));
  if (made === undefined) throw new HostError("docker", "its container has been removed");
  const id = string(record(made).Id);
  if (!isContainerId(id))
    throw dockerError(options, new Error("its answer holds no id"), null, { method: "POST", path });
  return id;
}

/** What Docker knows of a command: it runs, it has this exit status, or nothing (null), as after its container's end. */
type Known = { readonly pid: number } | { readonly status: number } | null;

async function state(engine: Engine, id: string, again: boolean): Promise<Known> {
  const answer = await engine
    .ask({ path: `/exec/${id}/json` }, readDocument, { again })
    .catch(orNone(404, 409));
  if (answer === undefined) return null;
  const { Running, ExitCode, Pid } = record(answer);
  if (Running !== true && Number.isInteger(ExitCode)) return { status: ExitCode as number };
  return { pid: number(Pid) };
}

/** Milliseconds between two questions for a command's state: the first, and at most. */
const [FIRST_PAUSE_MS, MOST_PAUSE_MS] = [20, 500];

/**
 * Its result, once Docker knows that it has ended; undefined when it is over before. The output ends a moment before Docker knows,
 * and long before where the command has closed it.
 */
async function untilEnded(engine: Engine, id: string, over: AbortSignal): Promise<ExecResult | undefined> {
  for (let ms = FIRST_PAUSE_MS; !over.aborted; ms = Math.min(2 * ms, MOST_PAUSE_MS)) {
    const now = await state(engine, id, true);
    if (now === null) return { status: null, ended: null, runsOn: false };
    if ("status" in now) return { ...now, ended: null, runsOn: false };
    await pausing(ms, over);
  }
  return undefined;
}

/** Ends it: its exit status where it has ended by itself, else whether it has been ended. */
async function ended(
  engine: Engine,
  id: string,
  end: (pid: number) => Promise<boolean>,
): Promise<number | boolean> {
  for (const began = performance.now(); ; await sleep(FIRST_PAUSE_MS)) {
    const now = await state(engine, id, false);
    if (now === null) return true;
    if ("status" in now) return now.status;
    if (now.pid > 0) return end(now.pid);
    // it is being started
    if (performance.now() - began > AFTER_END_MS) return false;
  }
}
