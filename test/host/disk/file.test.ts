import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { open } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { execa } from "execa";
import t, { type Test } from "tap";
import { newOf } from "../../../src/core/paths.ts";
import {
  makeDirectory,
  makeDurable,
  PRIVATE,
  readOctets,
  readText,
  writeNew,
  writeWhole,
} from "../../../src/host/disk/file.ts";
import { start } from "../child.ts";
import { refusal } from "../refusal.ts";

const WRITER = fileURLToPath(new URL("file-run.ts", import.meta.url));

function place(t: Test): string {
  const directory = mkdtempSync(join(tmpdir(), "ocdd-file-"));
  t.teardown(() => rmSync(directory, { recursive: true }));
  return directory;
}

t.test("a written file: read back as octets or as text", async (t) => {
  const path = join(place(t), "f");
  t.equal(await readText(path), undefined);
  await writeWhole(path, "é\u00ff", { encoding: "latin1" });
  t.equal(readFileSync(path).toString("hex"), "e9ff");
  t.equal(await readOctets(path), "é\u00ff");
  await writeWhole(path, "é日");
  t.equal(await readText(path), "é日");
  t.strictSame(readdirSync(join(path, "..")), ["f"], "nothing is left beside it");
});

t.test("a file that is written over a text that was read: with another one it is left alone", async (t) => {
  const directory = place(t);
  const path = join(directory, "f");
  await writeWhole(path, "one", { over: [""] });
  await writeWhole(path, "two", { over: ["one", "none"] });
  await writeWhole(path, "two", { over: ["one"] }); // as it is to be already
  const changed = { fault: "storage", message: `${path} has been changed by another program` };
  for (const [there, over] of [
    ["edited", "two"],
    ["edited", ""],
    ["", "two"],
  ] as const) {
    writeFileSync(path, there);
    t.match(await refusal(writeWhole(path, "three", { over: [over] })), changed);
    t.equal(readFileSync(path, "utf8"), there);
  }
  rmSync(path);
  t.match(await refusal(writeWhole(path, "three", { over: ["two"] })), changed, "removed");
  symlinkSync("target", path);
  writeFileSync(join(directory, "target"), "edited");
  t.match(await refusal(writeWhole(path, "three", { over: ["two"] })), changed, "by a link");
  t.strictSame(readdirSync(directory).sort(), ["f", "target"], "nothing is left beside it");
});

t.test("a written file, with any umask: readable by others, since serve runs as another user", async (t) => {
  const directory = place(t);
  const before = process.umask(0o077);
  t.teardown(() => process.umask(before));
  await makeDirectory(join(directory, "a/b"));
  await writeWhole(join(directory, "a/b/f"), "x");
  const mode = (path: string): string => (statSync(join(directory, path)).mode & 0o777).toString(8);
  t.strictSame([mode("a"), mode("a/b"), mode("a/b/f")], ["755", "755", "644"]);
});

t.test("a write: file and directory are synced before it resolves", async (t) => {
  const path = join(place(t), "f");
  const handle = await open(join(path, ".."), "r");
  const kind = Object.getPrototypeOf(handle) as { sync: () => Promise<void> };
  await handle.close();
  const { sync } = kind;
  const synced: boolean[] = [];
  kind.sync = function (this: { stat(): Promise<{ isDirectory(): boolean }> }) {
    return this.stat().then(async (s) => {
      // the file before the rename, the directory after it
      t.equal(existsSync(path), s.isDirectory());
      synced.push(s.isDirectory());
      await sync.call(this);
    });
  };
  t.teardown(() => {
    kind.sync = sync;
  });
  await writeWhole(path, "x");
  t.strictSame(synced, [false, true]);
});

t.test("writeNew: a whole file with mode 0644; one that is there, or a link, is not replaced", async (t) => {
  const directory = place(t);
  const before = process.umask(0o077);
  t.teardown(() => process.umask(before));
  const path = join(directory, "f");
  await writeNew(path, "first");
  t.strictSame([readFileSync(path, "utf8"), statSync(path).mode & 0o777], ["first", 0o644]);
  await t.rejects(writeNew(path, "second"), { fault: "storage", message: /EEXIST|exists/ });
  symlinkSync(join(directory, "elsewhere"), join(directory, "link"));
  await t.rejects(writeNew(join(directory, "link"), "x"), { fault: "storage", message: /EEXIST|exists/ });
  t.equal(readFileSync(path, "utf8"), "first");
  t.strictSame(readdirSync(directory).sort(), ["f", "link"], "nothing is left beside it");
});

t.test("an existing directory: keeps its mode", async (t) => {
  const directory = join(place(t), "d");
  mkdirSync(directory);
  chmodSync(directory, 0o750);
  await makeDirectory(directory);
  t.equal((statSync(directory).mode & 0o777).toString(8), "750");
});

t.test("a link in the place of the temporary file: not written through", async (t) => {
  const directory = place(t);
  writeFileSync(join(directory, "victim"), "precious");
  symlinkSync(join(directory, "victim"), newOf(join(directory, "f")));
  await writeWhole(join(directory, "f"), "x");
  t.equal(readFileSync(join(directory, "victim"), "utf8"), "precious");
  t.equal(readFileSync(join(directory, "f"), "utf8"), "x");
});

t.test(
  "a symbolic link, also a dangling one: stays; its target is replaced and keeps mode and group",
  async (t) => {
    const directory = place(t);
    const at = (name: string): string => join(directory, name);
    mkdirSync(at("bind"));
    writeFileSync(at("bind/real.zone"), "old");
    chmodSync(at("bind/real.zone"), 0o640);
    // a group of this process where it may not choose
    const group = process.geteuid?.() === 0 ? 7 : statSync(directory).gid;
    chownSync(at("bind/real.zone"), process.geteuid?.() ?? 0, group);
    symlinkSync("bind/real.zone", at("link.zone"));
    await writeWhole(at("link.zone"), "new", { durability: "later" });
    await makeDurable(at("link.zone"));
    t.equal(readlinkSync(at("link.zone")), "bind/real.zone");
    const { mode, gid } = statSync(at("bind/real.zone"));
    t.strictSame([mode & 0o777, gid], [0o640, group]);
    t.equal(readFileSync(at("bind/real.zone"), "utf8"), "new");
    symlinkSync("bind/later.zone", at("dangling"));
    await writeWhole(at("dangling"), "first");
    t.equal(readFileSync(at("bind/later.zone"), "utf8"), "first");
    t.strictSame(readdirSync(at("bind")).sort(), ["later.zone", "real.zone"]);
  },
);

t.test("a link that another user could have made, also a dangling one: refused", async (t) => {
  const directory = place(t);
  const victim = join(directory, "victim");
  writeFileSync(victim, "precious");
  mkdirSync(join(directory, "www"));
  for (const target of [victim, join(directory, "none")]) {
    const page = join(directory, "www/index.html");
    symlinkSync(target, page);
    chmodSync(join(directory, "www"), 0o777);
    t.match(await refusal(writeWhole(page, "x")), {
      fault: "refused",
      message: /index\.html is a symbolic link that is not followed: .*\/www \(.*mode 0777\)/,
    });
    rmSync(page);
  }
  t.equal(readFileSync(victim, "utf8"), "precious");
  t.strictSame(readdirSync(directory).sort(), ["victim", "www"]);
});

t.test("a private file, also in place of a public one: closed to others", async (t) => {
  const path = join(place(t), "f");
  writeFileSync(path, "");
  chmodSync(path, 0o644);
  await writeWhole(path, "x", { durability: "later", mode: PRIVATE });
  t.equal(statSync(path).mode & 0o777, 0o600);
});

t.test("a failed write: the error has the reason and the remedy", async (t) => {
  const directory = place(t);
  t.match(await refusal(writeWhole(join(directory, "none/f"), "x")), {
    fault: "storage",
    message: /cannot write .*none\/f: no such file or directory/,
    remedy: /ocdd initialize/,
  });
  mkdirSync(join(directory, "dir"));
  t.match(await refusal(writeWhole(join(directory, "dir"), "x")), {
    fault: "storage",
    message: /cannot write/,
  });
  t.match(await refusal(readText(join(directory, "dir"))), { fault: "storage", message: /cannot read/ });
  writeFileSync(join(directory, "plain"), "");
  t.match(await refusal(makeDirectory(join(directory, "plain/sub"))), {
    fault: "storage",
    message: /cannot create/,
  });
});

/** What the writer prints on a file system of its own, with these options, in a mount namespace of its own. */
async function mounted(options: string, deed: string, directory: string): Promise<unknown> {
  const script = 'mount -t tmpfs -o "$1" tmpfs "$4" && exec "$2" "$3" "$5" "$4"';
  const args = [options, process.execPath, WRITER, directory, deed];
  const unshare = ["--mount", "--propagation", "private", "sh", "-ec", script, "sh", ...args];
  return JSON.parse((await execa("unshare", unshare)).stdout);
}

t.test("a full disk: the old file stays unchanged, and nothing else is left", async (t) => {
  const directory = place(t);
  t.strictSame(await mounted("size=64k,mode=755", "full", directory), {
    fault: "storage",
    message: `cannot write ${directory}/f: no space left on device`,
    remedy: "make room on that file system; nothing has been lost",
    files: ["f"],
    text: "old",
  });
});

t.test("a directory on a read-only file system: the error says so", async (t) => {
  const directory = place(t);
  t.strictSame(await mounted("ro", "read-only", directory), {
    fault: "storage",
    message: `cannot create ${directory}/a/b: read-only file system`,
    remedy: "the file system is read-only; remount it, or set STORAGE_DIR elsewhere",
  });
});

t.test(
  "a writer killed at any moment: the old or the new file is there, and the next write succeeds (O-16)",
  async (t) => {
    const path = join(place(t), "f");
    const seen = new Set<string>();
    for (let round = 0; round < 15; round++) {
      // it writes one content after another; each is its number, 20 000 times
      const child = start(WRITER, "writes", path);
      // at a different point of its work each time
      await child.heard((line) => Number(line) >= 3 + round * 7);
      await child.kill();
      const text = readFileSync(path, "utf8");
      const unit = text.split("\n")[0] ?? "";
      t.equal(text, `${unit}\n`.repeat(20_000), `round ${round}: one whole content`);
      seen.add(unit);
    }
    t.ok(seen.size > 5, `${seen.size} contents were found`);
    await writeWhole(path, "after");
    t.equal(readFileSync(path, "utf8"), "after");
    t.notOk(existsSync(newOf(path)));
  },
);
