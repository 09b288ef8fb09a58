/** The waiting page's server over real sockets: an address of loopback stands for each alias. */
import { type IncomingHttpHeaders, type RequestOptions, request } from "node:http";
import { connect } from "node:net";
import t, { type Test } from "tap";
import { PHASE_HEADER } from "../../src/core/page/waiting.ts";
import { until } from "../lab/process.ts";
import { openStage, type Stage, waitingFor } from "./stage.ts";

const ALIAS = "127.0.0.13";
const HTML = { accept: "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8" };

interface Reply {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

async function stage(t: Test, limits: Parameters<typeof openStage>[0] = {}): Promise<Stage> {
  const open = await openStage(limits);
  t.teardown(() => open.close());
  return open;
}

function ask(port: number, options: RequestOptions = {}, body?: string): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const asked = request({ host: ALIAS, port, agent: false, ...options }, (response) => {
      let text = "";
      response.setEncoding("utf8").on("data", (part: string) => {
        text += part;
      });
      response.on("end", () =>
        resolve({ status: response.statusCode ?? 0, headers: response.headers, body: text }),
      );
    });
    asked.on("error", reject);
    asked.end(body);
  });
}

/** Sends octets as they are; gives all that comes back until the end. */
function raw(port: number, octets: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, ALIAS, () => socket.write(octets, "latin1"));
    let text = "";
    socket.setEncoding("latin1").on("data", (part) => {
      text += part;
    });
    socket.on("close", () => resolve(text));
    socket.on("error", reject);
  });
}

t.test("a browser's navigation: 503 with the page of the alias it came to, whatever Host says", async (t) => {
  const { port, set, asks } = await stage(t);
  set(ALIAS, waitingFor());
  set("127.0.0.14", waitingFor({ name: "wiki", phase: "failed", reason: "no such image", retry: 19.5 }));
  const starting = await ask(port, { headers: { ...HTML, host: "wiki.toolbox.example.com" } });
  t.match(starting, {
    status: 503,
    headers: {
      "content-type": "text/html; charset=utf-8",
      "retry-after": "2",
      "cache-control": "no-store",
      connection: "close",
    },
  });
  t.match(starting.body, "<h1>jenkins is starting</h1>");
  const policy = String(starting.headers["content-security-policy"]);
  t.match(policy, /default-src 'none'; style-src 'sha256-[\w+/]+='; script-src 'sha256-[\w+/]+='/);
  t.notMatch(policy, "unsafe");
  const failed = await ask(port, { host: "127.0.0.14", headers: HTML });
  t.match(failed, { status: 503, headers: { "retry-after": "20", "content-security-policy": policy } });
  t.match(failed.body, "no such image");
  t.match(
    asks.map(({ protocol, destination, port: to }) => `${protocol} ${destination} ${to}`),
    [`tcp ${ALIAS} 80`],
    "each request is a visit of its alias",
  );
});

t.test("an address where nothing waits: 404, for browsers and programs", async (t) => {
  const { port } = await stage(t);
  t.equal((await ask(port, { headers: HTML })).status, 404);
  t.match(await ask(port), { status: 404, headers: { connection: "close" } });
});

t.test(
  "a program's request: kept until the container is ready, then sent to the same URL again",
  async (t) => {
    const { port, set, kept } = await stage(t);
    set(ALIAS, waitingFor());
    const all = [
      ask(port, { path: "/a?b=c" }),
      ask(port, { path: "/a?b=c", method: "HEAD", headers: HTML }),
      ask(port, { path: "/a?b=c", method: "POST", headers: HTML }, "x=y"),
      ask(port, { path: "/a?b=c", method: "DELETE" }),
    ];
    await until("they are kept", () => kept() === 4);
    set(ALIAS, waitingFor({ phase: "checking" }));
    await until("they are kept on", () => kept() === 4);
    set(ALIAS, "ready");
    for (const reply of await Promise.all(all))
      t.match(reply, {
        status: 307,
        headers: { location: "/a?b=c", "cache-control": "no-store", connection: "close" },
      });
    const late = await ask(port, { path: "/a?b=c", headers: HTML });
    t.match(late, { status: 307, headers: { location: "/a?b=c" } }, "one that comes too late as well");
  },
);

t.test("a start that fails: a program gets the reason in one line", async (t) => {
  const { port, set, kept } = await stage(t);
  set(ALIAS, waitingFor());
  const asked = ask(port);
  await until("it is kept", () => kept() === 1);
  set(ALIAS, waitingFor({ phase: "failed", reason: "port\n80\u202e is <taken>", retry: 0.2 }));
  t.match(await asked, {
    status: 503,
    headers: { "content-type": "text/plain; charset=utf-8", "retry-after": "1", connection: "close" },
    body: "jenkins could not be started: port\ufffd80\ufffd is <taken>\n",
  });
  set(ALIAS, undefined);
  t.equal((await ask(port)).status, 404);
});

t.test("an alias that goes while a request is kept: 404", async (t) => {
  const { port, set, kept } = await stage(t);
  set(ALIAS, waitingFor());
  const asked = ask(port);
  await until("it is kept", () => kept() === 1);
  set(ALIAS, undefined);
  t.equal((await asked).status, 404);
});

t.test("the page's script: answered when the phase is not the one it shows", async (t) => {
  const { port, set, kept } = await stage(t);
  set(ALIAS, waitingFor());
  const question = { method: "HEAD", headers: { [PHASE_HEADER]: "starting" } };
  const asked = ask(port, question);
  await until("it is kept", () => kept() === 1);
  set(ALIAS, waitingFor({ since: 5 }));
  await until("it is kept on", () => kept() === 1);
  set(ALIAS, waitingFor({ phase: "checking" }));
  t.match(await asked, { status: 503, headers: { [PHASE_HEADER]: "checking" }, body: "" });
  t.match(await ask(port, question), { status: 503, headers: { [PHASE_HEADER]: "checking" } }, "at once");
});

t.test("targets that name another host: sent to a path of this one", async (t) => {
  const { port, set } = await stage(t);
  set(ALIAS, "ready");
  for (const [target, location] of [
    ["//evil.example/x", "/.//evil.example/x"],
    ["/\\evil.example", "/%5Cevil.example"],
    ["http://evil.example/x", "/x"],
    ["/%0d%0aSet-Cookie:a=b", "/%0d%0aSet-Cookie:a=b"],
  ] as const) {
    const reply = await raw(port, `GET ${target} HTTP/1.1\r\nHost: evil.example\r\n\r\n`);
    t.match(reply, /^HTTP\/1\.1 307 /);
    t.equal(/^Location: (.*)\r$/m.exec(reply)?.[1], location, target);
  }
});

t.test("a client that reads nothing before it has sent its whole body: gets the answer", async (t) => {
  const { port, set, kept } = await stage(t);
  set(ALIAS, waitingFor());
  const socket = connect(port, ALIAS).pause();
  const closed = new Promise((resolve) => socket.on("error", resolve).once("close", resolve));
  const size = 8_000_000;
  const sent = new Promise((resolve) =>
    socket.write(`PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: ${size}\r\n\r\n${"x".repeat(size)}`, resolve),
  );
  await until("it is kept", () => kept() === 1);
  set(ALIAS, "ready");
  t.notOk(await sent, "it is sent whole");
  let text = "";
  socket.setEncoding("latin1").on("data", (part) => {
    text += part;
  });
  socket.resume();
  t.equal(await closed, false, "no error");
  t.match(text, /^HTTP\/1\.1 307 /);
});

t.test("a body that is announced: not asked for with 100 Continue", async (t) => {
  const { port, set } = await stage(t);
  set(ALIAS, "ready");
  const octets = "POST /x HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 9\r\n\r\n";
  t.match(await raw(port, octets), /^HTTP\/1\.1 307 /);
});

t.test("a client that goes away: its request is kept no longer", async (t) => {
  const { port, set, kept } = await stage(t);
  set(ALIAS, waitingFor());
  const asked = request({ host: ALIAS, port, agent: false }).on("error", () => undefined);
  asked.end();
  await until("it is kept", () => kept() === 1);
  asked.destroy();
  await until("it is not kept", () => kept() === 0);
  t.equal(kept(), 0);
});

t.test("more requests than may be kept: the client that has most gets 503 for its oldest", async (t) => {
  const { port, set, kept } = await stage(t, { kept: 3 });
  set(ALIAS, waitingFor());
  const first = ask(port, { localAddress: "127.0.0.2" });
  await until("it is kept", () => kept() === 1);
  const second = ask(port, { localAddress: "127.0.0.2" });
  await until("it is kept", () => kept() === 2);
  const other = ask(port, { localAddress: "127.0.0.3" });
  await until("it is kept", () => kept() === 3);
  const last = ask(port, { localAddress: "127.0.0.4" });
  t.match(await first, {
    status: 503,
    headers: { "retry-after": "5", [PHASE_HEADER]: "starting" },
    body: "jenkins is starting\n",
  });
  set(ALIAS, "ready");
  for (const reply of await Promise.all([second, other, last])) t.equal(reply.status, 307);
});

t.test("many requests of one address, as of an office: all are kept", async (t) => {
  const { port, set, kept } = await stage(t);
  set(ALIAS, waitingFor());
  const all = Array.from({ length: 600 }, () => ask(port));
  await until("they are kept", () => kept() === 600);
  set(ALIAS, "ready");
  for (const { status } of await Promise.all(all)) if (status !== 307) t.fail(`status ${status}`);
});

t.test("heads that are too large, broken or never end, and a second request: refused", async (t) => {
  const { port, set } = await stage(t);
  set(ALIAS, waitingFor());
  const head = "GET / HTTP/1.1\r\nHost: a\r\nAccept: text/html\r\n";
  t.match(await raw(port, `${head}X: ${"y".repeat(9_000)}\r\n\r\n`), /^HTTP\/1\.1 431 /);
  t.match(await raw(port, "\x16\x03\x01\x02\x00\x01\x00"), /^HTTP\/1\.1 400 /);
  t.match(await raw(port, head), /^HTTP\/1\.1 408 /);
  const replies = await raw(port, `${head}\r\n${head}\r\n`);
  t.equal(replies.match(/^HTTP\/1\.1 /gm)?.length, 1, "one answer a connection");
});
