/** The event log: lines in their order, bounded; a disk that takes none costs lines and nothing else. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import t, { type Test } from "tap";
import { eventLog } from "../../../src/host/disk/event-log.ts";

function directory(t: Test): string {
  const path = mkdtempSync(join(tmpdir(), "ocdd-events-"));
  t.teardown(() => rmSync(path, { recursive: true }));
  return path;
}

const numbers = (path: string): unknown[] =>
  readFileSync(path, "utf8")
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line).n);

t.test("lines: one after the other, behind those that are there, readable by all", async (t) => {
  const file = join(directory(t), "events.jsonl");
  const mask = process.umask(0o077);
  t.teardown(() => process.umask(mask));
  for (const first of [0, 10]) {
    const log = eventLog(file);
    for (let n = first; n < first + 10; n++) log.add({ n });
    await log.written();
  }
  t.same(
    numbers(file),
    Array.from({ length: 20 }, (_, n) => n),
  );
  t.equal(statSync(file).mode & 0o777, 0o644);
});

t.test("at its bound: kept as the one before, and a new one begins", async (t) => {
  const file = join(directory(t), "events.jsonl");
  const log = eventLog(file, 30);
  for (let n = 0; n < 8; n++) {
    log.add({ n });
    await log.written();
  }
  t.same(
    [numbers(`${file}.previous`), numbers(file)],
    [
      [3, 4, 5],
      [6, 7],
    ],
    "of three files one has gone",
  );
});

t.test("the rest of a line that a full disk has cut: the next line is whole", async (t) => {
  const file = join(directory(t), "events.jsonl");
  writeFileSync(file, '{"n":1}\n{"n":');
  const log = eventLog(file);
  log.add({ n: 2 });
  await log.written();
  t.same(readFileSync(file, "utf8").split("\n"), ['{"n":1}', '{"n":', '{"n":2}', ""]);
});

t.test(
  "a disk that takes nothing: lines are lost, nothing is thrown, the next ones are written",
  async (t) => {
    const path = join(directory(t), "storage");
    const file = join(path, "events.jsonl");
    const log = eventLog(file);
    log.add({ n: 1 });
    await t.resolves(log.written());
    mkdirSync(path);
    log.add({ n: 2 });
    await log.written();
    t.same(numbers(file), [2]);
  },
);

t.test("more lines than wait for a disk: the later ones are lost", async (t) => {
  const file = join(directory(t), "events.jsonl");
  const log = eventLog(file);
  for (let n = 0; n < 2_000; n++) log.add({ n });
  await log.written();
  const written = numbers(file);
  t.equal(written[0], 0);
  t.ok(written.length < 1_000, `${written.length} lines`);
});

t.test("a link in its place: not followed", async (t) => {
  const path = directory(t);
  writeFileSync(join(path, "other"), "kept");
  symlinkSync("other", join(path, "events.jsonl"));
  const log = eventLog(join(path, "events.jsonl"));
  log.add({ n: 1 });
  await log.written();
  t.equal(readFileSync(join(path, "other"), "utf8"), "kept");
});
