/** Health of `ocdd serve`: ready only with a zone that is served; its metrics say what it serves. */
import { renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { isReady } from "../../src/serve/serve.ts";
import { until } from "../lab/process.ts";
import { freePorts } from "./peers.ts";
import { makePlace, serveAt } from "./place.ts";

t.setTimeout(1_200_000);

const ZONE = "toolbox.example.com";
const RECORDS = "@ 60 IN SOA ns1 hostmaster 7 3600 600 86400 60\n@ 60 IN NS ns1\nns1 60 IN A 127.0.0.1\n";

t.test("/readyz is 503 before a zone is loaded and 200 after, /livez is 200 all the time", async (t) => {
  const [port] = (await freePorts(1)) as [number];
  const keys = { WEB_ENABLED: "0", METRICS_LISTEN: `127.0.0.1:${port}` };
  const place = await makePlace(ZONE, "; no zone yet\n", keys);
  await serveAt(t, place);
  const ask = (path: string): Promise<Response> => fetch(`http://127.0.0.1:${port + 1}${path}`);
  const status = (path: string): Promise<number> =>
    ask(path).then(
      (response) => response.status,
      () => 0,
    );
  const lines = async (): Promise<string[]> => (await (await ask("/metrics")).text()).split("\n");
  await until("it listens", async () => (await status("/livez")) === 200);
  t.equal(await status("/readyz"), 503);
  const before = await lines();
  for (const line of [
    `ocdd_dns_zone_loaded{zone="${ZONE}"} 0`,
    "ocdd_dns_zone_file_served 0",
    "ocdd_dns_zone_load_failures_total 1",
  ])
    t.ok(before.includes(line), line);
  const file = join(place.dir, `dns/${ZONE}.zone`);
  writeFileSync(`${file}.new`, RECORDS);
  renameSync(`${file}.new`, file);
  await until("it is ready", async () => (await status("/readyz")) === 200);
  t.equal(await status("/livez"), 200);
  const after = await lines();
  for (const line of [
    `ocdd_dns_zone_loaded{zone="${ZONE}"} 1`,
    `ocdd_dns_zone_serial{zone="${ZONE}"} 7`,
    "ocdd_dns_zone_file_served 1",
  ])
    t.ok(after.includes(line), line);
  // the server asks itself for its SOA
  await until("an answer is timed", async () =>
    (await lines()).some((line) => /^ocdd_dns_answer_seconds_count [1-9]/.test(line)),
  );
});

t.test("ready: only with a zone, bound everywhere, and while it answers", async (t) => {
  const bound = { address: "127.0.0.1", protocol: "udp" as const, bound: true };
  const good = { loaded: true, answering: true, endpoints: [bound] };
  t.ok(isReady(good));
  t.notOk(isReady({ ...good, loaded: false }));
  t.notOk(isReady({ ...good, answering: false }));
  t.notOk(isReady({ ...good, endpoints: [bound, { ...bound, bound: false }] }));
});
