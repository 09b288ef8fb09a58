/** Readiness: real sockets on loopback, a simulated Docker whose answers are events of the test. */
import { once } from "node:events";
import { createServer as createHttp, type IncomingMessage, type ServerResponse } from "node:http";
import { type AddressInfo, createServer, type Server } from "node:net";
import { setImmediate as turn } from "node:timers/promises";
import t, { type Test } from "tap";
import { HostError } from "../../src/core/errors.ts";
import type { Health } from "../../src/core/lifecycle/health.ts";
import type { Port } from "../../src/core/ports.ts";
import {
  type Pace,
  type ReadinessMeans,
  type StartedContainer,
  untilReady,
} from "../../src/lifecycle/readiness.ts";
import { id, ip } from "../core/make.ts";

const WEB = id("web");
/** An address of loopback on which no other process's socket is, so that a port that was free stays free. */
const HERE = ip(`127.83.${(process.pid >> 8) & 255}.${process.pid & 255}`);
const NEVER = new AbortController().signal;
/** No part of a test waits for these; a port that does not answer never counts as one that may be left out. */
const PACE: Pace = { connectMs: 1, checkMs: 1, stateMs: 1, settleMs: Number.POSITIVE_INFINITY };
const RUNNING = { running: true, exitCode: 0, error: "" };
const NONE = { health: null, grace: 3_600 };

const target = (over: Partial<StartedContainer> = {}): StartedContainer => ({
  address: HERE,
  container: WEB,
  healthcheck: null,
  exposed: [],
  ...over,
});

const means = (over: Partial<ReadinessMeans> = {}): ReadinessMeans => ({
  exec: async () => {
    throw new Error("there is no HEALTHCHECK");
  },
  state: async () => RUNNING,
  ...over,
});

const tcp = (port: number): Port => ({ protocol: "tcp", port });
const nothingAsked = (): number[] => [];

/** Listens on a port, any one when none is given. */
async function listening(t: Test, server: Server, port = 0): Promise<number> {
  server.listen(port, HERE);
  await once(server, "listening");
  t.teardown(() => server.close());
  return (server.address() as AddressInfo).port;
}

/** A port on which no process listens. */
async function freePort(): Promise<number> {
  const server = createServer().listen(0, HERE);
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}

/** An HTTP server of the container's, and how it is asked. */
async function served(t: Test, answer: (request: IncomingMessage, response: ServerResponse) => void) {
  const server = createHttp(answer);
  const port = await listening(t, server);
  const health: Health = {
    url: `http://web:${port}/status?full=1`,
    port,
    path: "/status?full=1",
    status: [200, 299],
    timeout: 3_600,
    interval: 30,
  };
  return { server, health };
}

const timers = (): number => process.getActiveResourcesInfo().filter((one) => one === "Timeout").length;

t.test("a HEALTHCHECK: run until it passes, one run at a time, and nothing else is looked at", async (t) => {
  const results: (number | undefined | Error)[] = [
    1,
    undefined,
    new HostError("docker", "no answer"),
    126,
    0,
  ];
  let running = 0;
  const exec: ReadinessMeans["exec"] = async (container, argv) => {
    t.equal(++running, 1, "one at a time");
    t.strictSame([container, argv], [WEB, ["/check", "-v"]]);
    await turn();
    running -= 1;
    const result = results.shift();
    if (result instanceof Error) throw result;
    return result;
  };
  const { health } = await served(t, () => t.fail("asked by HTTP"));
  const asked = (): number[] => {
    t.fail("ports are looked at");
    return [];
  };
  const one = target({ healthcheck: ["/check", "-v"] });
  await untilReady(one, { health, grace: 0 }, asked, means({ exec }), NEVER, PACE);
  t.strictSame(results, []);
});

t.test("a check of its own, as VALIDATE: nothing else is asked", async (t) => {
  const { health } = await served(t, () => t.fail("asked by HTTP"));
  const exec = async (): Promise<number> => {
    t.fail("its HEALTHCHECK is run");
    return 0;
  };
  const results = [false, false, true];
  const check = async (signal: AbortSignal): Promise<boolean> => {
    t.notOk(signal.aborted);
    return results.shift() ?? false;
  };
  const one = target({ healthcheck: ["/check"], exposed: [tcp(1)] });
  await untilReady(one, { health, grace: 0, check }, () => [1], means({ exec }), NEVER, PACE);
  t.strictSame(results, []);
});

t.test("a health URL: asked at the container's address until its status is good", async (t) => {
  const seen: string[] = [];
  const { health, server } = await served(t, (request, response) => {
    seen.push(`${request.method} ${request.url} ${request.headers.host}`);
    if (seen.length === 1) request.socket.destroy();
    else if (seen.length === 2) response.socket?.end("SSH-2.0-x\r\n");
    else if (seen.length === 3) response.writeHead(503).end();
    else if (seen.length === 4) response.writeHead(302, { Location: "/elsewhere" }).end();
    // a body that never ends
    else response.writeHead(200).write("x");
  });
  await untilReady(target(), { health, grace: 0 }, nothingAsked, means(), NEVER, PACE);
  t.strictSame(
    seen,
    Array.from({ length: 5 }, () => `GET /status?full=1 web:${health.port}`),
    "a redirect is not followed",
  );
  server.close();
  await once(server, "close");
  t.pass("no connection is left");
});

t.test("a health URL without a host part: the container's address is the Host", async (t) => {
  const { promise, resolve } = Promise.withResolvers<string | undefined>();
  const { health } = await served(t, (request, response) => {
    resolve(request.headers.host);
    response.end();
  });
  const bare = { ...health, url: `http://:${health.port}/` };
  await untilReady(target(), { health: bare, grace: 0 }, nothingAsked, means(), NEVER, PACE);
  t.equal(await promise, `${HERE}:${health.port}`);
});

t.test("a health URL whose answer does not come within its timeout: asked again", async (t) => {
  let n = 0;
  const { health } = await served(t, (_request, response) => {
    if (++n > 1) response.end();
  });
  const settings = { health: { ...health, timeout: 0.05 }, grace: 0 };
  await untilReady(target(), settings, nothingAsked, means(), NEVER, PACE);
  t.ok(n > 1, `asked ${n} times`);
});

t.test("ports asked for: all of them must accept, also those asked for meanwhile", async (t) => {
  const [first, second] = [await freePort(), await freePort()];
  const [one, two] = [createServer(), createServer()];
  let looks = 0;
  const opened: number[] = [];
  const asked = (): number[] => {
    looks += 1;
    if (looks === 5) void listening(t, one, first).then(() => opened.push(first));
    // the second is asked for before the first accepts, and listens after it has
    if (opened.length === 1 && !two.listening && one.listening)
      void listening(t, two, second).then(() => opened.push(second));
    return looks < 3 ? [first] : [first, second, 0];
  };
  await untilReady(target({ exposed: [tcp(1)] }), NONE, asked, means(), NEVER, PACE);
  t.strictSame(opened, [first, second]);
});

t.test("a port that does not accept counts no longer, some time after another one did", async (t) => {
  const open = await listening(t, createServer());
  const closed = await freePort();
  await untilReady(target(), NONE, () => [closed, open], means(), NEVER, { ...PACE, settleMs: 0 });
});

t.test("a port scan: the one port that accepts is found among thousands", async (t) => {
  const server = createServer();
  const met = once(server, "connection");
  const open = await listening(t, server);
  const warned = t.capture(process, "emitWarning");
  const scanned = Array.from({ length: 3_000 }, (_, i) => i + 20_000).filter((port) => port !== open);
  const quick = { ...PACE, settleMs: 0 };
  await untilReady(target(), NONE, () => [...scanned, open], means(), NEVER, quick);
  await met;
  t.strictSame(warned(), []);
});

t.test("no port asked for: the first exposed TCP port, else the grace", async (t) => {
  const port = await freePort();
  const server = createServer();
  let looks = 0;
  const asked = (): number[] => {
    if (++looks === 5) void listening(t, server, port);
    return [];
  };
  const exposed: Port[] = [{ protocol: "udp", port: 1 }, tcp(port), tcp(65_535)];
  await untilReady(target({ exposed }), { health: null, grace: 0 }, asked, means(), NEVER, PACE);
  t.ok(server.listening);
  const udp = target({ exposed: [{ protocol: "udp", port: 53 }] });
  await untilReady(udp, { health: null, grace: 0.01 }, nothingAsked, means(), NEVER, PACE);
});

t.test("the grace of a container of which nothing can be checked is waited for", async (t) => {
  const stop = new AbortController();
  let looks = 0;
  const asked = (): number[] => {
    if (++looks === 5) stop.abort(new Error("still waiting"));
    return [];
  };
  await t.rejects(untilReady(target(), NONE, asked, means(), stop.signal, PACE), {
    message: "still waiting",
  });
});

t.test("a container that ends meanwhile: an error with its status and Docker's words", async (t) => {
  const port = await freePort();
  const after = async (end: Awaited<ReturnType<ReadinessMeans["state"]>>): Promise<unknown> => {
    let n = 0;
    const state = async () => {
      n += 1;
      if (n === 2) throw new HostError("docker", "Docker did not answer");
      return n < 4 ? RUNNING : end;
    };
    return untilReady(target(), NONE, () => [port], means({ state }), NEVER, PACE).catch((error) => error);
  };
  t.match(await after({ ...RUNNING, running: false, exitCode: 1 }), {
    name: "HostError",
    fault: "docker",
    message: /^it ended with status 1$/,
  });
  t.match(await after({ running: false, exitCode: 127, error: `exec: "x"\n${"y".repeat(900)}` }), {
    message: /^it ended with status 127: exec: "x"\ufffdy{290}…$/,
  });
  t.match(await after(undefined), { message: /^it was removed$/ });
});

t.test("an aborted signal: its reason, and no socket, timer or question is left", async (t) => {
  const reason = new Error("no time left");
  const hangs = async (_id: string, signal: AbortSignal): Promise<never> => {
    await once(signal, "abort");
    throw signal.reason;
  };
  const silent = createServer();
  const connected = once(silent, "connection");
  const port = await listening(t, silent);
  const closed = await freePort();
  const health: Health = {
    url: `http://:${port}/`,
    port,
    path: "/",
    status: [200, 200],
    timeout: 3_600,
    interval: 30,
  };
  const before = timers();
  const stop = new AbortController();
  const waits = untilReady(
    target(),
    { health, grace: 0 },
    nothingAsked,
    means({ state: hangs }),
    stop.signal,
  );
  const [socket] = await connected;
  socket.resume();
  stop.abort(reason);
  await t.rejects(waits, reason);
  silent.close();
  await once(silent, "close");
  const inTurn = new AbortController();
  let looks = 0;
  const asked = (): number[] => {
    if (++looks === 3) inTurn.abort(reason);
    return [closed];
  };
  await t.rejects(untilReady(target(), NONE, asked, means(), inTurn.signal), reason);
  await turn();
  t.equal(looks, 3);
  t.equal(timers(), before);
  await t.rejects(untilReady(target(), NONE, asked, means(), inTurn.signal), reason, "aborted before");
  t.equal(looks, 3);
});

t.test("a Docker that ignores the signal does not delay the end", async (t) => {
  const stop = new AbortController();
  const never = (): Promise<never> => new Promise(() => undefined);
  const exec: ReadinessMeans["exec"] = () => {
    stop.abort(new Error("no time left"));
    return never();
  };
  const one = target({ healthcheck: ["/check"] });
  const waits = untilReady(one, NONE, nothingAsked, means({ exec, state: never }), stop.signal, PACE);
  await t.rejects(waits, { message: "no time left" });
});
