/** What others' tools for sleeping containers are known to do wrong: to each kind of client, and to other containers. */
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import t, { type Test } from "tap";
import { initializedLab } from "./director.ts";
import type { Lab } from "./handle.ts";
import { until } from "./process.ts";
import { addressOf, asleep, inForce, inspected, leads, reaches, stateOf, visit, WAKE } from "./sleeper.ts";

t.setTimeout(1_200_000);

const IDLE = { ...WAKE, "ocdd.idle": "2s" } as const;

t.test("clients of services that sleep", async (t) => {
  const lab = await initializedLab(t, { name: "sleep-clients", dns: false });
  const watch = lab.startOcdd(["watch"]);
  t.teardown(() => watch.stop());
  await database(t, lab);
  await film(t, lab);
  await webSocket(t, lab);
  await connectedBefore(t, lab);
  await validated(t, lab);
});

async function database(t: Test, lab: Lab): Promise<void> {
  await t.test("a database, which speaks first: the client's first connection succeeds", async (t) => {
    const speaks = ["socat", "TCP-LISTEN:5432,reuseaddr,fork", "EXEC:cat /etc/passwd"];
    await lab.startContainer({ name: "db", labels: { ...WAKE, "ocdd.wake.ports": "5432" }, command: speaks });
    const address = await addressOf(lab, "db");
    await asleep(lab, "db", address);
    // one connection, in which the client says nothing
    const asks = ["socat", "-u", `TCP:${address}:5432`, "STDOUT"];
    const { code, stdout, stderr } = await lab.run("client", asks, { check: false });
    t.match([code, stdout.split("\n")[0]], [0, /^root:/], stderr);
  });
}

async function film(t: Test, lab: Lab): Promise<void> {
  await t.test("a film: one long stream is not cut, and only what asks for it is stopped", async (t) => {
    await lab.startContainers(
      { name: "film", labels: IDLE },
      { name: "unused", labels: IDLE },
      { name: "wakes-only", labels: WAKE },
      "plain",
    );
    const address = await addressOf(lab, "film");
    await asleep(lab, "film", address);
    writeFileSync(join(lab.dir, "film"), Buffer.alloc(160 << 10));
    await lab.docker("cp", join(lab.dir, "film"), "film:/www/film");
    const argv = [
      "curl",
      "-s",
      "-o",
      "/dev/null",
      "--limit-rate",
      "20k",
      "-w",
      "%{http_code} %{size_download}",
    ];
    const { stdout } = await lab.run("client", [...argv, `http://${address}/film`]);
    t.equal(stdout, "200 163840");
    for (const name of ["film", "unused"])
      await until(`${name} is stopped`, async () => (await stateOf(lab, name)) === "exited");
    for (const name of ["wakes-only", "plain"]) t.equal(await stateOf(lab, name), "running", name);
  });
}

async function webSocket(t: Test, lab: Lab): Promise<void> {
  await t.test("a connection that is silent in both directions is not cut", async (t) => {
    const echoes = ["socat", "TCP-LISTEN:80,reuseaddr,fork", "EXEC:cat"];
    await lab.startContainer({ name: "chat", labels: IDLE, command: echoes });
    await lab.startContainer({ name: "witness", labels: IDLE });
    const address = await addressOf(lab, "chat");
    await inForce(lab, address);
    // silent until another one, which began to be unused later, has been stopped; then a word, and its echo
    const script = `(while [ ! -e ${lab.dir}/speak ]; do sleep 0.2; done; echo word) | socat -t5 - TCP:${address}:80`;
    const answer = lab.run("client", ["sh", "-c", script]);
    await connected(lab, address);
    await lab.docker("restart", "-t", "0", "witness");
    await until("the other one is stopped", async () => (await stateOf(lab, "witness")) === "exited");
    t.equal(await stateOf(lab, "chat"), "running");
    await lab.run("client", ["touch", `${lab.dir}/speak`]);
    t.equal((await answer).stdout, "word");
  });
}

async function connectedBefore(t: Test, lab: Lab): Promise<void> {
  await t.test("connected to the page while it starts, asked after it is ready: sent on", async (t) => {
    // ready at once when it runs first, and then when it is told
    const waits = "rm -f /tmp/go; while [ ! -e /tmp/go ]; do sleep 0.1; done";
    const command = ["sh", "-c", `if [ -e /tmp/ran ]; then ${waits}; fi; touch /tmp/ran; exec /serve`];
    await lab.startContainer({ name: "late", labels: WAKE, command });
    const address = await addressOf(lab, "late");
    await leads(lab, address);
    const settled = (): Promise<true> =>
      until("a run by hand changes nothing", async () => (await lab.ocdd(["plan"])).stdout === "");
    // the page closes a connection on which nothing is asked for five seconds: where this machine took longer, once more
    const answer = await until("it is asked in time", async () => {
      await asleep(lab, "late", address);
      const visitor = ["timeout", "2", "socat", "-u", `TCP:${address}:80`, "STDOUT"];
      await lab.run("client", visitor, { check: false });
      await reaches(lab, "late", "running");
      await settled();
      const ready = join("/proc", await inspected(lab, "late", ".State.Pid"), "root/tmp/go");
      const ask = join(lab.dir, "ask");
      rmSync(ask, { force: true });
      const request = "GET / HTTP/1.1\\r\\nHost: late\\r\\n\\r\\n";
      const script = `(while [ ! -e ${ask} ]; do sleep 0.1; done; printf '${request}') | socat -t5 - TCP:${address}:80`;
      const second = lab.run("client", ["sh", "-c", script], { check: false });
      await connected(lab, address);
      writeFileSync(ready, "");
      await leads(lab, address);
      writeFileSync(ask, "");
      const { stdout } = await second;
      return stdout.startsWith("HTTP/1.1 408 ") ? undefined : { stdout };
    });
    t.match(answer.stdout, /^HTTP\/1\.1 307 [\s\S]*^Location: \/\r$/m);
    await settled();
  });
}

/** A client has a connection there, on which it has sent nothing. */
const connected = (lab: Lab, address: string): Promise<true> =>
  until("it is connected", async () => {
    const { stdout } = await lab.run("client", ["ss", "-Htn", "state", "established", "dst", address]);
    return stdout.includes(address);
  });

async function validated(t: Test, lab: Lab): Promise<void> {
  await t.test(
    "ocdd.ready=validate: a visit waits until VALIDATE passes, although the port accepts",
    async (t) => {
      // it answers from its start on, with the right page and the file that VALIDATE looks for a while later
      const slow = "rm -f /tmp/ok; (sleep 2; echo loaded >/www/index.html; touch /tmp/ok) & exec /serve";
      const labels = { ...WAKE, "ocdd.ready": "validate", "ocdd.validate": "test -e /tmp/ok" };
      await lab.startContainer({ name: "loads", labels, command: ["sh", "-c", slow] });
      const address = await addressOf(lab, "loads");
      await asleep(lab, "loads", address);
      t.equal(await visit(lab, address), "loaded");
      await lab.docker("stop", "loads");
      t.match((await lab.ocdd(["wake", "loads"])).stdout, /^loads is ready/);
      t.equal(await lab.docker("exec", "loads", "cat", "/www/index.html"), "loaded");
    },
  );
}
