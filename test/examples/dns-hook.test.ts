/** The webhook of examples/dns: which requests run `ocdd update`, and how often. */
import { spawn } from "node:child_process";
import { createHmac } from "node:crypto";
import { once } from "node:events";
import { chmodSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import t, { type Test } from "tap";
import { until } from "../lab/process.ts";

const HOOK = fileURLToPath(new URL("../../examples/dns/hook.mjs", import.meta.url));
const SECRET = "0123456789abcdef0123456789abcdef";

/** Notes its arguments, and waits while there is a file `wait`. */
const OCDD = `#!/bin/sh
cd "$(dirname "$0")"
echo "$*" >>calls
while [ -e wait ]; do sleep 0.02; done
printf 'dns  UPDATE  \\033[31mfailed\\n' >&2
exit "$(cat status)"
`;

interface Hook {
  readonly url: string;
  readonly logged: string[];
  file(name: string): string;
  /** How often `ocdd` was run. */
  calls(): number;
}

async function started(t: Test, { wait = false, status = 0 } = {}): Promise<Hook> {
  const directory = t.testdir({ calls: "", status: String(status), secret: `${SECRET}\n`, ocdd: OCDD });
  const file = (name: string): string => join(directory, name);
  if (wait) writeFileSync(file("wait"), "");
  chmodSync(file("ocdd"), 0o755);
  chmodSync(file("secret"), 0o600);
  const env = {
    PATH: `${directory}:${process.env.PATH}`,
    LISTEN: "127.0.0.1:0",
    SECRET_FILE: file("secret"),
  };
  const hook = spawn(process.execPath, [HOOK], { env, stdio: ["ignore", "pipe", "inherit"] });
  t.teardown(() => hook.kill("SIGKILL"));
  const logged: string[] = [];
  const lines = createInterface(hook.stdout).on("line", (line) => logged.push(line));
  const [line = ""] = (await once(lines, "line")) as [string];
  return {
    url: `http://127.0.0.1:${/\d+$/.exec(line)?.[0]}/`,
    logged,
    file,
    calls: () => readFileSync(file("calls"), "utf8").split("\n").length - 1,
  };
}

const signed = (body: string, secret = SECRET): Record<string, string> => ({
  "X-Hub-Signature-256": `sha256=${createHmac("sha256", secret).update(body).digest("hex")}`,
});

async function post(url: string, body: string, headers: Record<string, string>): Promise<number> {
  const answer = await fetch(url, { method: "POST", body, headers });
  await answer.text();
  return answer.status;
}

/** All runs have ended, so many of them. */
const ended = (hook: Hook, runs: number): Promise<boolean> =>
  until(
    `${runs} runs have ended`,
    () => hook.logged.filter((line) => line.startsWith("update of dns:")).length === runs,
  );

t.test("a signed request: 202, ocdd update dns is run, its result is logged", async (t) => {
  const hook = await started(t);
  t.equal(await post(hook.url, '{"ref":"$(reboot)"}', signed('{"ref":"$(reboot)"}')), 202);
  await ended(hook, 1);
  t.equal(readFileSync(hook.file("calls"), "utf8"), "update dns\n", "nothing of the request");
  t.same(hook.logged.slice(1), [
    "127.0.0.1: 202 update of dns: begun",
    "  dns  UPDATE  ?[31mfailed",
    "update of dns: done",
  ]);
});

t.test("GitLab's token: 202", async (t) => {
  const hook = await started(t);
  t.equal(await post(hook.url, "{}", { "X-Gitlab-Token": SECRET }), 202);
  await ended(hook, 1);
});

t.test("a run that fails: its status is logged, the next request is taken", async (t) => {
  const hook = await started(t, { status: 3 });
  for (const run of [1, 2]) {
    t.equal(await post(hook.url, "{}", signed("{}")), 202);
    await ended(hook, run);
  }
  t.equal(hook.logged.at(-1), "update of dns: failed (3)");
});

t.test("not signed, signed wrongly, another method, too large: refused, and nothing is run", async (t) => {
  const hook = await started(t);
  const of = (headers: Record<string, string>, body = "{}"): Promise<number> => post(hook.url, body, headers);
  t.equal(await of({}), 403);
  t.equal(await of(signed("{}", "another secret")), 403, "another secret");
  t.equal(await of(signed("{ }")), 403, "of another body");
  t.equal(await of({ "X-Hub-Signature-256": "sha256=" }), 403, "too short");
  t.equal(
    await of({ "X-Hub-Signature-256": "sha256=x", "X-Gitlab-Token": SECRET }),
    403,
    "the wrong one counts",
  );
  t.equal(await of({ "X-Gitlab-Token": SECRET.slice(1) }), 403, "a part of the token");
  t.equal((await fetch(hook.url)).status, 405);
  const large = "x".repeat((1 << 20) + 1);
  t.equal(await of(signed(large), large), 413);
  t.equal(await of(signed(large.slice(1)), large.slice(1)), 202, "the largest that is taken");
  await ended(hook, 1);
  t.equal(hook.calls(), 1, "only this one");
});

t.test("requests during a run: one at a time, and one more for all of them", async (t) => {
  const hook = await started(t, { wait: true });
  t.equal(await post(hook.url, "{}", signed("{}")), 202);
  await until("it runs", () => hook.calls() === 1);
  for (let n = 0; n < 5; n++) t.equal(await post(hook.url, "{}", signed("{}")), 202);
  t.equal(hook.calls(), 1, "none beside it");

  rmSync(hook.file("wait"));
  await ended(hook, 2);
  t.equal(await post(hook.url, "{}", signed("{}")), 202);
  await ended(hook, 3);
  t.equal(hook.calls(), 3);
});

t.test("settings that cannot be used are refused", async (t) => {
  const directory = t.testdir({ short: "short", open: SECRET });
  chmodSync(join(directory, "short"), 0o600);
  chmodSync(join(directory, "open"), 0o644);
  const good = { LISTEN: "127.0.0.1:0", SECRET_FILE: join(directory, "open") };
  for (const [env, words] of [
    [{ ...good, LISTEN: "localhost" }, /LISTEN=ADDRESS:PORT is missing/],
    [{ ...good, SERVICE: "--all" }, /SERVICE=--all is no name/],
    [good, /can be read by others/],
    [{ ...good, SECRET_FILE: join(directory, "short") }, /fewer than 16 characters/],
    [{ ...good, SECRET_FILE: join(directory, "none") }, /cannot be read: ENOENT/],
  ] as const) {
    const hook = spawn(process.execPath, [HOOK], { env, stdio: ["ignore", "ignore", "pipe"] });
    const said = text(hook.stderr);
    t.equal((await once(hook, "exit"))[0], 78);
    t.match(await said, words);
  }
});
