/** The server's metrics about names, zones and secondaries. */
import type { Family } from "../core/methods/exposition.ts";
import type { MakeMetric } from "./settable.ts";

/** A server's counters at the moment of a scrape. */
export interface ServerCounters {
  readonly types: Readonly<Record<string, number>>;
  readonly rcodes: Readonly<Record<string, number>>;
  readonly events: Readonly<Record<string, number>>;
  readonly statuses: Readonly<Record<string, number>>;
  readonly engine: string;
  /** Upper bounds in seconds; answers for each, and those above the last; seconds of all together. */
  readonly answers: {
    readonly bounds: readonly number[];
    readonly counts: readonly number[];
    readonly seconds: number;
  };
  /** `serial` is null while none is served. */
  readonly zones: readonly { readonly zone: string; readonly serial: number | null }[];
  /** `ok`: the zone file as it is now is served. */
  readonly loads: { readonly ok: boolean; readonly failures: number };
  readonly secondaries: readonly {
    readonly secondary: string;
    readonly zone: string;
    readonly behind: boolean;
  }[];
}

/** Makes the metrics; the result sets them. */
export function serverFigures(make: MakeMetric): (now: ServerCounters) => void {
  const types = make("ocdd_dns_queries_total", "Queries by type", ["type"]);
  const rcodes = make("ocdd_dns_responses_total", "Responses by RCODE", ["rcode"]);
  const events = make("ocdd_dns_events_total", "Other name server events", ["event"]);
  const statuses = make("ocdd_http_responses_total", "Responses of the web server by status", ["status"]);
  const engine = make("ocdd_dns_engine", "1 for the UDP engine in use", ["engine"]);
  const loaded = make("ocdd_dns_zone_loaded", "1 when a version of the zone is served", ["zone"]);
  const serial = make("ocdd_dns_zone_serial", "Serial of the zone that is served", ["zone"]);
  const current = make("ocdd_dns_zone_file_served", "1 when the zone file as it is now is served", []);
  const failures = make(
    "ocdd_dns_zone_load_failures_total",
    "Versions of the zone file that could not be served",
    [],
  );
  const behind = make(
    "ocdd_dns_secondary_behind",
    "1 when a secondary has not acknowledged NOTIFY of the zone's serial",
    ["secondary", "zone"],
  );
  const all = [types, rcodes, events, statuses, engine, loaded, serial, current, failures, behind];
  return (now) => {
    for (const metric of all) metric.reset();
    for (const [type, n] of Object.entries(now.types)) types.set({ type }, n);
    for (const [rcode, n] of Object.entries(now.rcodes)) rcodes.set({ rcode }, n);
    for (const [event, n] of Object.entries(now.events)) events.set({ event }, n);
    for (const [status, n] of Object.entries(now.statuses)) statuses.set({ status }, n);
    engine.set({ engine: now.engine }, 1);
    for (const each of now.zones) {
      loaded.set({ zone: each.zone }, each.serial === null ? 0 : 1);
      if (each.serial !== null) serial.set({ zone: each.zone }, each.serial);
    }
    current.set({}, now.loads.ok ? 1 : 0);
    failures.set({}, now.loads.failures);
    for (const { secondary, zone, behind: is } of now.secondaries)
      behind.set({ secondary, zone }, is ? 1 : 0);
  };
}

/** The histogram of the answers' times. */
export function answerTimes({ bounds, counts, seconds }: ServerCounters["answers"]): Family {
  const name = "ocdd_dns_answer_seconds";
  let sum = 0;
  const buckets = counts.map((count, i) => {
    sum += count;
    return `${name}_bucket{le="${bounds[i] ?? "+Inf"}"} ${sum}`;
  });
  return {
    name,
    type: "histogram",
    help: "Time from the reading of a query until its answer was sent",
    lines: [...buckets, `${name}_sum ${seconds}`, `${name}_count ${sum}`],
  };
}
