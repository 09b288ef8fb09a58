/** Metrics of a container: by a command, and by HTTP from a server on loopback that answers as the test says. */
import { once } from "node:events";
import { createServer, type IncomingMessage, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import t, { type Test } from "tap";
import { endpoint } from "../../../src/core/lifecycle/health.ts";
import { MOST_EXPOSITION_OCTETS } from "../../../src/core/methods/exposition.ts";
import type { Action, Method } from "../../../src/core/methods/method.ts";
import type { Task } from "../../../src/core/methods/tasks.ts";
import type { ExecRequest, ExecResult } from "../../../src/host/docker/exec.ts";
import { type Collected, collect } from "../../../src/lifecycle/methods/collect.ts";
import { id, ip } from "../../core/make.ts";

const HERE = ip("127.0.0.1");
const NEVER = new AbortController().signal;
const TASK: Task = {
  key: "web metrics",
  container: id("web"),
  service: "web",
  address: HERE,
  run: { method: "metrics", interval: 60 },
};

const method = (action: Action, timeout = 30): Method => ({
  name: "metrics",
  action,
  text: "",
  source: "label ocdd.metrics",
  timeout,
});

type Execute = (request: ExecRequest) => Promise<ExecResult>;
const ENDED: ExecResult = { status: 0, ended: null, runsOn: false };

const byCommand = (execute: Execute, signal = NEVER): Promise<Collected> =>
  collect({ execute }, TASK, method({ argv: ["metrics", "--all"] }), signal);

const linesOf = ({ families }: Collected): string[] => families.flatMap(({ lines }) => lines);

t.test("by a command: its standard output; the label service", async (t) => {
  const found = await byCommand(async ({ argv, container, timeoutMs, onOutput }) => {
    t.same([argv, container, timeoutMs], [["metrics", "--all"], id("web"), 30_000]);
    for (const part of ["jobs ", "7\n"]) await onOutput({ stream: "stdout", octets: Buffer.from(part) });
    await onOutput({ stream: "stderr", octets: Buffer.from("a warning\n") });
    return ENDED;
  });
  t.same(linesOf(found), ['jobs{service="web"} 7']);
});

t.test("by a command that fails: why", async (t) => {
  const said =
    (status: number, text = ""): Execute =>
    async ({ onOutput }) => {
      await onOutput({ stream: "stderr", octets: Buffer.from(text) });
      return { ...ENDED, status };
    };
  await t.rejects(byCommand(said(3, "first\nno database\n")), {
    message: "it ended with status 3: no database",
  });
  await t.rejects(byCommand(said(1)), { message: "it ended with status 1" });
  await t.rejects(
    byCommand(async () => ({ status: null, ended: "timeout", runsOn: false })),
    {
      message: "it was ended after 30 s",
    },
  );
  await t.rejects(
    byCommand(async ({ onOutput }) => {
      await onOutput({ stream: "stdout", octets: Buffer.from([0x61, 0x20, 0xff]) });
      return ENDED;
    }),
    { message: "its metrics are no UTF-8" },
  );
});

t.test("by a command that prints without end: it is ended, and no more than the bound is kept", async (t) => {
  let printed = 0;
  await t.rejects(
    byCommand(async ({ signal, onOutput }) => {
      const octets = Buffer.alloc(65_536, "#");
      while (signal?.aborted !== true) {
        printed += octets.length;
        await onOutput({ stream: "stdout", octets });
      }
      return { status: null, ended: "signal", runsOn: false };
    }),
    { message: "it printed more than 1048576 octets" },
  );
  t.ok(printed <= MOST_EXPOSITION_OCTETS + 2 * 65_536);
});

t.test("by a command, when watch ends: the command is ended", async (t) => {
  const over = new AbortController();
  const collecting = byCommand(async ({ signal }) => {
    over.abort();
    t.equal(signal?.aborted, true);
    return { status: null, ended: "signal", runsOn: false };
  }, over.signal);
  await t.rejects(collecting);
});

interface Site {
  readonly port: number;
  readonly asked: IncomingMessage[];
}

async function site(t: Test, answer: RequestListener): Promise<Site> {
  const asked: IncomingMessage[] = [];
  const server = createServer((request, response) => {
    asked.push(request);
    answer(request, response);
  });
  server.listen(0, HERE);
  await once(server, "listening");
  t.teardown(() => {
    server.closeAllConnections();
    server.close();
  });
  return { port: (server.address() as AddressInfo).port, asked };
}

function byHttp(url: string, timeout = 30, signal = NEVER): Promise<Collected> {
  const http = endpoint(url);
  if (http === undefined) throw new Error(`${url} cannot be read`);
  const execute: Execute = () => Promise.reject(new Error("nothing is run"));
  return collect({ execute }, TASK, method({ http }, timeout), signal);
}

t.test("by HTTP: from the container's own address, whatever host the URL names", async (t) => {
  const { port, asked } = await site(t, (_, response) => response.end('up{service="x"} 1\n'));
  const found = await byHttp(`http://exporter.example:${port}/metrics?a=b`);
  t.same(linesOf(found), ['up{service="web",exported_service="x"} 1']);
  t.equal(asked[0]?.url, "/metrics?a=b");
  t.equal(asked[0]?.headers.host, `exporter.example:${port}`);
  t.match(asked[0]?.headers.accept, "text/plain;version=0.0.4");
  await byHttp(`http://:${port}/`);
  t.equal(asked[1]?.headers.host, `127.0.0.1:${port}`);
});

t.test("by HTTP that fails: why; a redirect is not followed", async (t) => {
  const { port, asked } = await site(t, ({ url }, response) => {
    if (url === "/redirect") response.writeHead(302, { location: `http://127.0.0.1:${port}/ok` }).end();
    else if (url === "/gzip") response.writeHead(200, { "content-encoding": "gzip" }).end("x");
    else if (url === "/cut") {
      response.writeHead(200, { "content-length": "1000" }).write("a 1\n");
      setImmediate(() => response.destroy());
    } else if (url === "/html") response.end("<html>");
    else response.writeHead(500).end();
  });
  const at = (path: string): Promise<Collected> => byHttp(`http://:${port}${path}`);
  await t.rejects(at("/redirect"), { message: "it answered with status 302" });
  await t.rejects(at("/gzip"), { message: /content coding/ });
  await t.rejects(at("/cut"), { message: /cut off|aborted|reset/ });
  await t.rejects(at("/html"), { message: /cannot be read: line 1/ });
  await t.rejects(at("/error"), { message: "it answered with status 500" });
  t.equal(asked.length, 5);
  t.notOk(asked.some(({ url }) => url === "/ok"));
  await t.rejects(byHttp("http://:1/"), { message: /ECONNREFUSED/ });
});

t.test("by HTTP without end, or without an answer: bounded in octets and time", async (t) => {
  const { port } = await site(t, ({ url }, response) => {
    if (url === "/silent") return;
    response.writeHead(200);
    if (url === "/slow") return void response.write("a 1\n");
    const more = (): void => {
      while (!response.destroyed && response.write("#".repeat(65_536)));
    };
    response.on("drain", more);
    more();
  });
  await t.rejects(byHttp(`http://:${port}/endless`), { message: "its answer is larger than 1048576 octets" });
  // the answer never comes, so the bound is reached whatever the machine does
  await t.rejects(byHttp(`http://:${port}/silent`, 0.05), { message: "it did not answer within 0.05 s" });
  await t.rejects(byHttp(`http://:${port}/slow`, 0.05), { message: /did not answer within|cut off|aborted/ });
  const over = new AbortController();
  const waiting = byHttp(`http://:${port}/silent`, 30, over.signal);
  over.abort();
  await t.rejects(waiting, "the signal ends it");
});
