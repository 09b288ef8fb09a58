/** A method's run: its result, its output, once at a time, and stored. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import t, { type Test } from "tap";
import { HostError } from "../../../src/core/errors.ts";
import type { Method } from "../../../src/core/methods/method.ts";
import { type MethodResult, resultOf } from "../../../src/core/methods/results.ts";
import { methodLock, readResults, storeResult } from "../../../src/host/disk/method-results.ts";
import { type MethodRun, methodRunner, resultWords } from "../../../src/lifecycle/methods/run.ts";
import { type Acts, ended, fakeMethods, WEB } from "./fake.ts";

const always = (): boolean => true;
const method = (over: Partial<Method> = {}): Method => ({
  ...{ name: "validate", action: { argv: ["/check"] }, text: "/check", source: "test", timeout: 60 },
  ...over,
});

function place(t: Test, acts: Acts) {
  const base = mkdtempSync(join(tmpdir(), "ocdd-run-"));
  t.teardown(() => rmSync(base, { recursive: true }));
  const paths = { results: join(base, "methods.json"), methods: join(base, "methods") };
  const { docker, ran } = fakeMethods(acts);
  let clock = 1_000_000;
  const now = (): number => clock++;
  const runner = methodRunner({ docker, paths, now, exists: always });
  const lines: string[] = [];
  const run = (over: Partial<MethodRun> = {}) =>
    runner.run({ container: WEB, method: method(), by: "test", onLine: (line) => lines.push(line), ...over });
  const stored = async (name: Method["name"] = "validate"): Promise<MethodResult | undefined> =>
    resultOf(await readResults(paths.results), WEB, name);
  return { paths, ran, run, lines, stored, another: methodRunner({ docker, paths, now, exists: always }) };
}

t.test("a run: its status, its lines as they come, its output, and the stored result", async (t) => {
  const one = place(t, async (request, print) => {
    print("one\nt");
    t.strictSame(one.lines, ["one"], "before it has ended");
    print("error: \u001b[31mno zone\n", "stderr");
    print("wo");
    t.match(request, { container: WEB, argv: ["/check"], timeoutMs: 60_000 });
    return ended(2);
  });
  const result = await one.run();
  t.match(result, {
    ok: false,
    status: 2,
    reason: "two",
    shared: false,
    notStored: null,
    output: "one\nerror: no zone\ntwo",
  });
  t.strictSame(one.lines, ["one", "error: no zone", "two"]);
  const { output, shared, notStored, ...rest } = result;
  t.strictSame(await one.stored(), rest);
  t.ok(rest.endedAt > rest.startedAt);
});

t.test("results: what each end of a command gives", async (t) => {
  const rows: [Awaited<ReturnType<Acts>>, Partial<MethodResult>, string][] = [
    [ended(0), { ok: true, status: 0, reason: null }, "passed"],
    [ended(1), { ok: false, status: 1, reason: "last" }, "failed with status 1: last"],
    [
      ended(null),
      {
        ok: false,
        status: null,
        reason:
          "Docker does not know its exit status: the container was stopped or removed, or Docker restarted",
      },
      "failed: Docker does not know its exit status: the container was stopped or removed, or Docker restarted",
    ],
    [
      { status: null, ended: "timeout", runsOn: false },
      { reason: "it was ended after 60 seconds" },
      "failed: it was ended after 60 seconds",
    ],
    [
      { status: null, ended: "signal", runsOn: false },
      { reason: "it was interrupted" },
      "failed: it was interrupted",
    ],
    [
      { status: null, ended: "timeout", runsOn: true },
      { reason: "it was ended after 60 seconds; it could not be ended and goes on in the container" },
      "failed: it was ended after 60 seconds; it could not be ended and goes on in the container",
    ],
  ];
  for (const [how, want, words] of rows) {
    const one = place(t, async (_, print) => {
      print("first\nlast\n\n");
      return how;
    });
    const result = await one.run();
    t.match(result, want);
    t.equal(resultWords(result), words);
  }
});

t.test("MONITOR: its first line is the reason, also when all is well", async (t) => {
  const one = place(t, async (_, print) => {
    print("\nDISK OK | used=5\nmore\n");
    return ended(0);
  });
  t.match(await one.run({ method: method({ name: "monitor" }) }), { ok: true, reason: "DISK OK | used=5" });
});

t.test("Docker refuses or does not answer: a result with its words", async (t) => {
  const one = place(t, () =>
    Promise.reject(
      new HostError("docker", "Docker at x refused it", {
        cause: Object.assign(new Error("is paused"), { statusCode: 409 }),
      }),
    ),
  );
  t.match(await one.run(), { ok: false, status: null, reason: "is paused", notStored: null });
  t.match(await one.stored(), { reason: "is paused" });
});

t.test("hostile output: bounded, and printable", async (t) => {
  const part = Buffer.alloc(1 << 20, "x".repeat(99_999).concat("\n"));
  const one = place(t, async (_, print) => {
    for (let n = 0; n < 64; n++) print(part);
    return ended(1);
  });
  const { output, reason } = await one.run();
  t.ok(output.length <= 8_000);
  t.equal(reason, "(more than 16777216 octets: the rest is not shown)");
  t.ok(one.lines.every((line) => line.length <= 4_096));
  const odd = place(t, async (_, print) => {
    print(`\u001b]0;x\u0007\0${"\u202e".repeat(5_000)}`);
    return ended(1);
  });
  const second = await odd.run();
  t.notMatch(second.output, /[^\P{C}\n]/u);
  t.ok(Buffer.byteLength(second.reason ?? "") <= 256);
});

t.test("two runs in one process: one command, one result", async (t) => {
  const gate = Promise.withResolvers<void>();
  const one = place(t, async () => {
    await gate.promise;
    return ended(0);
  });
  const both = [one.run(), one.run(), one.run({ method: method({ name: "update" }) })];
  gate.resolve();
  const [first, second] = await Promise.all(both);
  t.strictSame([first?.shared, second?.shared], [false, true]);
  t.equal(first?.startedAt, second?.startedAt);
  t.equal(one.ran.length, 2, "another method is another run");
  t.match(await one.run(), { shared: false });
  t.equal(one.ran.length, 3, "a later run is a run");
});

t.test("a run while another process runs it: the same result, nothing is run", async (t) => {
  const one = place(t, async () => ended(0));
  const release = await methodLock(one.paths.methods, WEB, "validate", 0);
  const waits = one.run();
  const theirs: MethodResult = {
    container: WEB,
    method: "validate",
    ok: false,
    status: 7,
    reason: "theirs",
    startedAt: 5,
    endedAt: 6,
    by: "other",
  };
  await storeResult(one.paths.methods, one.paths.results, theirs, always);
  await release();
  t.match(await waits, { ...theirs, shared: true, output: "" });
  t.strictSame(one.ran, []);
});

t.test("two runners at once, as two processes are: the command runs once", async (t) => {
  const gate = Promise.withResolvers<void>();
  const one = place(t, async () => {
    await gate.promise;
    return ended(3);
  });
  const request: MethodRun = { container: WEB, method: method(), by: "test" };
  const both = [one.run(), one.another.run(request)];
  gate.resolve();
  const results = await Promise.all(both);
  t.equal(one.ran.length, 1);
  t.strictSame(results.map(({ shared }) => shared).sort(), [false, true]);
  t.ok(results.every(({ status }) => status === 3));
});

t.test("a stored result from the future, as when the clock was set back: the method is run", async (t) => {
  const one = place(t, async () => ended(0));
  const old: MethodResult = {
    container: WEB,
    method: "validate",
    ok: true,
    status: 0,
    reason: null,
    startedAt: 8e12,
    endedAt: 9e12,
    by: "old",
  };
  await storeResult(one.paths.methods, one.paths.results, old, always);
  t.match(await one.run(), { shared: false, by: "test" });
  t.equal(one.ran.length, 1);
});

t.test("another process's run that goes on: a signal ends the wait, and a timeout is an error", async (t) => {
  const one = place(t, async () => ended(0));
  const release = await methodLock(one.paths.methods, WEB, "validate", 0);
  const stop = new AbortController();
  const waits = one.run({ signal: stop.signal });
  stop.abort();
  t.match(await waits, { ok: false, reason: "it was interrupted", shared: false });
  await t.rejects(one.run({ method: method({ timeout: -10 }) }), { message: /another ocdd is running/ });
  t.strictSame(one.ran, []);
  await release();
});

t.test("a result that cannot be stored: given all the same, with the reason", async (t) => {
  const one = place(t, async () => ended(0));
  writeFileSync(one.paths.results, '{"schemaVersion":2}');
  t.match(await one.run(), { ok: true, notStored: /newer version/ });
  const nowhere = methodRunner({
    docker: fakeMethods(async () => ended(0)).docker,
    paths: { results: join(one.paths.results, "x"), methods: join(one.paths.results, "x") },
    now: () => 1,
    exists: always,
  });
  t.match(await nowhere.run({ container: WEB, method: method(), by: "test" }), {
    ok: true,
    notStored: /cannot create/,
  });
});
