/** Health of `ocdd serve`: ready only with a zone that is served. */
import { renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { until } from "../lab/process.ts";
import { freePorts } from "./peers.ts";
import { makePlace, serveAt } from "./place.ts";

t.setTimeout(120_000);

const ZONE = "toolbox.example.com";
const RECORDS = "@ 60 IN SOA ns1 hostmaster 1 3600 600 86400 60\n@ 60 IN NS ns1\nns1 60 IN A 127.0.0.1\n";

t.test("/readyz is 503 before a zone is loaded and 200 after, /livez is 200 all the time", async (t) => {
  const [port] = (await freePorts(1)) as [number];
  const keys = { WEB_ENABLED: "0", METRICS_LISTEN: `127.0.0.1:${port}` };
  const place = await makePlace(ZONE, "; no zone yet\n", keys);
  serveAt(t, place);
  const status = (path: string): Promise<number> =>
    fetch(`http://127.0.0.1:${port + 1}${path}`).then(
      (response) => response.status,
      () => 0,
    );
  await until("it listens", async () => (await status("/livez")) === 200, 60_000);
  t.equal(await status("/readyz"), 503);
  const file = join(place.dir, `dns/${ZONE}.zone`);
  writeFileSync(`${file}.new`, RECORDS);
  renameSync(`${file}.new`, file);
  await until("it is ready", async () => (await status("/readyz")) === 200, 60_000);
  t.equal(await status("/livez"), 200);
});
