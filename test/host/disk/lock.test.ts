import {
  chmodSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { execa } from "execa";
import t, { type Test } from "tap";
import { takeLock } from "../../../src/host/disk/lock.ts";
import { type Child, start } from "../child.ts";

const HOLDER = fileURLToPath(new URL("lock-run.ts", import.meta.url));

function place(t: Test): string {
  const directory = mkdtempSync(join(tmpdir(), "ocdd-lock-"));
  t.teardown(() => rmSync(directory, { recursive: true }));
  return join(directory, "ocdd.lock");
}

/** Another process that has the lock. */
async function holder(path: string): Promise<Child> {
  const child = start(HOLDER, path);
  await child.heard((line) => line === "held");
  return child;
}

t.test("a second lock: refused with the holder's process id (O-19)", async (t) => {
  const path = place(t);
  const release = await takeLock(path);
  t.equal(readFileSync(path, "utf8"), `${process.pid}\n`);
  await t.rejects(takeLock(path), {
    fault: "busy",
    message: `another ocdd is running (process ${process.pid}), it holds ${path}`,
    remedy: /try again/,
  });
  await release();
  const again = await takeLock(path);
  await again();
});

t.test("another process killed: its lock is released", async (t) => {
  const path = place(t);
  const child = await holder(path);
  await t.rejects(takeLock(path), { fault: "busy", message: new RegExp(`process ${child.pid}\\)`) });
  await child.kill();
  const release = await takeLock(path);
  t.equal(readFileSync(path, "utf8"), `${process.pid}\n`, "the number of the ended process is replaced");
  await release();
});

t.test("programs that the holder has started: do not keep the lock", async (t) => {
  const path = place(t);
  const release = await takeLock(path);
  const sleeper = execa("sleep", ["60"], { reject: false });
  await release();
  const again = await takeLock(path);
  await again();
  sleeper.kill();
  await sleeper;
});

t.test("any content of the lock file: only a process id is used", async (t) => {
  const path = place(t);
  const child = await holder(path);
  writeFileSync(path, "\u001b[31mrm -rf 12\n");
  const bare = `another ocdd is running, it holds ${path}`;
  await t.rejects(takeLock(path), { message: bare });
  writeFileSync(path, "");
  await t.rejects(takeLock(path), { message: bare });
  const ended = execa("true");
  await ended;
  writeFileSync(path, `${ended.pid}\n`);
  await t.rejects(takeLock(path), { message: bare }, "a process that has ended is not named");
  await child.kill();
});

t.test("the lock file, new or left open by an earlier version, cannot be opened by others", async (t) => {
  const path = place(t);
  const mode = (): number => statSync(path).mode & 0o777;
  await (await takeLock(path))();
  t.equal(mode(), 0o600);
  chmodSync(path, 0o644);
  await (await takeLock(path))();
  t.equal(mode(), 0o600);
});

t.test(
  "a link in the place of the lock file, also a dangling one: an error, and its target stays",
  async (t) => {
    const path = place(t);
    const target = `${path}.target`;
    symlinkSync(target, path);
    await t.rejects(takeLock(path), { fault: "storage", message: /cannot open/ });
    t.notOk(existsSync(target));
    writeFileSync(target, "of another program\n", { mode: 0o644 });
    await t.rejects(takeLock(path), { fault: "storage", message: /cannot open/ });
    t.equal(readFileSync(target, "utf8"), "of another program\n");
    t.equal(statSync(target).mode & 0o777, 0o644);
  },
);

t.test("a disk without room for the process id: the lock is taken", async (t) => {
  const script = 'mount -t tmpfs -o size=4k tmpfs /mnt; head -c 4096 /dev/zero > /mnt/all; exec "$@"';
  const argv = ["--mount", "sh", "-c", script, "sh", process.execPath, HOLDER, "/mnt/lock", "once"];
  const { stdout } = await execa("unshare", argv);
  t.equal(stdout, "held");
});

t.test("a directory that does not exist: an error", async (t) => {
  await t.rejects(takeLock(`${place(t)}/none/lock`), { fault: "storage", message: /cannot open/ });
});
