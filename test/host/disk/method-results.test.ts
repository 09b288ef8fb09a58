/** The file of the methods' results, and the locks of methods. */
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import t, { type Test } from "tap";
import { type MethodResult, resultOf } from "../../../src/core/methods/results.ts";
import { takeLock } from "../../../src/host/disk/lock.ts";
import { methodLock, readResults, storeResult } from "../../../src/host/disk/method-results.ts";
import { id } from "../../core/make.ts";
import { start } from "../child.ts";

const [WEB, DB] = [id("web"), id("db")];
const HOLDER = fileURLToPath(new URL("lock-run.ts", import.meta.url));
const always = (): boolean => true;
const one = (over: Partial<MethodResult> = {}): MethodResult => ({
  ...{
    container: WEB,
    method: "validate",
    ok: true,
    status: 0,
    reason: null,
    startedAt: 1,
    endedAt: 2,
    by: "test",
  },
  ...over,
});

function place(t: Test) {
  const base = mkdtempSync(join(tmpdir(), "ocdd-results-"));
  t.teardown(() => rmSync(base, { recursive: true }));
  return { directory: join(base, "methods"), file: join(base, "methods.json") };
}

t.test("a result: stored, and read again; nothing where there is no file", async (t) => {
  const { directory, file } = place(t);
  t.equal((await readResults(file)).size, 0);
  await storeResult(directory, file, one(), always);
  await storeResult(directory, file, one({ method: "update", ok: false }), always);
  const results = await readResults(file);
  t.strictSame(resultOf(results, WEB, "validate"), one());
  t.match(resultOf(results, WEB, "update"), { ok: false });
});

t.test(
  "a file of a newer version: not written over, and the error says so; a corrupt one is replaced",
  async (t) => {
    const { directory, file } = place(t);
    const newer = '{"schemaVersion":2,"results":{"other":"form"}}';
    writeFileSync(file, newer);
    await t.rejects(storeResult(directory, file, one(), always), {
      fault: "storage",
      message: /newer version/,
    });
    t.equal(readFileSync(file, "utf8"), newer);
    t.equal((await readResults(file)).size, 0);
    for (const text of ["", "\0\0\0", "{", '{"schemaVersion":1,"results":5}', "[".repeat(1_000_000)]) {
      writeFileSync(file, text);
      t.equal((await readResults(file)).size, 0);
      await storeResult(directory, file, one(), always);
      t.strictSame(resultOf(await readResults(file), WEB, "validate"), one());
    }
  },
);

t.test("many results that come at once: all are stored", async (t) => {
  const { directory, file } = place(t);
  const names = Array.from({ length: 200 }, (_, n) => id(`web${n}`));
  await Promise.all(names.map((container) => storeResult(directory, file, one({ container }), always)));
  t.equal((await readResults(file)).size, 200);
});

t.test("a write that fails: the next one is carried out", async (t) => {
  const { directory, file } = place(t);
  const broken = storeResult(join(file, "x"), file, one(), always);
  writeFileSync(file, "");
  const next = storeResult(directory, file, one(), always);
  await t.rejects(broken, { fault: "storage", message: /cannot create/ });
  await next;
  t.equal((await readResults(file)).size, 1);
});

t.test(
  "containers that do not exist any more: their results and locks go, a lock that is held stays",
  async (t) => {
    const { directory, file } = place(t);
    await (await methodLock(directory, WEB, "validate", 0))();
    await (await methodLock(directory, DB, "validate", 0))();
    const release = await methodLock(directory, DB, "update", 0);
    await storeResult(directory, file, one({ container: DB }), always);
    t.equal(readdirSync(directory).length, 4);
    await storeResult(directory, file, one(), (container) => container !== DB);
    t.strictSame([...(await readResults(file)).keys()], [WEB]);
    t.strictSame(
      readdirSync(directory).sort(),
      [`${DB}.update.lock`, `${WEB}.validate.lock`, "results.lock"].sort(),
    );
    await release();
  },
);

t.test("the lock of a method: one at a time; others of it, and of other containers, are free", async (t) => {
  const { directory } = place(t);
  const release = await methodLock(directory, WEB, "validate", 0);
  await t.rejects(methodLock(directory, WEB, "validate", 0), { message: /another ocdd is running/ });
  for (const free of [methodLock(directory, WEB, "update", 0), methodLock(directory, DB, "validate", 0)])
    await (await free)();
  const waits = methodLock(directory, WEB, "validate", 60_000);
  await release();
  await (await waits)();
});

t.test(
  "the lock of a method that another process holds: waited for until it ends, or the signal is aborted",
  async (t) => {
    const { directory } = place(t);
    await (await methodLock(directory, WEB, "validate", 0))();
    const path = join(directory, `${WEB}.validate.lock`);
    const child = start(HOLDER, path);
    await child.heard((line) => line === "held");
    await t.rejects(methodLock(directory, WEB, "validate", 0), {
      fault: "busy",
      message: new RegExp(`${child.pid}`),
    });
    const stop = new AbortController();
    const stopped = methodLock(directory, WEB, "validate", 60_000, stop.signal);
    stop.abort();
    await t.rejects(stopped, { name: "AbortError" });
    const waits = methodLock(directory, WEB, "validate", 60_000);
    await child.kill();
    await (await waits)();
  },
);

t.test("a result while another process writes: after it", async (t) => {
  const { directory, file } = place(t);
  await storeResult(directory, file, one(), always);
  const release = await takeLock(join(directory, "results.lock"));
  const stored = storeResult(directory, file, one({ status: 5 }), always);
  t.match(resultOf(await readResults(file), WEB, "validate"), { status: 0 });
  await release();
  await stored;
  t.match(resultOf(await readResults(file), WEB, "validate"), { status: 5 });
  t.ok(existsSync(file));
});
