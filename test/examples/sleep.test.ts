/** The example's application: what it answers, and how it ends. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { connect } from "node:net";
import { createInterface } from "node:readline";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import t, { type Test } from "tap";

const APP = fileURLToPath(new URL("../../examples/sleep/app.mjs", import.meta.url));

async function started(t: Test, env: Readonly<Record<string, string>>) {
  const app = spawn(process.execPath, [APP], {
    env: { PORT: "0", ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  t.teardown(() => app.kill("SIGKILL"));
  const ended = once(app, "exit");
  const lines = createInterface(app.stdout);
  const [line = ""] = (await once(lines, "line")) as [string];
  const port = Number(/\d+$/.exec(line)?.[0]);
  return { app, port, ended, url: `http://127.0.0.1:${port}`, lines };
}

t.test("it answers with where it runs and how often it was visited; its status is no visit", async (t) => {
  const { url } = await started(t, { CONNSTR: "db 1" });
  const json = async (path: string): Promise<unknown> => (await fetch(url + path)).json();
  t.match(await json("/status"), { status: "ok", requested: 0 });
  t.match(await json("/"), { hostname: /./, "connection string": "db 1", requested: 1 });
  t.match(await json("/"), { requested: 2 });
  t.match(await json("/status"), { status: "ok", left: 60, requested: 2 });
  t.equal((await fetch(`${url}/other`)).status, 404);
  t.equal((await fetch(`${url}/`, { method: "POST" })).status, 404);
});

t.test("without a visit it ends by itself", async (t) => {
  const { ended, lines } = await started(t, { IDLE: "1s" });
  const said = once(lines, "line");
  t.strictSame(await said, ["not visited: ends"]);
  t.equal((await ended)[0], 0);
});

t.test("TERM: a request that has begun is answered, then it ends", async (t) => {
  const { app, port, ended, lines } = await started(t, { IDLE: "0" });
  const socket = connect(port, "127.0.0.1");
  const head = "GET /status HTTP/1.1\r\nHost: mock\r\n";
  // the answer to the first shows that the beginning of the second has been read
  socket.write(`${head}\r\n${head}`);
  await once(socket, "readable");
  const said = once(lines, "line");
  app.kill("SIGTERM");
  t.strictSame(await said, ["SIGTERM: ends"]);
  socket.end("Connection: close\r\n\r\n");
  const answers = await text(socket);
  t.equal(answers.split("HTTP/1.1 200").length - 1, 2, answers);
  t.equal((await ended)[0], 0);
});

t.test("a duration that cannot be read is refused", async (t) => {
  const app = spawn(process.execPath, [APP], { env: { IDLE: "soon" }, stdio: ["ignore", "ignore", "pipe"] });
  t.match(await text(app.stderr), /IDLE=soon is no duration/);
});
