/** Host names for which `ocdd serve` serves the page. */
import { request } from "node:http";
import t from "tap";
import { until } from "../../lab/process.ts";
import { makePlace, serveAt } from "../place.ts";

const ZONE = "toolbox.example.com";

t.setTimeout(1_200_000);

t.test("the zone, the host's name and www in it, and WEB_NAMES: the page; another name: 421", async (t) => {
  const place = await makePlace(ZONE, "", { WEB_NAMES: "tools.example.com" });
  await serveAt(t, place);
  const { web } = place;
  const status = (Host: string): Promise<number> =>
    new Promise((resolve) => {
      request({ host: "127.0.0.1", port: web, headers: { Host }, agent: false }, (reply) => {
        reply.resume();
        resolve(reply.statusCode ?? 0);
      })
        .on("error", () => resolve(0))
        .end();
    });
  await until("it listens", async () => (await status(ZONE)) === 200);
  for (const name of [`dockerhost.${ZONE}`, `www.${ZONE}`, "tools.example.com", "127.0.0.1"])
    t.equal(await status(name), 200, name);
  t.equal(await status(`jenkins.${ZONE}`), 421);
});
