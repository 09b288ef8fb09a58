/** The last result of each method of each container, as it is stored in STORAGE_DIR/methods.json. */
import { isMoment } from "../moment.ts";
import { field } from "../text.ts";
import { METHODS, type MethodName } from "./method.ts";

export interface MethodResult {
  /** Id of the container. */
  readonly container: string;
  readonly method: MethodName;
  readonly ok: boolean;
  /** Exit status; null where it did not end by itself, or could not be run. */
  readonly status: number | null;
  /** Why it has failed, or what it says of itself; one line of at most 256 octets, untrusted. */
  readonly reason: string | null;
  /** Milliseconds since the epoch. */
  readonly startedAt: number;
  readonly endedAt: number;
  /** What has run it: `ocdd validate`, `interval`. */
  readonly by: string;
}

/** Results by container id, then method. */
export type Results = ReadonlyMap<string, ReadonlyMap<MethodName, MethodResult>>;

const SCHEMA_VERSION = 1;

/** Nothing is known of a container that has none. */
export const resultOf = (results: Results, container: string, method: MethodName): MethodResult | undefined =>
  results.get(container)?.get(method);

/** The same with one more result; `exists` says which containers are kept. */
export function withResult(results: Results, next: MethodResult, exists: (id: string) => boolean): Results {
  const kept = [...results].filter(([id]) => id === next.container || exists(id));
  const changed = new Map([...(results.get(next.container) ?? []), [next.method, next] as const]);
  return new Map([...kept, [next.container, changed] as const]);
}

export function renderResults(results: Results): string {
  const list = [...results.values()].flatMap((methods) => [...methods.values()]);
  return `${JSON.stringify({ schemaVersion: SCHEMA_VERSION, results: list }, null, 1)}\n`;
}

/** Undefined for a file of a newer version, which must not be written over. What cannot be read counts as unknown. */
export function parseResults(text: string): Results | undefined {
  let document: { schemaVersion?: unknown; results?: unknown };
  try {
    document = (JSON.parse(text) ?? {}) as typeof document;
  } catch {
    return new Map();
  }
  const { schemaVersion, results } = document;
  if (typeof schemaVersion === "number" && schemaVersion > SCHEMA_VERSION) return undefined;
  if (schemaVersion !== SCHEMA_VERSION || !Array.isArray(results)) return new Map();
  const found = new Map<string, Map<MethodName, MethodResult>>();
  for (const item of results) {
    const result = resultFrom(item);
    if (result === undefined) continue;
    const methods = found.get(result.container) ?? new Map<MethodName, MethodResult>();
    found.set(result.container, methods.set(result.method, result));
  }
  return found;
}

const CONTAINER_ID = /^[0-9a-f]{64}$/;

function resultFrom(item: unknown): MethodResult | undefined {
  const { container, method, ok, status, reason, startedAt, endedAt, by } = (item ?? {}) as Record<
    string,
    unknown
  >;
  const name = METHODS.find((one) => one === method);
  if (
    typeof container !== "string" ||
    !CONTAINER_ID.test(container) ||
    name === undefined ||
    typeof ok !== "boolean"
  )
    return undefined;
  if (!isMomentMs(startedAt) || !isMomentMs(endedAt)) return undefined;
  return {
    container,
    method: name,
    ok,
    status: Number.isInteger(status) ? (status as number) : null,
    reason: typeof reason === "string" ? field(reason) : null,
    startedAt,
    endedAt,
    by: typeof by === "string" ? (field(by) ?? "?") : "?",
  };
}

const isMomentMs = (value: unknown): value is number => typeof value === "number" && isMoment(value / 1000);

/** The states of MONITOR by its exit status (Nagios Plugin API). */
export const MONITOR_STATES = ["OK", "WARNING", "CRITICAL", "UNKNOWN"] as const;
export type MonitorState = (typeof MONITOR_STATES)[number];

/** A status that is none of Nagios', or none at all, is UNKNOWN. */
export const monitorState = (status: number | null): MonitorState => MONITOR_STATES[status ?? 3] ?? "UNKNOWN";

/** A result that is shown; `reason` is one line of at most 256 octets, untrusted. */
export interface Check<Word extends string> {
  readonly result: Word;
  readonly reason: string | null;
  /** UTC, to the minute, so that a page with many of them does not change at each of them. */
  readonly at: string;
}

/** Absent where it has not been run for this container. */
export interface Checks {
  readonly validate?: Check<"passed" | "failed">;
  readonly monitor?: Check<MonitorState>;
}
