/** `ocdd doctor` and the names by which the index page is requested. */
import { createServer } from "node:http";
import t from "tap";
import { namesOfHost, pageNames, webServer } from "../../src/cli/doctor/page.ts";
import { freePorts } from "../serve/peers.ts";

t.test("a name that the page answers with 421: a note that names WEB_NAMES", async (t) => {
  const [webPort] = (await freePorts(1)) as [number];
  const server = createServer((request, response) => {
    const { host } = request.headers;
    response.writeHead(host === "it.example.com" || host === undefined ? 421 : 200).end();
  });
  await new Promise<void>((done) => server.listen(webPort, "127.0.0.1", done));
  t.teardown(() => server.close());
  const files = { storageDir: "/nowhere", indexFile: "/nowhere/index.html" };
  const config = {
    ...files,
    services: "none" as const,
    webListen: ["HOST_IP" as const],
    webPort,
    zone: "toolbox.example.com",
    webEnabled: true,
  };
  t.match(await webServer(config, "127.0.0.1"), { ok: true });
  const found = await pageNames(config, "127.0.0.1", ["docker1.example.com", "it.example.com"]);
  t.equal(found.length, 1);
  t.match(found, [{ ok: null, subject: "web server", message: /it\.example\.com.* 421 .*WEB_NAMES/ }]);
  t.same(await pageNames({ ...config, webEnabled: false }, "127.0.0.1", ["it.example.com"]), []);
});

t.test("names of the host: host names only, each once, at most four", async (t) => {
  const names = await namesOfHost("127.0.0.1");
  t.ok(names.length <= 4);
  t.equal(new Set(names).size, names.length);
  for (const name of names) t.match(name, /^[a-z0-9.-]+$/);
});
