/** All metrics, judged by Prometheus' own checker: the director's with those of containers in them, and the server's. */
import t from "tap";
import { readExposition } from "../../src/core/methods/exposition.ts";
import { run } from "../lab/process.ts";
import { directorText, serverText } from "./figures.ts";

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
# HELP process_resident_memory_bytes Resident memory size in bytes.
# TYPE process_resident_memory_bytes gauge
process_resident_memory_bytes 7
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
  const whole = await directorText(
    new Map([
      ["web", familiesOf(WEB, "web")],
      ["db", familiesOf(DB, "db")],
    ]),
  );
  t.match(whole, /^http_requests_total\{.*exported_service="its own".*\} 1027/m);
  t.match(whole, /^process_resident_memory_bytes \d+\nprocess_resident_memory_bytes\{service="db"\} 7$/m);
  const { code, stdout, stderr } = await promtool(whole);
  t.same([code, stdout, stderr], [0, "", ""]);
});

t.test("promtool: the server's metrics", async (t) => {
  const { code, stdout, stderr } = await promtool(await serverText());
  t.same([code, stdout, stderr], [0, "", ""]);
});
