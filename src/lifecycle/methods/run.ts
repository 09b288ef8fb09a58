/** Runs a method of a container: once at a time, bounded, and its result is stored. */
import { clip } from "../../core/clip.ts";
import { HostError } from "../../core/errors.ts";
import type { Method } from "../../core/methods/method.ts";
import { lines, tail } from "../../core/methods/output.ts";
import { type MethodResult, resultOf } from "../../core/methods/results.ts";
import type { Paths } from "../../core/paths.ts";
import { counted, field } from "../../core/text.ts";
import { methodLock, readResults, storeResult } from "../../host/disk/method-results.ts";
import { reasonOf } from "../../host/docker/error.ts";
import type { ExecResult } from "../../host/docker/exec.ts";
import type { DockerMethods } from "../../host/docker/methods.ts";

export interface MethodRun {
  /** Id of the container. */
  readonly container: string;
  readonly method: Method;
  /** What runs it, for the stored result: `ocdd validate`, `interval`. */
  readonly by: string;
  /** Ends it. */
  readonly signal?: AbortSignal;
  /** Gets each line that it prints, printable. Not called where another process runs it. */
  readonly onLine?: (line: string) => void;
  /** Whether a result says something of the service and is to be stored; without it each does. */
  readonly counts?: (result: MethodResult) => Promise<boolean>;
}

/** A result with what is not stored of it. */
export interface RanMethod extends MethodResult {
  /** The last lines it printed, 8 000 characters at most. */
  readonly output: string;
  /** True where a run that was in progress already gave this result. */
  readonly shared: boolean;
  /** Why the result could not be stored, or null. */
  readonly notStored: string | null;
}

export interface MethodRunner {
  /**
   * Resolves with the result, also where it could not be run. Runs of one method of one container at the same time are one run. Throws
   * HostError "busy" where a run of another process goes on beyond its time.
   */
  run(wanted: MethodRun): Promise<RanMethod>;
}

/** Characters of the output that are kept, and octets that are read as lines; what follows is read and dropped. */
const TAIL = 8_000;
const MOST_OCTETS = 16 << 20;

/** Milliseconds beyond its timeout for which a run in another process is waited for. */
const PATIENCE_MS = 10_000;

export interface RunnerMeans {
  readonly docker: DockerMethods;
  /** Null: results are not stored, and no other process runs these methods. */
  readonly paths: Pick<Paths, "results" | "methods"> | null;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  /** Whether results of a container are kept. */
  readonly exists: (id: string) => boolean;
}

export function methodRunner(means: RunnerMeans): MethodRunner {
  const running = new Map<string, Promise<RanMethod>>();
  return {
    run(wanted) {
      const key = `${wanted.container} ${wanted.method.name}`;
      const other = running.get(key);
      if (other !== undefined) return other.then((result) => ({ ...result, shared: true }));
      const own = runOnce(wanted, means).finally(() => running.delete(key));
      running.set(key, own);
      return own;
    },
  };
}

/** Under the lock, so that a run of another process is not run beside it. */
async function runOnce(wanted: MethodRun, means: RunnerMeans): Promise<RanMethod> {
  const { container, method, signal, counts } = wanted;
  const { paths, now, exists } = means;
  if (paths === null) return { ...(await carriedOut(wanted, means)), shared: false, notStored: null };
  const last = async (): Promise<MethodResult | undefined> =>
    resultOf(await readResults(paths.results), container, method.name);
  const before = await last();
  let release: (() => Promise<void>) | undefined;
  let notStored: string | null = null;
  try {
    const mostMs = method.timeout * 1000 + PATIENCE_MS;
    release = await methodLock(paths.methods, container, method.name, mostMs, signal);
  } catch (error) {
    if (signal?.aborted) {
      const result = interrupted(wanted, now());
      await counts?.(result);
      return { ...result, notStored: null };
    }
    if (error instanceof HostError && error.fault === "busy") throw error;
    // a user who may not write there gets the result all the same
    notStored = reasonOf(error);
  }
  try {
    const after = await last();
    // not by their times: the clock may have been set back
    if (release !== undefined && after !== undefined && !isSame(before, after))
      return { ...after, output: "", shared: true, notStored: null };
    const { output, ...result } = await carriedOut(wanted, means);
    if ((await counts?.(result)) !== false)
      notStored ??= await storeResult(paths.methods, paths.results, result, exists).then(
        () => null,
        reasonOf,
      );
    return { ...result, output, shared: false, notStored };
  } finally {
    await release?.();
  }
}

const isSame = (one: MethodResult | undefined, other: MethodResult): boolean =>
  one?.startedAt === other.startedAt && one.endedAt === other.endedAt;

/** The result of a run that was not begun. */
const interrupted = ({ container, method, by }: MethodRun, at: number): Omit<RanMethod, "notStored"> => ({
  ...{ container, method: method.name, by, ok: false, status: null, reason: "it was interrupted" },
  ...{ startedAt: at, endedAt: at, output: "", shared: false },
});

async function carriedOut(
  { container, method, by, signal, onLine }: MethodRun,
  { docker, now }: RunnerMeans,
): Promise<MethodResult & { readonly output: string }> {
  const kept = tail(TAIL);
  let octets = 0;
  const take = (line: string): void => {
    kept.add(line);
    onLine?.(line);
  };
  // each stream has lines of its own
  const streams = { stdout: lines(take), stderr: lines(take) };
  const endLines = (): void => {
    streams.stdout.end();
    streams.stderr.end();
  };
  const startedAt = now();
  const head = { container, method: method.name, startedAt, by };
  if ("http" in method.action) throw new Error(`${method.name} is read by HTTP`);
  try {
    const ran = await docker.execute({
      container,
      argv: method.action.argv,
      timeoutMs: method.timeout * 1000,
      ...(signal === undefined ? {} : { signal }),
      onOutput: ({ stream, octets: part }) => {
        const before = octets;
        octets += part.length;
        if (before <= MOST_OCTETS && octets > MOST_OCTETS) {
          endLines();
          take(`(more than ${MOST_OCTETS} octets: the rest is not shown)`);
        }
        if (octets <= MOST_OCTETS) streams[stream].push(part);
      },
    });
    endLines();
    const ok = ran.status === 0;
    const said = method.name === "monitor" ? kept.first() : kept.last();
    const reason = field(failureOf(ran, method) ?? (ok && method.name !== "monitor" ? null : said));
    return { ...head, ok, status: ran.status, reason, endedAt: now(), output: kept.text() };
  } catch (error) {
    return {
      ...head,
      ok: false,
      status: null,
      reason: field(reasonOf(error)),
      endedAt: now(),
      output: kept.text(),
    };
  }
}

/** Why it did not end by itself, or null. */
function failureOf({ status, ended, runsOn }: ExecResult, { timeout }: Method): string | null {
  const on = runsOn ? "; it could not be ended and goes on in the container" : "";
  if (ended === "timeout") return `it was ended after ${counted(timeout, "second")}${on}`;
  if (ended === "signal") return `it was interrupted${on}`;
  return status === null
    ? "Docker does not know its exit status: the container was stopped or removed, or Docker restarted"
    : null;
}

/** The result in words: `passed`, `failed with status 2: no such zone`. */
export function resultWords(result: Pick<MethodResult, "ok" | "status" | "reason">): string {
  if (result.ok) return "passed";
  const status = result.status === null ? "failed" : `failed with status ${result.status}`;
  return result.reason === null ? status : `${status}: ${clip(result.reason, 200)}`;
}
