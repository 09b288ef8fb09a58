/** The metrics of `watch`, as it opens and counts them. */
import type { Config } from "../core/config/config.ts";
import type { serveHealth } from "../daemon/health.ts";
import type { Say } from "../daemon/log.ts";
import type { DirectorMetrics, Sleepers } from "../daemon/metrics.ts";
import type { Schedule } from "../lifecycle/methods/schedule.ts";
import type { WakerEvent } from "../lifecycle/waker-types.ts";

export type ServedMetrics = DirectorMetrics & ReturnType<typeof serveHealth>;

/** Only with METRICS_LISTEN: otherwise the library is not loaded. */
export async function openMetrics(
  config: Config,
  ready: () => boolean,
  sources: { readonly sleepers: () => Sleepers; readonly methods: Schedule },
  say: Say,
): Promise<ServedMetrics | null> {
  const { metricsListen, metricsAllow } = config;
  if (metricsListen === null) return null;
  const { directorMetrics } = await import("../daemon/metrics.ts");
  const { serveHealth } = await import("../daemon/health.ts");
  const metrics = directorMetrics(sources.sleepers, sources.methods.figures);
  const health = { live: () => true, ready, metrics: metrics.text };
  return { ...metrics, ...serveHealth(metricsListen, metricsAllow, health, say) };
}

/** A visit, a start or a stop of a service that sleeps. */
export function countEvent(metrics: DirectorMetrics, event: WakerEvent): void {
  if (event.kind === "ready" && event.woken) metrics.woke(event.waited === null ? null : event.waited / 1000);
  else if (event.kind === "failed" && event.woken) metrics.notWoken();
  else if (event.kind === "stopped") metrics.stopped();
}
