/** Host names for which `ocdd serve` serves the page. */
import { readFileSync, rmSync } from "node:fs";
import { request } from "node:http";
import t from "tap";
import { readConfig } from "../../../src/core/config/config.ts";
import { serveAll } from "../../../src/serve/serve.ts";
import { NO_ACTIVATED_SOCKETS } from "../../../src/serve/socket-activation.ts";
import { until } from "../../lab/process.ts";
import { makePlace } from "../place.ts";

const ZONE = "toolbox.example.com";

t.setTimeout(120_000);

t.test("the zone, the host's name and www in it, and WEB_NAMES: the page; another name: 421", async (t) => {
  const { dir, web, conf } = await makePlace(ZONE, "", { WEB_NAMES: "tools.example.com" });
  const sources = { file: conf, text: readFileSync(conf, "utf8"), environment: new Map(), flags: [] };
  const over = new AbortController();
  const served = serveAll(readConfig(sources), () => {}, over.signal, { handed: NO_ACTIVATED_SOCKETS });
  t.teardown(async () => {
    over.abort();
    await served;
    rmSync(dir, { recursive: true });
  });
  const status = (Host: string): Promise<number> =>
    new Promise((resolve) => {
      request({ host: "127.0.0.1", port: web, headers: { Host }, agent: false }, (reply) => {
        reply.resume();
        resolve(reply.statusCode ?? 0);
      })
        .on("error", () => resolve(0))
        .end();
    });
  await until("it listens", async () => (await status(ZONE)) === 200, 60_000);
  for (const name of [`dockerhost.${ZONE}`, `www.${ZONE}`, "tools.example.com", "127.0.0.1"])
    t.equal(await status(name), 200, name);
  t.equal(await status(`jenkins.${ZONE}`), 421);
});
