/** The web server over real sockets: what it sends, what it refuses, and how soon open pages receive an event for each change. */
import { mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { Agent, type IncomingHttpHeaders, type IncomingMessage, request } from "node:http";
import { connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { gunzipSync } from "node:zlib";
import fc from "fast-check";
import t, { type Test } from "tap";
import { type HttpOptions, serveHttp, type WebServer } from "../../../src/serve/http/server.ts";

const ZONE = "toolbox.example.com";
/** Below the ports that the kernel gives to connections. */
let nextPort = 12_000 + (process.pid % 10_000);

interface Reply {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

interface Site {
  readonly port: number;
  readonly directory: string;
  readonly server: WebServer;
  readonly log: string[];
  ask(path: string, headers?: Record<string, string>, method?: string): Promise<Reply>;
  /** Sends octets as they are; gives all that comes back until the end. */
  raw(octets: string): Promise<string>;
  write(name: string, text: string): void;
}

const page = (version: string, inside = ""): string =>
  `<!doctype html>\n<html lang="en" data-version="${version}"><head><style>p{color:red}</style><script type="module">1</script><title>T</title></head><body><p id="fresh"></p>${inside}</body></html>\n`;
const listing = (version: string, ...services: object[]): string =>
  JSON.stringify({ schemaVersion: 1, version, staleAfter: 900, services });

async function site(
  t: Test,
  files: Record<string, string>,
  limits: Partial<Pick<HttpOptions, "connections" | "streams" | "allowTransfer">> = {},
): Promise<Site> {
  const directory = mkdtempSync(join(tmpdir(), "ocdd-http-"));
  const port = nextPort++;
  const write = (name: string, text: string): void => {
    writeFileSync(join(directory, `${name}.new`), text);
    renameSync(join(directory, `${name}.new`), join(directory, name));
  };
  for (const [name, text] of Object.entries(files)) write(name, text);
  const log: string[] = [];
  const server = await serveHttp({
    zone: ZONE,
    hostNames: [`dockerhost.${ZONE}`],
    listen: ["127.0.0.1"],
    port,
    indexFile: join(directory, "index.html"),
    servicesFile: join(directory, "services.json"),
    lastRunFile: join(directory, "last-run"),
    zoneFile: join(directory, "zone"),
    selfFile: join(directory, "self.json"),
    allowTransfer: ["127.0.0.0/8"],
    log: (level, message) => log.push(`${level}: ${message}`),
    ...limits,
  });
  const agent = new Agent({ keepAlive: false });
  t.teardown(async () => {
    await server.close();
    rmSync(directory, { recursive: true });
  });
  return {
    port,
    directory,
    server,
    log,
    write,
    ask: (path, headers = {}, method = "GET") =>
      new Promise((resolve, reject) => {
        const options = { host: "127.0.0.1", port, path, method, agent, headers: { Host: ZONE, ...headers } };
        const asked = request(options, (response) => {
          const chunks: Buffer[] = [];
          response.on("data", (chunk: Buffer) => chunks.push(chunk));
          response.on("end", () =>
            resolve({
              status: response.statusCode ?? 0,
              headers: response.headers,
              body: Buffer.concat(chunks),
            }),
          );
        });
        asked.on("error", reject);
        asked.end();
      }),
    raw: (octets) =>
      new Promise((resolve) => {
        const socket = connect(port, "127.0.0.1", () => socket.write(octets));
        let text = "";
        socket.on("data", (chunk) => {
          text += chunk.toString("latin1");
        });
        socket.on("close", () => resolve(text));
        socket.on("error", () => undefined);
        socket.setTimeout(8_000, () => socket.destroy());
      }),
  };
}

t.test("page, services.json, zone.txt and last-run: served with their headers", async (t) => {
  const html = page("v1", "ä".repeat(2_000));
  const { ask } = await site(t, { "index.html": html, "services.json": listing("v1"), zone: "$ORIGIN x.\n" });
  const { status, headers, body } = await ask("/");
  t.equal(status, 200);
  t.equal(body.toString(), html, "octet for octet");
  t.match(headers, {
    "content-type": "text/html; charset=utf-8",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cache-control": "no-cache",
    "content-length": String(Buffer.byteLength(html)),
  });
  const policy = String(headers["content-security-policy"]);
  t.match(policy, "default-src 'none'");
  t.match(policy, "frame-ancestors 'none'");
  t.match(policy, "script-src 'sha256-a4ayc/80/OGda4BO/1o/V0etpOqiLx1JwB5S3beHW0s='");
  t.notMatch(policy, "unsafe");
  t.equal((await ask("/index.html?q=x")).body.toString(), html);
  t.match(await ask("/services.json"), { status: 200, headers: { "content-type": "application/json" } });
  const zone = await ask("/zone.txt");
  t.equal(zone.body.toString(), "$ORIGIN x.\n");
  t.equal(zone.headers["content-security-policy"]?.includes("default-src 'none'"), true);
  for (const method of ["GET", "HEAD"]) {
    const none = await ask("/favicon.ico", {}, method);
    t.equal(none.status, 204);
    t.equal(none.body.length, 0);
    for (const header of ["content-length", "transfer-encoding", "content-type"])
      t.equal(none.headers[header], undefined, header);
  }

  const zipped = await ask("/", { "Accept-Encoding": "br, gzip;q=0.5" });
  t.equal(zipped.headers["content-encoding"], "gzip");
  t.equal(gunzipSync(zipped.body).toString(), html);
  t.not(zipped.headers.etag, headers.etag, "two representations");
  t.equal((await ask("/", { "Accept-Encoding": "gzip;q=0" })).headers["content-encoding"], undefined);

  const head = await ask("/", {}, "HEAD");
  t.match(head, { status: 200, headers: { "content-length": headers["content-length"] } });
  t.equal(head.body.length, 0);
  for (const tag of [String(headers.etag), `"x", W/${headers.etag}`, "*", String(zipped.headers.etag)]) {
    const again = await ask("/", { "If-None-Match": tag });
    t.equal(again.status, 304, tag);
    t.equal(again.body.length, 0);
  }
  t.equal((await ask("/", { "If-None-Match": '"other"' })).status, 200);
});

t.test("zone.txt for a client that may not transfer the zone: 403 that names the key", async (t) => {
  const files = { "index.html": page("v1"), "services.json": listing("v1"), zone: "secret A 192.0.2.1\n" };
  for (const allowTransfer of [[], ["192.0.2.0/24"], ["key:mine"]]) {
    const { ask } = await site(t, files, { allowTransfer });
    for (const path of ["/zone.txt", "/zone.txt?x"]) {
      const { status, body } = await ask(path);
      t.equal(status, 403, path);
      t.match(body.toString(), /^zone\.txt .* DNS_ALLOW_TRANSFER .*\n$/);
      t.notMatch(body.toString(), "secret");
    }
    t.match(await ask("/zone.txt", { "If-None-Match": "*" }), { status: 403 });
    for (const path of ["/", "/services.json"]) t.equal((await ask(path)).status, 200, path);
  }
  const { ask } = await site(t, files, { allowTransfer: ["127.0.0.1"] });
  t.match((await ask("/zone.txt")).body.toString(), "secret");
});

t.test("methods, paths, hosts and bodies that are not served: each has its status", async (t) => {
  const { ask, raw, server } = await site(t, { "index.html": page("v1") });
  const by = [ZONE, `${ZONE}.`, `${ZONE}:8080`, ZONE.toUpperCase(), `dockerhost.${ZONE}`, "127.0.0.1"];
  by.push("localhost", "LOCALHOST.:8080", "127.0.0.2");
  for (const Host of by) t.equal((await ask("/", { Host })).status, 200, Host);
  const others = [
    "evil.example",
    `x.${ZONE}`,
    "x.localhost",
    `${ZONE}.evil.example`,
    "192.0.2.7",
    `a@${ZONE}`,
  ];
  for (const Host of others) t.equal((await ask("/", { Host })).status, 421, Host);
  for (const method of ["POST", "PUT", "DELETE", "OPTIONS", "TRACE", "PATCH"]) {
    const { status, headers } = await ask("/", {}, method);
    t.equal(status, 405, method);
    t.equal(headers.allow, "GET, HEAD");
  }
  for (const path of ["/nothing", "//", "/../index.html", "/%2e%2e/leases.json", "/zone", "/index.html/"])
    t.equal((await ask(path)).status, 404, path);
  t.equal((await ask("/zone.txt")).status, 503, "a file that is not there yet");
  const host = `Host: ${ZONE}\r\n`;
  const misdirected = [
    "http://evil.example/",
    `http://evil.example:80?http://${ZONE}/`,
    `http://a@${ZONE}/`,
    "http:///",
  ];
  for (const target of misdirected)
    t.match(await raw(`GET ${target} HTTP/1.1\r\n${host}\r\n`), /^HTTP\/1.1 421 /, target);
  for (const target of [`https://${ZONE}/`, "ftp://evil.example/", "*", `${ZONE}:80`])
    t.match(await raw(`GET ${target} HTTP/1.1\r\n${host}\r\n`), /^HTTP\/1.1 400 /, `no proxy: ${target}`);
  t.match(await raw(`GET / HTTP/1.1\r\n\r\n`), /^HTTP\/1.1 400 /, "no Host");
  t.match(await raw(`GET / HTTP/1.1\r\nHost:\r\n\r\n`), /^HTTP\/1.1 421 /, "an empty one");
  t.match(await raw(`GET / HTTP/1.1\r\n${host}${host}\r\n`), /^HTTP\/1.1 400 /, "two");
  t.match(await raw(`GET / HTTP/1.1\r\n${host}Content-Length: 3\r\n\r\nabc`), /^HTTP\/1.1 413 /);
  t.match(
    await raw(`GET / HTTP/1.1\r\n${host}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n`),
    /^HTTP\/1.1 413 /,
  );
  t.match(await raw(`GET / HTTP/1.1\r\n${host}X: ${"y".repeat(9_000)}\r\n\r\n`), /^HTTP\/1.1 431 /);
  t.match(await raw("\x16\x03\x01\x02\x00\x01\x00"), /^HTTP\/1.1 400 /, "TLS to a port without");
  t.match(await raw(`GET / HTTP/1.1\r\n${host}`), /^HTTP\/1.1 408 /, "headers that never end");
  t.match(server.counters.statuses, { 200: by.length, 421: others.length + misdirected.length + 1, 405: 6 });
});

t.test("a target in absolute-form: its host counts, whatever Host says", async (t) => {
  const { raw } = await site(t, {
    "index.html": page("v1"),
    "services.json": JSON.stringify({
      zone: ZONE,
      services: [{ name: "web", fqdn: `web.${ZONE}`, url: `http://web.${ZONE}/` }],
    }),
  });
  const ask = (target: string, host: string): Promise<string> =>
    raw(`GET ${target} HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`);
  for (const target of [
    `http://${ZONE}/`,
    `http://${ZONE}`,
    `HTTP://${ZONE.toUpperCase()}.:80/?x`,
    "http://127.0.0.1/index.html",
  ])
    for (const host of [ZONE, "proxy.example"]) {
      const reply = await ask(target, host);
      t.match(reply, /^HTTP\/1.1 200 /, `${target} ${host}`);
      t.match(reply, "<title>T</title>");
    }
  t.match(await ask(`http://${ZONE}/services.json?x`, ZONE), /^HTTP\/1.1 200 .*application\/json/s);
  t.match(await ask(`http://${ZONE}/go/web/a?b`, ZONE), `Location: http://web.${ZONE}/a?b\r\n`);
  t.match(await ask(`http://${ZONE}/zone`, ZONE), /^HTTP\/1.1 404 /);
  t.match(
    await raw(`GET http://${ZONE}/ HTTP/1.1\r\n\r\n`),
    /^HTTP\/1.1 400 /,
    "without Host, which it must have",
  );
});

t.test("Accept-Encoding: gzip by its own weight, and by that of * where it is not named", async (t) => {
  const { ask } = await site(t, { "index.html": page("v1", "x".repeat(2_000)) });
  for (const [header, zipped] of [
    ["gzip", true],
    ["GZIP;Q=0.001", true],
    ["x-gzip", true],
    ["br, gzip ; q=1.000", true],
    ["*", true],
    ["br;q=0, *;q=0.5", true],
    ["*;q=0, gzip", true],
    ["gzip;q=0, *", false],
    ["*, gzip;q=0.000", false],
    ["gzip;Q=0", false],
    ["gzip ; q=0.", false],
    ["*;q=0", false],
    ["br, identity", false],
    ["gzipped, agzip", false],
    ["", false],
  ] as const)
    t.equal(
      (await ask("/", { "Accept-Encoding": header })).headers["content-encoding"],
      zipped ? "gzip" : undefined,
      header,
    );
});

t.test("a last run in the far future: the clock was set back, and the list may be out of date", async (t) => {
  const files = { "index.html": page("v1"), "services.json": listing("v1"), "last-run": "99999999999\n" };
  const { ask } = await site(t, files);
  t.match((await ask("/")).body.toString(), /class="stale">Last updated <time /);
});

t.test("open pages receive an event for each change", async (t) => {
  const web = { name: "web", state: "running" };
  const { ask, port, write, server } = await site(t, {
    "index.html": page("v1"),
    "services.json": listing("v1", web, { name: "old" }),
    "last-run": "1700000000\n",
  });
  const heard: { at: number; text: string }[] = [];
  const stream = request(
    { host: "127.0.0.1", port, path: "/events", headers: { Host: ZONE } },
    (response) => {
      t.match(response.headers, { "content-type": /event-stream/, "cache-control": "no-store" });
      response.on("data", (chunk: Buffer) => heard.push({ at: performance.now(), text: chunk.toString() }));
      response.on("error", () => undefined);
    },
  );
  stream.on("error", () => undefined);
  stream.end();
  const text = (): string => heard.map((one) => one.text).join("");
  for (let i = 0; i < 100 && !text().includes("hello"); i++) await sleep(10);
  t.match(text(), 'event: hello\ndata: {"version":"v1","lastRun":1700000000,"staleAfter":900}\n\n');
  t.match((await ask("/")).body.toString(), /class="stale">Last updated <time [^>]*>2023-11-14 22:13 UTC/);
  t.equal(server.counters.streams, 1);
  const start = performance.now();
  write("services.json", listing("v2", { ...web, state: "unhealthy" }, { name: "new" }));
  write("index.html", page("v2", "new"));
  for (let i = 0; i < 2000 && !text().includes("change"); i++) await sleep(5);
  const change = heard.find((one) => one.text.includes("event: change"));
  t.comment(`${Math.round((change?.at ?? Infinity) - start)} ms`);
  t.match(change?.text, '"added":["new"],"removed":["old"],"changed":["web"]');
  t.match((await ask("/")).body.toString(), "new");
  write("last-run", String(Math.floor(Date.now() / 1000)));
  for (let i = 0; i < 100 && !text().includes("event: run"); i++) await sleep(5);
  t.match(text(), "event: run");
  t.match((await ask("/")).body.toString(), /<p id="fresh">Updated <time /);
  write("index.html", page("v3"));
  for (let i = 0; i < 100 && !text().includes("id: v3"); i++) await sleep(5);
  t.match(text(), "id: v3", "a page without its services file is news too");
  stream.destroy();
  for (let i = 0; i < 100 && server.counters.streams > 0; i++) await sleep(10);
  t.equal(server.counters.streams, 0);
});

t.test("a port in use is logged with its owner and retried", async (t) => {
  const first = await site(t, { "index.html": page("v1") });
  const log: string[] = [];
  const second = await serveHttp({
    zone: ZONE,
    hostNames: [],
    listen: ["127.0.0.1", "127.0.0.2"],
    port: first.port,
    indexFile: join(first.directory, "index.html"),
    servicesFile: join(first.directory, "services.json"),
    lastRunFile: join(first.directory, "last-run"),
    zoneFile: join(first.directory, "zone"),
    selfFile: join(first.directory, "self.json"),
    log: (_level, message) => log.push(message),
  });
  t.teardown(() => second.close());
  t.match(log.join("\n"), new RegExp(`127.0.0.1:${first.port}/tcp is in use`));
  t.same(
    second.bindings.map((binding) => binding.bound()),
    [false, true],
  );
  await first.server.close();
  for (let i = 0; i < 60 && !second.bindings[0]?.bound(); i++) await sleep(100);
  t.ok(second.bindings[0]?.bound());
});

t.test("limits and malformed requests", async (t) => {
  const { ask, raw, port, server, write } = await site(t, {
    "index.html": page("v1"),
    "services.json": listing("v1"),
  });
  const agent = new Agent({ maxSockets: 1_000 });
  t.teardown(() => agent.destroy());
  const streams = await Promise.all(
    Array.from(
      { length: 260 },
      () =>
        new Promise<IncomingMessage>((opened, failed) => {
          const options = { host: "127.0.0.1", port, path: "/events", agent, headers: { Host: ZONE } };
          const asked = request(options, (response) => {
            response.on("error", () => undefined);
            response.resume();
            opened(response);
          });
          asked.on("error", failed);
          asked.end();
        }),
    ),
  );
  const refused = streams.filter((one) => one.statusCode === 503);
  t.equal(refused.length, 4, "256 streams a client");
  t.equal(refused[0]?.headers["retry-after"], "5");
  t.equal(server.counters.streams, 256);
  t.equal((await ask("/")).status, 200, "and the page is there all the same");
  // half of them are closed while an event is sent to them
  for (const one of streams.slice(0, 130)) one.destroy();
  write("services.json", listing("v2"));
  write("index.html", page("v2"));
  for (let i = 0; i < 200 && server.counters.streams > 130; i++) await sleep(10);
  t.ok(server.counters.streams <= 130, `${server.counters.streams} streams are left`);
  for (const one of streams) one.destroy();
  for (let i = 0; i < 200 && server.counters.streams > 0; i++) await sleep(10);
  t.equal(server.counters.streams, 0);

  const sockets = await Promise.all(
    Array.from(
      { length: 540 },
      () =>
        new Promise<Socket>((opened) => {
          const socket = connect(port, "127.0.0.1", () => opened(socket));
          socket.on("error", () => undefined);
        }),
    ),
  );
  for (let i = 0; i < 200 && server.counters.refused < 28; i++) await sleep(10);
  t.ok(
    server.counters.refused >= 28,
    `${server.counters.refused} connections beyond 512 of one client are turned away`,
  );
  for (const socket of sockets) socket.destroy();
  await sleep(50);
  const line = fc.oneof(
    fc.string({ unit: "binary", maxLength: 200 }),
    fc.constantFrom(
      "GET / HTTP/1.1",
      `Host: ${ZONE}`,
      "",
      "Range: bytes=0-",
      'If-None-Match: ,"',
      "Accept-Encoding: ;q=,gzip;;",
      "Connection: upgrade",
      "Upgrade: websocket",
      "Expect: 100-continue",
      "HTTP/2.0",
    ),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(line, { maxLength: 6 }), async (lines) => {
      const socket = connect(port, "127.0.0.1");
      socket.on("error", () => undefined);
      socket.end(`${lines.join("\r\n")}\r\n\r\n`);
      await new Promise((closed) => socket.resume().once("close", closed));
    }),
    { numRuns: 300 },
  );
  t.equal((await ask("/")).status, 200, "it has survived all that");
  t.match(
    await raw(`GET / HTTP/1.1\r\nHost: ${ZONE}\r\nConnection: upgrade, close\r\nUpgrade: websocket\r\n\r\n`),
    /^HTTP\/1.1 200 /,
  );
});

/** A request from one of loopback's addresses on a connection that stays open; gives the status, 0 when it is refused. */
function from(t: Test, address: string, port: number, path: string): Promise<number> {
  return new Promise((resolve) => {
    const socket = connect({ host: "127.0.0.1", port, localAddress: address });
    t.teardown(() => socket.destroy());
    socket.on("error", () => resolve(0));
    socket.on("close", () => resolve(0));
    socket.once("data", (octets) => resolve(Number(/^HTTP\/1.1 (\d+)/.exec(octets.toString())?.[1])));
    socket.write(`GET ${path} HTTP/1.1\r\nHost: ${ZONE}\r\n\r\n`);
  });
}

t.test("all connections taken by four addresses: another address gets the page", async (t) => {
  const { port, server } = await site(t, { "index.html": page("v1") }, { connections: 8 });
  for (let n = 0; n < 3; n++)
    for (const address of ["127.0.0.2", "127.0.0.3", "127.0.0.4", "127.0.0.5"])
      t.equal(await from(t, address, port, "/"), 200);
  t.equal(await from(t, "127.0.0.6", port, "/"), 200);
  t.equal(server.counters.refused, 5);
});

t.test("all streams taken by four addresses: another address gets one", async (t) => {
  const { port, server } = await site(t, { "index.html": page("v1") }, { streams: 8 });
  for (let n = 0; n < 2; n++)
    for (const address of ["127.0.0.2", "127.0.0.3", "127.0.0.4", "127.0.0.5"])
      t.equal(await from(t, address, port, "/events"), 200);
  t.equal(await from(t, "127.0.0.6", port, "/events"), 200);
  for (let i = 0; i < 500 && server.counters.streams > 8; i++) await sleep(10);
  t.equal(server.counters.streams, 8);
});
