/** `ocdd doctor` and `status` beside servers that answer in the place of OCDD's own. */
import { rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { join } from "node:path";
import t, { type Test } from "tap";
import { nameServer } from "../../src/cli/doctor/answers.ts";
import { webServer } from "../../src/cli/doctor/page.ts";
import { serverAnswers } from "../../src/cli/status.ts";
import type { Ipv4 } from "../../src/core/addresses/ipv4.ts";
import { config } from "../core/make.ts";
import { freePorts } from "../serve/peers.ts";
import { makePlace, type Place, serveAt } from "../serve/place.ts";

const ZONE = "toolbox.example.com";
const HOST = "127.0.0.1" as Ipv4;
const zoneText = (serial: number): string =>
  `$ORIGIN ${ZONE}.\n$TTL 60\n@ IN SOA dockerhost root ${serial} 3600 600 1209600 60\n@ IN NS dockerhost\ndockerhost IN A ${HOST}\n`;
const listing = (version: string): string =>
  JSON.stringify({ schemaVersion: 1, version, staleAfter: 900, services: [] });

const settings = ({ dir, dns, web }: Place, over: Record<string, string> = {}) =>
  config({
    STORAGE_DIR: dir,
    DNS_LISTEN: HOST,
    DNS_PORT: String(dns),
    WEB_LISTEN: HOST,
    WEB_PORT: String(web),
    DNS_ZONE_FILE: "",
    WEB_INDEX_FILE: "",
    ...over,
  });

async function served(t: Test, serial: number): Promise<Place> {
  const place = await makePlace(ZONE, zoneText(serial));
  writeFileSync(join(place.dir, "www/services.json"), listing("00000000000001"));
  await serveAt(t, place);
  return place;
}

t.test("OCDD's own servers with what the files hold: OK", async (t) => {
  const conf = settings(await served(t, 5));
  t.match(await nameServer(conf, HOST), { ok: true, message: /serial 5$/ });
  t.match(await webServer(conf, HOST), { ok: true });
  t.same(await serverAnswers(conf, HOST), { dns: true, web: true });
});

t.test("another program's name server with another serial: FAIL, with both serials", async (t) => {
  const [theirs, ours] = [await served(t, 3), await makePlace(ZONE, zoneText(1_795_881_607))];
  t.teardown(() => rmSync(ours.dir, { recursive: true }));
  const conf = settings({ ...ours, dns: theirs.dns });
  t.match(await nameServer(conf, HOST), {
    ok: false,
    message: /answers with serial 3, but .* has serial 1795881607$/,
    remedy: /ss -lnup/,
  });
  t.match(await serverAnswers(conf, HOST), { dns: false, other: ["dns"] });
});

t.test("another program's web server, with or without a page of OCDD's: FAIL", async (t) => {
  const conf = settings(await served(t, 5));
  const [webPort = 0] = await freePorts(1);
  let body = "<h1>It works!</h1>";
  const server = createServer((_, response) => response.end(body));
  await new Promise<void>((done) => server.listen(webPort, HOST, done));
  t.teardown(() => server.close());
  const there = { ...conf, webPort };
  for (body of [body, listing("00000000000002"), "x".repeat(100_000)])
    t.match(await webServer(there, HOST), { ok: false, message: /not with the page that OCDD wrote/ });
  t.match(await serverAnswers(there, HOST), { dns: true, web: false, other: ["web"] });
  body = listing("00000000000001");
  t.match(await webServer(there, HOST), { ok: true }, "another server that serves the same directory");
});
