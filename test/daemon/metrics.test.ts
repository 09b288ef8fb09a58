/** The director's figures for Prometheus, and its health for a supervisor. */

import { once } from "node:events";
import { readFileSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import t from "tap";
import { type Ipv4, parseIpv4 } from "../../src/core/addresses/ipv4.ts";
import { readExposition } from "../../src/core/methods/exposition.ts";
import type { MethodFigures } from "../../src/core/methods/figures.ts";
import type { Decision } from "../../src/core/model.ts";
import type { Step } from "../../src/core/plan.ts";
import { SKIP_CODES } from "../../src/core/services/skipped.ts";
import { directorMetrics, type Sleepers, serveHealth, serverMetrics } from "../../src/daemon/metrics.ts";
import { forward } from "../core/make.ts";
import { until } from "../lab/process.ts";
import { freePorts } from "../serve/peers.ts";

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
    metrics.ran(0.02, decision, steps, true);
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
    t.equal(value('ocdd_changes_total{kind="hairpin",drift="true"}'), 1);
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
  const director = await directorMetrics(NO_SLEEPERS, noMethods).text();
  const server = await serverMetrics(() => ({
    types: { A: 1 },
    rcodes: { NOERROR: 1 },
    events: { dropped: 1 },
    statuses: { 200: 1 },
    engine: "batch",
  }))();
  const whole = director + server;
  for (const [, name = "", type] of whole.matchAll(/^# TYPE (\S+) (\S+)$/gm)) {
    t.equal(name.endsWith("_total"), type === "counter", `${name} is a ${type}`);
    t.match(whole, new RegExp(`^# HELP ${name} \\S`, "m"));
  }
});

t.test("the server's counters are those of the scrape, with the type counter", async (t) => {
  const now = { types: { A: 3 }, rcodes: {}, events: {}, statuses: {}, engine: "batch" };
  const text = serverMetrics(() => now);
  await text();
  now.types.A = 5;
  const second = await text();
  t.match(second, /^# TYPE ocdd_dns_queries_total counter$/m);
  t.match(second, /^ocdd_dns_queries_total\{type="A"\} 5$/m);
  t.match(second, /^ocdd_dns_engine\{engine="batch"\} 1$/m);
});

const LOOPBACK = parseIpv4("127.0.0.1") as Ipv4;

t.test("health and metrics are served on loopback", async (t) => {
  const [port] = (await freePorts(1)) as [number];
  const health = { live: true, ready: false, broken: false };
  const metrics = async (): Promise<string> => {
    if (health.broken) throw new Error("no figures");
    return "ocdd_services 2\n";
  };
  const said: string[] = [];
  const { close } = serveHealth(
    { address: LOOPBACK, port },
    { live: () => health.live, ready: () => health.ready, metrics },
    (_, message) => void said.push(message),
  );
  t.teardown(close);
  const ask = async (path: string): Promise<[number, string]> => {
    const answer = await fetch(`http://127.0.0.1:${port}${path}`);
    return [answer.status, await answer.text()];
  };
  await until("it listens", () =>
    ask("/livez").then(
      () => true,
      () => false,
    ),
  );
  t.same(await ask("/livez"), [200, "ok\n"]);
  t.same(await ask("/readyz"), [503, "not ok\n"], "before the first run");
  health.ready = true;
  t.same(await ask("/readyz?verbose"), [200, "ok\n"], "after it");
  health.live = false;
  t.same(await ask("/livez"), [503, "not ok\n"]);
  t.same(await ask("/metrics"), [200, "ocdd_services 2\n"]);
  health.broken = true;
  t.same(await ask("/metrics"), [503, "not ok\n"], "figures that fail end nothing");
  t.same(await ask("/"), [404, ""]);
  t.same(said, []);
});

t.test("a port in use: one line of log, and no error", async (t) => {
  const holder = createServer().listen(0, "127.0.0.1");
  t.teardown(() => holder.close());
  await once(holder, "listening");
  const { port } = holder.address() as AddressInfo;
  const said: string[] = [];
  const health = { live: () => true, ready: () => true, metrics: async () => "" };
  const { close } = serveHealth({ address: LOOPBACK, port }, health, (level, message) => {
    said.push(`${level}: ${message}`);
  });
  await until("it is said", () => said.length > 0);
  t.match(said, [new RegExp(`^error: .*127\\.0\\.0\\.1:${port} .*\\(EADDRINUSE\\)`)]);
  t.doesNotThrow(close);
});

t.test("docs/metrics.md: every metric is described", async (t) => {
  const source = ["metrics", "method-metrics"]
    .map((file) => readFileSync(new URL(`../../src/daemon/${file}.ts`, import.meta.url), "utf8"))
    .join("");
  const described = readFileSync(new URL("../../docs/metrics.md", import.meta.url), "utf8");
  const names = new Set(source.match(/ocdd_[a-z_]+/g));
  t.ok(names.size > 10);
  for (const name of names) t.match(described, `\`${name}`, name);
  for (const code of SKIP_CODES) t.match(described, `\`${code}\``, code);
});
