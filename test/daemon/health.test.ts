/** Health and metrics over HTTP: what is answered, and who may read it. */
import { once } from "node:events";
import { request } from "node:http";
import { type AddressInfo, connect, createServer } from "node:net";
import t, { type Test } from "tap";
import { type Ipv4, parseIpv4 } from "../../src/core/addresses/ipv4.ts";
import { mayRead, serveHealth } from "../../src/daemon/health.ts";
import { until } from "../lab/process.ts";
import { freePorts } from "../serve/peers.ts";

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
    [],
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
  const absolute = await new Promise<number | undefined>((resolve, reject) => {
    const path = "http://127.0.0.1/metrics?x";
    request({ host: "127.0.0.1", port, path, agent: false }, (reply) => resolve(reply.resume().statusCode))
      .on("error", reject)
      .end();
  });
  t.equal(absolute, 200, "a target in absolute-form");
  health.broken = true;
  t.same(await ask("/metrics"), [503, "not ok\n"], "figures that fail end nothing");
  t.same(await ask("/"), [404, ""]);
  t.same(said, []);
});

t.test("a port in use: one line of log, no error, and it is served once the port is free", async (t) => {
  const holder = createServer().listen(0, "127.0.0.1");
  t.teardown(() => holder.close());
  await once(holder, "listening");
  const { port } = holder.address() as AddressInfo;
  const said: string[] = [];
  const health = { live: () => true, ready: () => true, metrics: async () => "" };
  const { close } = serveHealth({ address: LOOPBACK, port }, [], health, (level, message) => {
    said.push(`${level}: ${message}`);
  });
  await until("it is said", () => said.length > 0);
  t.match(said, [new RegExp(`^error: .*127\\.0\\.0\\.1:${port} .*\\(EADDRINUSE\\)`)]);
  t.teardown(close);
  holder.close();
  const free = () =>
    fetch(`http://127.0.0.1:${port}/livez`).then(
      ({ status }) => status === 200,
      () => false,
    );
  await until("it is served", free);
  t.equal(said.length, 1);
});

t.test("who may read: the host itself, and the networks that are named", async (t) => {
  const networks = ["192.0.2.0/25", "198.51.100.7/32"];
  const own = "203.0.113.5";
  for (const [peer, may] of [
    ["127.0.0.1", true],
    ["127.8.9.10", true],
    ["192.0.2.127", true],
    ["192.0.2.128", false],
    ["198.51.100.7", true],
    ["198.51.100.8", false],
    [own, true],
    ["203.0.113.6", false],
    ["::1", false],
    ["", false],
  ] as const)
    t.equal(mayRead(peer, own, networks), may, peer);
  t.equal(mayRead("192.0.2.1", own, []), false, "without networks");
  t.equal(mayRead("192.0.2.1", own, ["0.0.0.0/0"]), true);
});

/** What comes back on a connection from `from`, as text; empty where it is closed unread. */
async function asked(t: Test, port: number, from: string): Promise<string> {
  const socket = connect({ host: "127.0.0.1", port, localAddress: from });
  t.teardown(() => socket.destroy());
  // a header says nothing about the peer
  socket.write("GET /livez HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: 127.0.0.1\r\nConnection: close\r\n\r\n");
  let text = "";
  socket.on("data", (chunk) => {
    text += chunk;
  });
  socket.on("error", () => undefined);
  await once(socket, "close");
  return text;
}

t.test(
  "a peer that may not read: closed without an answer, logged once; the next that may is answered",
  async (t) => {
    const [port] = (await freePorts(1)) as [number];
    const said: string[] = [];
    const health = { live: () => true, ready: () => true, metrics: async () => "" };
    const admits = (peer: string): boolean => peer !== "127.0.0.66";
    const { close } = serveHealth(
      { address: LOOPBACK, port },
      [],
      health,
      (level, message) => void said.push(`${level}: ${message}`),
      admits,
    );
    t.teardown(close);
    await until("it listens", async () => (await asked(t, port, "127.0.0.2")) !== "");
    for (let i = 0; i < 40; i++) t.equal(await asked(t, port, "127.0.0.66"), "");
    t.match(await asked(t, port, "127.0.0.2"), /^HTTP\/1.1 200 /);
    t.same(said, [
      "warning: metrics: connections from 127.0.0.66 are closed: METRICS_ALLOW does not name it",
    ]);
  },
);
