/** One request to Docker's Engine API: its deadline, a second try, a refusal with Docker's own message. */
import type { Readable } from "node:stream";
import Dockerode from "dockerode";
import { unlessAborted } from "../../platform/abort.ts";
import { after } from "../../platform/timer.ts";
import { dockerError } from "./error.ts";

/** Milliseconds until an answer of Docker's must be complete. */
export const DOCKER_DEADLINE_MS = 10_000;

/** Together they are shorter than the time after which the supervisor takes a run for hung (`daemon/watchdog.ts`). */
const MOST_DEADLINES = 3;

export interface EngineOptions {
  /** Path of Docker's UNIX socket. */
  readonly socket: string;
  /** Prefix of the path, as `v1.41`; null lets each engine speak its own version. */
  readonly version: string | null;
  /** Milliseconds; DOCKER_DEADLINE_MS when not given. */
  readonly deadline?: number;
  /** The timer of the deadlines. */
  readonly timer?: typeof after;
}

export interface EngineRequest {
  /** GET when not given. */
  readonly method?: "GET" | "HEAD" | "POST" | "DELETE";
  readonly path: string;
  readonly query?: Readonly<Record<string, unknown>>;
  /** Sent as JSON. */
  readonly body?: Readonly<Record<string, unknown>>;
  /** The statuses of success; only 200 when not given. */
  readonly success?: readonly number[];
}

/** How long an answer is waited for. */
export interface Patience {
  /** Milliseconds for this request, in place of the engine's. */
  readonly deadline?: number;
  /** Asks once more when the deadline has passed. For requests that may be done twice. */
  readonly again?: boolean;
  /** Waits on, up to MOST_DEADLINES times the deadline, for an answer that still arrives. */
  readonly whileItArrives?: boolean;
  /** Ends the request with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
}

export interface Engine {
  /** The answer as `read` makes it of the body. Throws HostError "docker" or "privilege", or the signal's reason. */
  ask<T>(request: EngineRequest, read: (body: Readable) => Promise<T>, patience?: Patience): Promise<T>;
  /** The answer's body, without a deadline. Throws what `dockerError` makes a message of. */
  open(request: EngineRequest, signal: AbortSignal): Promise<Readable>;
}

/** The API's version stays unset where none is given, so that engines old and new are understood. */
export function connectEngine(options: EngineOptions): Engine {
  const { socket, version, deadline: usual = DOCKER_DEADLINE_MS, timer = after } = options;
  const client = new Dockerode({ socketPath: socket, ...(version === null ? {} : { version }) });
  const open: Engine["open"] = async (request, signal) => {
    const body = await dial(client, request, signal);
    const { statusCode = 0 } = body as { statusCode?: number };
    if ((request.success ?? [200]).includes(statusCode)) return body;
    throw Object.assign(new Error(await messageOf(body)), { statusCode });
  };
  return {
    open,
    async ask(request, read, { deadline = usual, again = false, whileItArrives = false, signal } = {}) {
      for (let triesLeft = again ? 1 : 0; ; triesLeft--) {
        // a hung socket never times out by itself
        const late = new AbortController();
        let received = (): number => 0;
        let before = 0;
        let waited = deadline;
        let lateMs = deadline;
        const check = (): void => {
          const now = received();
          const isOver = waited >= MOST_DEADLINES * deadline;
          if (isOver) lateMs = waited;
          if (now === before || isOver) late.abort(new Error("deadline"));
          else cancel = timer(deadline, check);
          before = now;
          waited += deadline;
        };
        let cancel = timer(deadline, check);
        const until = signal === undefined ? late.signal : AbortSignal.any([late.signal, signal]);
        const answer = open(request, until).then((body) => {
          if (whileItArrives) {
            received = octetsOf(body);
            before = received();
          }
          return read(body);
        });
        try {
          return await unlessAborted(answer, until);
        } catch (error) {
          if (signal?.aborted) throw signal.reason;
          if (late.signal.aborted && triesLeft > 0) continue;
          throw dockerError(options, error, late.signal.aborted ? lateMs : null, request);
        } finally {
          cancel();
        }
      }
    },
  };
}

/** Tells how many octets have arrived on an answer's connection. */
function octetsOf(body: Readable): () => number {
  const { socket } = body as { readonly socket?: { readonly bytesRead?: number } };
  return () => socket?.bytesRead ?? 0;
}

/** Every status counts as an answer: the library would hold an error's body in memory whatever its size. */
const ANY_STATUS = Object.fromEntries(Array.from({ length: 500 }, (_, n) => [n + 100, true as const]));

function dial(client: Dockerode, request: EngineRequest, abortSignal: AbortSignal): Promise<Readable> {
  const { method = "GET", path, query = {}, body } = request;
  return new Promise((resolve, reject) => {
    client.modem.dial(
      {
        // the library adds the query only where the path ends in a question mark; without a body it removes that
        path: body === undefined || Object.keys(query).length > 0 ? `${path}?` : path,
        method,
        // of a POST it would send the query as the body too
        options: body === undefined ? { ...query } : { _query: query, _body: body },
        abortSignal,
        isStream: true,
        statusCodes: ANY_STATUS,
      },
      (error: unknown, stream: unknown) => (error ? reject(error) : resolve(stream as Readable)),
    );
  });
}

/** Octets of an error's body that are read. */
const MAX_ERROR_OCTETS = 64 << 10;

/** Docker's own message in the body of an error, or the body's text. */
async function messageOf(body: Readable): Promise<string> {
  const parts: Buffer[] = [];
  let octets = 0;
  for await (const part of body as AsyncIterable<Buffer>) {
    parts.push(part);
    octets += part.length;
    if (octets > MAX_ERROR_OCTETS) break;
  }
  const text = Buffer.concat(parts).toString("utf8");
  try {
    const { message } = JSON.parse(text) as { message?: unknown };
    return typeof message === "string" ? message : text;
  } catch {
    return text;
  }
}
