/** A command run inside a container through Docker, its output streamed, and ended when its time is over. */
import type { Readable } from "node:stream";
import { HostError } from "../../core/errors.ts";
import { readDocument } from "./answer.ts";
import { connectEngine, type Engine, type EngineOptions } from "./engine.ts";
import { dockerError, orNone } from "./error.ts";
import { isContainerId, type Json, record, string } from "./json.ts";

export interface ExecRequest {
  /** Of 64 hexadecimal digits. */
  readonly container: string;
  readonly argv: readonly string[];
  /** Milliseconds until the command is ended. */
  readonly timeoutMs: number;
  /** Ends the command. */
  readonly signal?: AbortSignal;
  /** Gets each part of the output as it comes; what the command prints waits meanwhile. */
  readonly onOutput: (part: Output) => void | Promise<void>;
}

export interface Output {
  readonly stream: "stdout" | "stderr";
  /** Untrusted octets. Valid until the callback has returned. */
  readonly octets: Buffer;
}

export interface ExecResult {
  /** Exit status, or null where it did not end by itself, or where Docker does not know it. */
  readonly status: number | null;
  /** Why it was ended: its time was over, or the signal was aborted. Null where it ended by itself. */
  readonly ended: "timeout" | "signal" | null;
  /** True where it could not be ended, and goes on in the container. */
  readonly runsOn: boolean;
}

/** Ends a process and those that it has started. Resolves with whether none is left. */
export type EndProcesses = (pid: number) => Promise<boolean>;

/** Milliseconds that Docker has to say that a command which was ended has ended. */
const AFTER_END_MS = 2_000;

/**
 * Runs a command in a running container. Docker has no call that ends a command: `end` gets the number of its process on this host.
 * Throws HostError "docker" where the container is gone, does not run, or Docker does not answer; "refused", with the
 * runtime's words, where the program cannot be run, as when it does not exist there.
 */
export async function execute(
  options: EngineOptions,
  end: EndProcesses,
  request: ExecRequest,
): Promise<ExecResult> {
  const engine = connectEngine(options);
  const { container, argv, timeoutMs, signal } = request;
  const id = await create(engine, options.socket, container, argv);
  const over = new AbortController();
  const timer = setTimeout(() => over.abort(), timeoutMs);
  const until = signal === undefined ? over.signal : AbortSignal.any([over.signal, signal]);
  const broken = new AbortController();
  try {
    const path = `/exec/${id}/start`;
    const start = { method: "POST", path, body: { Detach: false, Tty: false } } as const;
    const opened = engine.open(start, broken.signal);
    const output = opened.then((body) => forward(body, request.onOutput));
    const aborted = new Promise<"over">((resolve) => {
      if (until.aborted) resolve("over");
      until.addEventListener("abort", () => resolve("over"));
    });
    const first = await Promise.race([output, aborted]).catch((error: unknown) => {
      throw dockerError(options.socket, error, null, start);
    });
    if (first !== "over") return await result(engine, id, null);
    const ended = signal?.aborted === true ? "signal" : "timeout";
    const { Running, Pid } = await state(engine, id);
    const gone = Running !== true || (typeof Pid === "number" && Pid > 0 && (await end(Pid)));
    // the rest of what it printed, and Docker's word that it has ended
    await Promise.race([output.catch(() => undefined), pause(AFTER_END_MS)]);
    return { status: null, ended, runsOn: !gone };
  } finally {
    clearTimeout(timer);
    broken.abort();
  }
}

async function create(
  engine: Engine,
  socket: string,
  container: string,
  argv: readonly string[],
): Promise<string> {
  if (!isContainerId(container)) throw new HostError("docker", "no container id");
  const path = `/containers/${container}/exec`;
  const body = { Cmd: argv, AttachStdout: true, AttachStderr: true };
  // one that is made twice and never started does nothing
  const made = await engine
    .ask({ method: "POST", path, body, success: [201] }, readDocument, { again: true })
    .catch(orNone(404));
  if (made === undefined) throw new HostError("docker", "its container has been removed");
  const id = string(record(made).Id);
  if (!isContainerId(id))
    throw dockerError(socket, new Error("its answer holds no id"), null, { method: "POST", path });
  return id;
}

const state = async (engine: Engine, id: string): Promise<Json> =>
  record(await engine.ask({ path: `/exec/${id}/json` }, readDocument, { again: true }));

/** Exit statuses with which a runtime says that it could not run the program. */
const NOT_RUN: ReadonlySet<number> = new Set([126, 127]);

async function result(engine: Engine, id: string, ended: ExecResult["ended"]): Promise<ExecResult> {
  for (const began = performance.now(); ; await pause(20)) {
    const { ExitCode, Running } = await state(engine, id);
    const known = Running !== true && Number.isInteger(ExitCode);
    // the output ends a moment before Docker notes the status
    if (!known && performance.now() - began < AFTER_END_MS) continue;
    return { status: known ? (ExitCode as number) : null, ended, runsOn: Running === true };
  }
}

/** Whether a status may mean that the program was not run at all: a program may use these as well. */
export const mayBeNotRun = ({ status }: ExecResult): boolean => status !== null && NOT_RUN.has(status);

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

const STREAMS: ReadonlyMap<number, Output["stream"]> = new Map([
  [1, "stdout"],
  [2, "stderr"],
]);
const HEAD_OCTETS = 8;

/** Docker's frames: a head of eight octets, stream and length, then the content (Engine API, ContainerAttach). */
async function forward(body: Readable, onOutput: ExecRequest["onOutput"]): Promise<void> {
  const head = Buffer.alloc(HEAD_OCTETS);
  let filled = 0;
  let left = 0;
  for await (const part of body as AsyncIterable<Buffer>) {
    let at = 0;
    while (at < part.length) {
      if (left === 0) {
        const taken = part.copy(head, filled, at, at + HEAD_OCTETS - filled);
        at += taken;
        filled += taken;
        if (filled < HEAD_OCTETS) break;
        filled = 0;
        left = head.readUInt32BE(4);
        continue;
      }
      const octets = part.subarray(at, at + left);
      at += octets.length;
      left -= octets.length;
      const stream = STREAMS.get(head[0] ?? 0);
      if (stream !== undefined) await onOutput({ stream, octets });
    }
  }
}
