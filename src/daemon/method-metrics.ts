/** The director's metrics about methods of containers. The label `service` is a name of OCDD's zone. */
import type { MethodFigures } from "../core/methods/figures.ts";
import type { MakeMetric } from "./settable.ts";

/** Makes the metrics; the result sets them. */
export function methodMetrics(make: MakeMetric): (figures: MethodFigures) => void {
  const of = ["service", "method"];
  const success = make("ocdd_method_success", "1 when the last run of a method of a service succeeded", of);
  const last = make(
    "ocdd_method_last_run_timestamp_seconds",
    "Time at which the last run of a method ended",
    of,
  );
  const duration = make("ocdd_method_duration_seconds", "Duration of the last run of a method", of);
  const monitor = make(
    "ocdd_monitor_state",
    "Last result of MONITOR: 0 OK, 1 WARNING, 2 CRITICAL, 3 UNKNOWN",
    ["service"],
  );
  const runs = make("ocdd_method_runs_total", "Runs of methods at their intervals, and of cron", [
    "method",
    "result",
  ]);
  const series = make("ocdd_metrics_series", "Series that METRICS of a service gave", ["service"]);
  const leftOut = make("ocdd_metrics_left_out", "Metrics of a service that are left out", ["service"]);
  return (figures) => {
    for (const metric of [success, last, duration, monitor, runs, series, leftOut]) metric.reset();
    for (const { service, method, ok, endedAt, seconds } of figures.last) {
      success.set({ service, method }, ok ? 1 : 0);
      last.set({ service, method }, endedAt);
      duration.set({ service, method }, seconds);
    }
    for (const [service, state] of figures.monitor) monitor.set({ service }, state);
    for (const { method, result, n } of figures.runs) runs.set({ method, result }, n);
    for (const [service, n] of figures.series) series.set({ service }, n);
    for (const [service, n] of figures.leftOut) leftOut.set({ service }, n);
  };
}
