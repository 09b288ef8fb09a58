/** A second `watch` on a host: it ends, or begins when the first one has ended. */
import { mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import t, { type Test } from "tap";
import { alone } from "../../src/director/only-watch.ts";

const NEVER = new AbortController().signal;

function place(t: Test): string {
  const directory = mkdtempSync(join(tmpdir(), "ocdd-only-"));
  t.teardown(() => rmSync(directory, { recursive: true }));
  return join(directory, "watch.lock");
}

/** One that works until it is ended. */
async function first(path: string): Promise<() => Promise<void>> {
  const begun = Promise.withResolvers<void>();
  const over = Promise.withResolvers<void>();
  const ended = alone(path, NEVER, async () => {
    begun.resolve();
    await over.promise;
  });
  await begun.promise;
  return () => {
    over.resolve();
    return ended;
  };
}

t.test("another one runs: refused with its process id, and the work is not done", async (t) => {
  const path = place(t);
  const end = await first(path);
  const work = async (): Promise<void> => void t.fail("it works");
  await t.rejects(alone(path, NEVER, work, 0), {
    fault: "busy",
    message: `another \`ocdd watch\` runs (process ${process.pid})`,
    remedy: new RegExp(`^stop it first: .*kill ${process.pid}\``),
  });
  await end();
});

t.test("while it runs no file is open for writing: the disk can be made read-only", async (t) => {
  const path = place(t);
  const end = await first(path);
  const open = readdirSync("/proc/self/fd").filter((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`) === path;
    } catch {
      return false; // of this listing itself
    }
  });
  const access = open.map((fd) => {
    const [, octal = ""] = /^flags:\s*([0-7]+)$/m.exec(readFileSync(`/proc/self/fdinfo/${fd}`, "utf8")) ?? [];
    return Number.parseInt(octal, 8) & 3;
  });
  t.strictSame(access, [0], "O_RDONLY");
  await end();
});

t.test("another one that is ending: waited for", async (t) => {
  const path = place(t);
  const end = await first(path);
  let worked = false;
  const second = alone(path, NEVER, async () => {
    worked = true;
  });
  t.notOk(worked);
  await end();
  await second;
  t.ok(worked);
});

t.test("aborted while it waits: it ends without the work", async (t) => {
  const path = place(t);
  const end = await first(path);
  const stop = new AbortController();
  const second = alone(path, stop.signal, async () => void t.fail("it works"));
  stop.abort();
  await second;
  await end();
});

t.test("work that fails, or a disk that is not there yet: the lock stands in no way", async (t) => {
  const path = place(t);
  await t.rejects(
    alone(path, NEVER, () => Promise.reject(new Error("a fault"))),
    /a fault/,
  );
  for (const there of [path, join(path, "not-mounted")]) {
    let worked = false;
    await alone(there, NEVER, async () => {
      worked = true;
    });
    t.ok(worked, there);
  }
});
