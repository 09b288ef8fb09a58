/** What the director's metrics say of methods. */
import type { MethodName } from "./method.ts";
import { type MethodResult, MONITOR_STATES, monitorState, type Results } from "./results.ts";

/** The last run of one method of one service. */
export interface MethodFigure {
  readonly service: string;
  /** `validate`, `cron.backup`. */
  readonly method: string;
  readonly ok: boolean;
  /** Seconds since the epoch. */
  readonly endedAt: number;
  /** Its duration. */
  readonly seconds: number;
}

export interface MethodFigures {
  readonly last: readonly MethodFigure[];
  /** Service → 0 (OK) to 3 (UNKNOWN). */
  readonly monitor: ReadonlyMap<string, number>;
  /** Runs by this process, by kind and result. */
  readonly runs: readonly { readonly method: string; readonly result: string; readonly n: number }[];
  /** Service → series that its METRICS gave. */
  readonly series: ReadonlyMap<string, number>;
  /** Service → metrics of it that are left out. */
  readonly leftOut: ReadonlyMap<string, number>;
  /** The metrics of the containers themselves, as Prometheus text. */
  readonly text: string;
}

/** Methods whose last result is stored, run by `watch` or by a command. */
const STORED: readonly MethodName[] = ["update", "validate", "monitor"];

/** Of services by the id of their container. */
export function storedFigures(
  services: ReadonlyMap<string, string>,
  results: Results,
): Pick<MethodFigures, "last" | "monitor"> {
  const last: MethodFigure[] = [];
  const monitor = new Map<string, number>();
  for (const [container, service] of services) {
    const known = results.get(container);
    for (const method of known === undefined ? [] : STORED) {
      const result = known?.get(method);
      if (result === undefined) continue;
      last.push(figureOf(service, method, result));
      if (method === "monitor") monitor.set(service, MONITOR_STATES.indexOf(monitorState(result.status)));
    }
  }
  return { last, monitor };
}

export const figureOf = (
  service: string,
  method: string,
  { ok, startedAt, endedAt }: Pick<MethodResult, "ok" | "startedAt" | "endedAt">,
): MethodFigure => ({
  service,
  method,
  ok,
  endedAt: endedAt / 1000,
  // the clock may have been set meanwhile
  seconds: Math.max(0, endedAt - startedAt) / 1000,
});
