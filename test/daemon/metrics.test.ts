/** The figures of director and server for Prometheus. */

import { readFileSync } from "node:fs";
import t from "tap";
import { readExposition } from "../../src/core/methods/exposition.ts";
import type { MethodFigures } from "../../src/core/methods/figures.ts";
import type { Decision } from "../../src/core/model.ts";
import type { Step } from "../../src/core/plan.ts";
import { SKIP_CODES } from "../../src/core/services/skipped.ts";
import { directorMetrics, type Sleepers, serverMetrics } from "../../src/daemon/metrics.ts";
import { version } from "../../src/platform/version.ts";
import { forward } from "../core/make.ts";
import { COUNTERS, directorText, serverText } from "./figures.ts";

const NO_METHODS: MethodFigures = {
  last: [],
  monitor: new Map(),
  runs: [],
  series: new Map(),
  leftOut: new Map(),
  text: "",
};
const noMethods = async (): Promise<MethodFigures> => NO_METHODS;
const NO_SLEEPERS = (): Sleepers => ({ asleep: 0, held: 0 });

t.test(
  "containers not served: counted by reason, addresses by state; no label holds a container's text",
  async (t) => {
    const metrics = directorMetrics(NO_SLEEPERS, noMethods);
    const range = { size: 20, used: 3, held: 2, conflict: 1, reserved: 1, free: 13 };
    const skipped = [
      { container: 'evil"} 1', code: "range-full", reason: "the address range is full" },
      { container: "other", code: "range-full", reason: "the address range is full" },
      { container: "sealed", code: "no-network", reason: "the container has no network" },
    ];
    const decision = { services: [{}, {}], skipped, range } as unknown as Decision;
    const steps: Step[] = [
      { kind: "rule", change: "add", forward: forward(11, 2) },
      { kind: "rule", change: "remove", forward: forward(12, 3) },
      { kind: "hairpin", change: "add", port: 'evil"} 1' },
    ];
    metrics.ran(0.02, decision, steps, steps.slice(0, 2));
    const text = await metrics.text();
    const value = (series: string): number =>
      Number(
        text
          .split("\n")
          .find((l) => l.startsWith(`${series} `))
          ?.split(" ")
          .at(-1),
      );
    t.equal(value("ocdd_services"), 2);
    t.equal(value('ocdd_skipped{reason="range-full"}'), 2);
    t.equal(value('ocdd_skipped{reason="no-network"}'), 1);
    t.equal(value('ocdd_skipped{reason="label"}'), 0, "a reason that no container has");
    for (const [state, n] of [
      ["used", 3],
      ["held", 2],
      ["conflict", 1],
      ["reserved", 1],
      ["free", 13],
    ] as const)
      t.equal(value(`ocdd_addresses{state="${state}"}`), n, state);
    t.equal(value('ocdd_changes_total{kind="rule",drift="true"}'), 2);
    t.equal(value('ocdd_changes_total{kind="hairpin",drift="false"}'), 1);
    t.equal(value("ocdd_docker_up"), 1);
    metrics.failed(1, "docker");
    const after = await metrics.text();
    t.match(after, /^ocdd_docker_up 0$/m);
    t.match(after, /^ocdd_run_seconds_count\{result="docker"\} 1$/m);
    t.notMatch(after, /evil|sealed|web|c11/, "no container's name");
  },
);

t.test(
  "sleep and wake: wakes by result, the time that visitors waited, what sleeps and waits now",
  async (t) => {
    let now: Sleepers = { asleep: 3, held: 2 };
    const metrics = directorMetrics(() => now, noMethods);
    const before = await metrics.text();
    t.match(before, /^ocdd_wakes_total\{result="ready"\} 0$/m, "there before the first wake");
    t.match(before, /^ocdd_wakes_total\{result="failed"\} 0$/m);
    t.match(before, /^ocdd_asleep 3$/m);
    t.match(before, /^ocdd_held_packets 2$/m);
    metrics.woke(0.3);
    metrics.woke(45);
    metrics.woke(null);
    metrics.notWoken();
    metrics.stopped();
    now = { asleep: 1, held: 0 };
    const text = await metrics.text();
    t.match(text, /^ocdd_wakes_total\{result="ready"\} 3$/m);
    t.match(text, /^ocdd_wakes_total\{result="failed"\} 1$/m);
    t.match(text, /^ocdd_wake_seconds_count 2$/m, "without a visitor there is no time to count");
    t.match(text, /^ocdd_wake_seconds_bucket\{le="0.5"\} 1$/m);
    t.match(text, /^ocdd_wake_seconds_bucket\{le="60"\} 2$/m);
    t.match(text, /^ocdd_idle_stops_total 1$/m);
    t.match(text, /^ocdd_asleep 1$/m, "read at each scrape");
    t.match(text, /^ocdd_held_packets 0$/m);
  },
);

t.test(
  "methods: last runs, states and counts as of the scrape; the containers' metrics follow",
  async (t) => {
    const of = { service: "web", endedAt: 1_800_000_000.5, seconds: 0.25 };
    let now: MethodFigures = {
      last: [
        { ...of, method: "validate", ok: true },
        { ...of, method: "cron.backup", ok: false },
      ],
      monitor: new Map([["web", 2]]),
      runs: [{ method: "validate", result: "ok", n: 3 }],
      series: new Map([["web", 1]]),
      leftOut: new Map([["web", 4]]),
      text: '# HELP jobs x\n# TYPE jobs gauge\njobs{service="web"} 7\n',
    };
    const metrics = directorMetrics(NO_SLEEPERS, async () => now);
    const text = await metrics.text();
    for (const line of [
      'ocdd_method_success{service="web",method="validate"} 1',
      'ocdd_method_success{service="web",method="cron.backup"} 0',
      'ocdd_method_last_run_timestamp_seconds{service="web",method="validate"} 1800000000.5',
      'ocdd_method_duration_seconds{service="web",method="validate"} 0.25',
      'ocdd_monitor_state{service="web"} 2',
      "# TYPE ocdd_method_runs_total counter",
      'ocdd_method_runs_total{method="validate",result="ok"} 3',
      'ocdd_metrics_series{service="web"} 1',
      'ocdd_metrics_left_out{service="web"} 4',
      'jobs{service="web"} 7',
    ])
      t.ok(text.split("\n").includes(line), line);
    t.match(readExposition(text, "x"), { families: [] }, "the whole is in the format, each metric once");
    now = { ...NO_METHODS, runs: [{ method: "validate", result: "ok", n: 5 }] };
    const after = await metrics.text();
    t.match(after, /^ocdd_method_runs_total\{method="validate",result="ok"\} 5$/m);
    t.notMatch(after, "web", "services that are gone");
  },
);

t.test("no metric of the director or the server is one that Prometheus' own check reports", async (t) => {
  for (const whole of [await directorText(), await serverText()])
    for (const [, name = "", type] of whole.matchAll(/^# TYPE (\S+) (\S+)$/gm)) {
      t.equal(name.endsWith("_total"), type === "counter", `${name} is a ${type}`);
      t.match(whole, new RegExp(`^# HELP ${name} \\S`, "m"));
    }
});

t.test("both: version, and the process by the usual names, each once", async (t) => {
  for (const whole of [await directorText(), await serverText()]) {
    const values = new Map(
      [...whole.matchAll(/^(\w+) (\S+)$/gm)].map(([, name = "", value]) => [name, Number(value)]),
    );
    t.ok(whole.includes(`\nocdd_build_info{version="${version()}"} 1\n`));
    t.ok((values.get("process_cpu_seconds_total") ?? 0) > 0);
    t.ok((values.get("process_resident_memory_bytes") ?? 0) > 1e7);
    t.ok((values.get("process_open_fds") ?? 0) > 3);
    t.ok(Math.abs((values.get("process_start_time_seconds") ?? 0) * 1000 - performance.timeOrigin) < 1);
    t.ok((values.get("nodejs_eventloop_lag_seconds") ?? -1) >= 0);
  }
});

t.test("metrics that containers have as well: one group, the director's own first", async (t) => {
  const lines = ['process_open_fds{service="web"} 9'];
  const web = { name: "process_open_fds", help: "x", lines };
  const text = await directorText(new Map([["web", [{ ...web, type: "gauge" as const }]]]));
  t.match(
    text,
    /^# TYPE process_open_fds gauge\nprocess_open_fds \d+\nprocess_open_fds\{service="web"\} 9$/m,
  );
  t.equal(text.match(/^# TYPE process_open_fds/gm)?.length, 1);
  const other = await directorText(new Map([["web", [{ ...web, type: "counter" as const }]]]));
  t.notMatch(other, 'process_open_fds{service="web"}', "one of another type");
  t.match(other, /^ocdd_metrics_left_out\{service="web"\} 1$/m, "is left out, and counted");
});

t.test("services that have failed, are unhealthy or do not answer are counted", async (t) => {
  const text = await directorText();
  t.match(text, /^ocdd_services 3$/m);
  t.match(text, /^ocdd_services_failed 1$/m);
  t.match(text, /^ocdd_services_unhealthy 1$/m);
  t.match(text, /^ocdd_services_unanswered 1$/m);
});

t.test("the server: zones, file, secondaries, and times of answers as a histogram", async (t) => {
  const text = await serverText();
  for (const line of [
    'ocdd_dns_responses_total{rcode="NXDOMAIN"} 2',
    'ocdd_dns_zone_loaded{zone="toolbox.example.com"} 1',
    'ocdd_dns_zone_serial{zone="toolbox.example.com"} 7',
    'ocdd_dns_zone_loaded{zone="122.168.192.in-addr.arpa"} 0',
    "ocdd_dns_zone_file_served 0",
    "ocdd_dns_zone_load_failures_total 2",
    'ocdd_dns_secondary_behind{secondary="192.0.2.53@53",zone="toolbox.example.com"} 1',
    "# TYPE ocdd_dns_answer_seconds histogram",
    'ocdd_dns_answer_seconds_bucket{le="0.001"} 3',
    'ocdd_dns_answer_seconds_bucket{le="0.01"} 3',
    'ocdd_dns_answer_seconds_bucket{le="+Inf"} 4',
    "ocdd_dns_answer_seconds_sum 0.5",
    "ocdd_dns_answer_seconds_count 4",
  ])
    t.ok(text.split("\n").includes(line), line);
  t.notMatch(text, 'ocdd_dns_zone_serial{zone="122', "a zone that is not served has no serial");
});

t.test("the server's counters are those of the scrape, with the type counter", async (t) => {
  const now = { ...COUNTERS, types: { A: 3 } };
  const text = serverMetrics(() => now);
  await text();
  now.types.A = 5;
  const second = await text();
  t.match(second, /^# TYPE ocdd_dns_queries_total counter$/m);
  t.match(second, /^ocdd_dns_queries_total\{type="A"\} 5$/m);
  t.match(second, /^ocdd_dns_engine\{engine="fast"\} 1$/m);
});

t.test("docs/metrics.md: the metrics of both processes, and no other", async (t) => {
  const described = readFileSync(new URL("../../docs/metrics.md", import.meta.url), "utf8");
  const [, director = "", server = ""] = described.split(/^## (?:Director|Server)$/m);
  const rows = (section: string): string[] =>
    [...`${section}`.matchAll(/^\| `(\w+)(?:\{[\w,]+\})?` /gm)].map(([, name = ""]) => name).sort();
  const exported = (text: string): string[] =>
    [...text.matchAll(/^# TYPE (\S+) /gm)].map(([, name = ""]) => name).sort();
  const both = rows(described.split(/^## Both$/m)[1]?.split(/^## /m)[0] ?? "");
  t.ok(both.includes("ocdd_build_info"));
  t.same([...both, ...rows(director)].sort(), exported(await directorText()));
  t.same([...both, ...rows(server)].sort(), exported(await serverText()));
  for (const code of SKIP_CODES) t.match(director, `\`${code}\``, code);
});
