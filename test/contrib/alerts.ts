/** Series of a host that works, and for each alert those that it is for. One value a minute. */

/** As promtool reads it: `0+1x40` begins at 0 and rises by 1 forty times. */
interface Series {
  readonly series: string;
  readonly values: string;
}

interface AlertCase {
  readonly alert: string;
  readonly series: readonly Series[];
  /** Of the alert, without its severity. */
  readonly labels: Readonly<Record<string, string>>;
  /** As the summary has it. */
  readonly value?: string;
}

const WATCH = { instance: "192.0.2.1:9553", job: "ocdd-watch" };
const SERVE = { instance: "192.0.2.1:9554", job: "ocdd-serve" };

type Labels = Readonly<Record<string, string>>;

const of = (name: string, labels: Labels, values: string): Series => ({
  series: `${name}{${Object.entries(labels)
    .map(([label, value]) => `${label}="${value}"`)
    .join(",")}}`,
  values,
});
/** The same value at all times. */
const still = (name: string, labels: Labels, value: number): Series => of(name, labels, `${value}x40`);

const addresses = (used: number, held: number, conflict: number): Series[] =>
  Object.entries({ used, held, rest: held, conflict, reserved: 2, free: 98 - used - held - conflict }).map(
    ([state, n]) => still("ocdd_addresses", { ...WATCH, state }, n),
  );
const skipped = (reason: string, n: number): Series => still("ocdd_skipped", { ...WATCH, reason }, n);
const runs = (result: string, values: string): Series =>
  of("ocdd_run_seconds_count", { ...WATCH, result }, values);

const METHOD = { ...WATCH, service: "web", method: "validate" };
const ZONE = { ...SERVE, zone: "toolbox.example.com" };
const SECONDARY = { ...ZONE, secondary: "192.0.2.53@53" };

export const HEALTHY: readonly Series[] = [
  still("up", WATCH, 1),
  still("up", SERVE, 1),
  still("ocdd_docker_up", WATCH, 1),
  runs("ok", "0+1x40"),
  // one that failed in the meantime, and one that waited for the lock
  runs("docker", "0x20 1x20"),
  runs("busy", "0+1x40"),
  ...addresses(40, 10, 0),
  // by intention
  skipped("no-network", 3),
  skipped("label", 0),
  skipped("range-full", 0),
  still("ocdd_services_failed", WATCH, 0),
  still("ocdd_services_unhealthy", WATCH, 0),
  still("ocdd_method_success", METHOD, 1),
  // what it says has an alert of its own, and WARNING has none
  still("ocdd_method_success", { ...METHOD, method: "monitor" }, 0),
  still("ocdd_monitor_state", { ...WATCH, service: "web" }, 1),
  still("ocdd_dns_zone_loaded", ZONE, 1),
  still("ocdd_dns_zone_file_served", SERVE, 1),
  // notified ten minutes ago
  of("ocdd_dns_secondary_behind", SECONDARY, "0x30 1x10"),
  of("ocdd_dns_events_total", { ...SERVE, event: "unanswered" }, "0x35 1x5"),
  of("ocdd_dns_responses_total", { ...SERVE, rcode: "SERVFAIL" }, "0x35 3x5"),
  of("ocdd_dns_responses_total", { ...SERVE, rcode: "NXDOMAIN" }, "0+600x40"),
];

export const ALERTS: readonly AlertCase[] = [
  { alert: "OCDDWatchDown", series: [still("up", WATCH, 0)], labels: WATCH },
  { alert: "OCDDServeDown", series: [still("up", SERVE, 0)], labels: SERVE },
  { alert: "OCDDDockerDown", series: [still("ocdd_docker_up", WATCH, 0)], labels: WATCH },
  { alert: "OCDDRunFailing", series: [runs("ok", "7x40"), runs("docker", "0+1x40")], labels: WATCH },
  { alert: "OCDDRangeNearlyFull", series: addresses(90, 5, 0), labels: WATCH, value: "8%" },
  {
    alert: "OCDDNotServed",
    series: [skipped("range-full", 2)],
    labels: { ...WATCH, reason: "range-full" },
    value: "2",
  },
  {
    alert: "OCDDAddressConflict",
    series: addresses(40, 10, 1),
    labels: { ...WATCH, state: "conflict" },
    value: "1",
  },
  {
    alert: "OCDDServiceFailed",
    series: [still("ocdd_services_failed", WATCH, 2)],
    labels: WATCH,
    value: "2",
  },
  {
    alert: "OCDDServiceUnhealthy",
    series: [still("ocdd_services_unhealthy", WATCH, 1)],
    labels: WATCH,
    value: "1",
  },
  {
    alert: "OCDDServiceNoAnswer",
    series: [still("ocdd_services_unanswered", WATCH, 1)],
    labels: WATCH,
    value: "1",
  },
  { alert: "OCDDMethodFailed", series: [still("ocdd_method_success", METHOD, 0)], labels: METHOD },
  {
    alert: "OCDDMonitorCritical",
    series: [still("ocdd_monitor_state", { ...WATCH, service: "web" }, 2)],
    labels: { ...WATCH, service: "web" },
    value: "CRITICAL",
  },
  { alert: "OCDDZoneNotLoaded", series: [still("ocdd_dns_zone_loaded", ZONE, 0)], labels: ZONE },
  {
    alert: "OCDDZoneFileNotServed",
    series: [still("ocdd_dns_zone_file_served", SERVE, 0)],
    labels: SERVE,
  },
  {
    alert: "OCDDSecondaryBehind",
    series: [still("ocdd_dns_secondary_behind", SECONDARY, 1)],
    labels: SECONDARY,
  },
  {
    alert: "OCDDNotAnswering",
    series: [of("ocdd_dns_events_total", { ...SERVE, event: "unanswered" }, "0+60x40")],
    labels: { ...SERVE, event: "unanswered" },
  },
  {
    alert: "OCDDServerFailures",
    series: [of("ocdd_dns_responses_total", { ...SERVE, rcode: "SERVFAIL" }, "0+60x40")],
    labels: { ...SERVE, rcode: "SERVFAIL" },
  },
];
