/** Every end of `ocdd serve` leaves a line; a stopped process continues. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import t, { type Test } from "tap";
import { makeQuery } from "../dns/message.ts";
import { until } from "../lab/process.ts";
import { askUdp } from "./peers.ts";
import { makePlace } from "./place.ts";

t.setTimeout(1_200_000);

const ZONE = "toolbox.example.com";
const MAIN = join(import.meta.dirname, "../../src/cli/main.ts");
const TEXT = "@ 60 IN SOA ns1 hostmaster 1 3600 600 86400 60\n@ 60 IN NS ns1\nns1 60 IN A 127.0.0.1\n";

async function serving(t: Test): Promise<{ child: ChildProcess; said: () => string; dns: number }> {
  const { dir, dns, conf } = await makePlace(ZONE, TEXT);
  const child = spawn(process.execPath, [MAIN, "--config", conf, "serve"], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  let said = "";
  for (const stream of [child.stdout, child.stderr]) stream?.on("data", (chunk) => (said += chunk));
  t.teardown(() => {
    child.kill("SIGKILL");
    rmSync(dir, { recursive: true });
  });
  await until("it listens", () => said.includes("listening on"));
  return { child, said: () => said, dns };
}

for (const signal of ["SIGTERM", "SIGINT", "SIGHUP", "SIGQUIT", "SIGUSR2"] as const) {
  t.test(`${signal}: a line for the signal, one for the exit, status 0`, async (t) => {
    const { child, said } = await serving(t);
    child.kill(signal);
    const [status] = await once(child, "close");
    t.equal(status, 0);
    t.match(said(), new RegExp(`${signal} received: stopping\\n[^]*exiting with status 0\\n$`));
  });
}

t.test("SIGSTOP and SIGCONT: a line, and queries are answered again", async (t) => {
  const { child, said, dns } = await serving(t);
  const state = (): string =>
    readFileSync(`/proc/${child.pid}/stat`, "latin1").replace(/^.*\) /, "")[0] ?? "";
  child.kill("SIGSTOP");
  await until("it is stopped", () => state() === "T");
  t.equal(await askUdp(dns, makeQuery(`${ZONE}.`, "SOA"), 300), undefined);
  child.kill("SIGCONT");
  await until("it says so", () => said().includes("SIGCONT received"));
  await until("it answers", async () => (await askUdp(dns, makeQuery(`${ZONE}.`, "SOA"), 300))?.rcode === 0);
});
