/** A file that is followed: changes made in place, whatever time the file bears. */
import { renameSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import t, { type Test } from "tap";
import { followFile } from "../../src/serve/follow-file.ts";
import { until } from "../lab/process.ts";

/** Seconds since the epoch: 2001, and 2096. */
const PAST = 1_000_000_000;
const FUTURE = 4_000_000_000;

function followed(t: Test) {
  const path = join(t.testdir({ file: "first" }), "file");
  const seen: string[] = [];
  const one = followFile(path, (found) => void seen.push("octets" in found ? found.octets.toString() : ""));
  t.teardown(() => one.close());
  return { path, seen };
}

t.test("a change in place: read, whether the file's time is now, past or in the future", async (t) => {
  const { path, seen } = followed(t);
  const { ino } = statSync(path);
  const want = ["first"];
  for (const time of [undefined, PAST, FUTURE, FUTURE, undefined]) {
    const text = `${want.length} ${"x".repeat(want.length)}`;
    want.push(text);
    writeFileSync(path, text);
    if (time !== undefined) utimesSync(path, time, time);
    await until(`it is read, with the time ${time ?? "of writing"}`, () => seen.length >= want.length);
    t.strictSame(seen, want, "once, and whole");
  }
  t.equal(statSync(path).ino, ino);
});

t.test(
  "a replacement with a time in the future: read, and what is written in place after it too",
  async (t) => {
    const { path, seen } = followed(t);
    writeFileSync(`${path}.new`, "second");
    utimesSync(`${path}.new`, FUTURE, FUTURE);
    renameSync(`${path}.new`, path);
    await until("it is read", () => seen.length > 1);
    writeFileSync(path, "the third");
    await until("the next one is read", () => seen.length > 2);
    t.strictSame(seen, ["first", "second", "the third"]);
  },
);
