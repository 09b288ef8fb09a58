/** All metrics, judged by Prometheus' own checker: the director's with those of containers in them, and the server's. */
import t from "tap";
import { readExposition } from "../../src/core/methods/exposition.ts";
import { merged } from "../../src/core/methods/merge.ts";
import type { Decision } from "../../src/core/model.ts";
import { directorMetrics, serverMetrics } from "../../src/daemon/metrics.ts";
import { run } from "../lab/process.ts";

const promtool = async (input: string) => run(["promtool", "check", "metrics"], { input, check: false });

const WEB = `# HELP http_requests_total Requests.
# TYPE http_requests_total counter
http_requests_total{code="200",service="its own"} 1027 1395066363000
http_requests_total{code="400"} 3
# HELP request_seconds Time of requests.
# TYPE request_seconds histogram
request_seconds_bucket{le="0.1"} 24
request_seconds_bucket{le="+Inf"} 30
request_seconds_sum 5.3
request_seconds_count 30
`;
const DB = `# HELP http_requests_total Requests of another program.
# TYPE http_requests_total counter
http_requests_total 4
# HELP memory_bytes Memory, "resident".
# TYPE memory_bytes gauge
memory_bytes{path="C:\\\\x\\n"} 1e+06
`;

function familiesOf(text: string, service: string) {
  const read = readExposition(text, service);
  if (!("families" in read)) throw new Error(JSON.stringify(read));
  return read.families;
}

t.test("promtool: finds faults", async (t) => {
  t.not((await promtool("x_total{ 1\n")).code, 0);
});

t.test("promtool: the director's metrics, with methods and the metrics of containers", async (t) => {
  const { text } = merged(
    new Map([
      ["web", familiesOf(WEB, "web")],
      ["db", familiesOf(DB, "db")],
    ]),
  );
  const figures = {
    last: [{ service: "web", method: "validate", ok: true, endedAt: 1_764_400_000, seconds: 0.2 }],
    monitor: new Map([["web", 1]]),
    runs: [{ method: "validate", result: "ok", n: 3 }],
    series: new Map([["web", 4]]),
    leftOut: new Map([["db", 1]]),
    text,
  };
  const metrics = directorMetrics(
    () => ({ asleep: 1, held: 2 }),
    async () => figures,
  );
  const range = { size: 20, used: 3, held: 2, conflict: 1, reserved: 1, free: 13 };
  metrics.ran(0.02, { services: [{}], skipped: [], range } as unknown as Decision, [], true);
  metrics.failed(1, "docker");
  metrics.woke(0.4);
  const whole = await metrics.text();
  t.match(whole, /^http_requests_total\{.*exported_service="its own".*\} 1027/m);
  const { code, stdout, stderr } = await promtool(whole);
  t.same([code, stdout, stderr], [0, "", ""]);
});

t.test("promtool: the server's metrics", async (t) => {
  const whole = await serverMetrics(() => ({
    types: { A: 1, TYPE65: 2 },
    rcodes: { NOERROR: 1 },
    events: { dropped: 1 },
    statuses: { 200: 1 },
    engine: "batch",
  }))();
  const { code, stdout, stderr } = await promtool(whole);
  t.same([code, stdout, stderr], [0, "", ""]);
});
