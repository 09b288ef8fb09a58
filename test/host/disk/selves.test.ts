/** The file of what containers are told of themselves: who may read it, and when it is there. */
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import t from "tap";
import { closedToOthers } from "../../../src/host/disk/path-permissions.ts";
import { makeSelvesDirectory, writeSelves } from "../../../src/host/disk/selves.ts";

const directory = mkdtempSync(join(tmpdir(), "ocdd-selves-"));
chmodSync(directory, 0o755);
t.teardown(() => rmSync(directory, { recursive: true }));
const mode = (path: string): number => statSync(path).mode & 0o777;

t.test("other users cannot enter its directory; what is mounted for `serve` can be read", async (t) => {
  const file = join(directory, "a/private/serve/self.json");
  await writeSelves(file, "{}\n");
  t.equal(readFileSync(file, "utf8"), "{}\n");
  t.equal(await closedToOthers(file), join(directory, "a/private"));
  t.strictSame([mode(dirname(file)), mode(file)], [0o755, 0o644]);
  await writeSelves(file, "");
  t.notOk(existsSync(file), "without text there is none");
  await writeSelves(file, "");
});

t.test(
  "a directory that was opened to others is closed; its group stays as the operator set it",
  async (t) => {
    const file = join(directory, "b/private/serve/self.json");
    const closed = join(directory, "b/private");
    for (const [before, after] of [
      [0o755, 0o750],
      [0o777, 0o770],
      [0o710, 0o710],
    ] as const) {
      rmSync(closed, { recursive: true, force: true });
      mkdirSync(closed, { recursive: true });
      chmodSync(closed, before);
      await makeSelvesDirectory(file);
      t.equal(mode(closed), after);
    }
  },
);

t.test("a link in its place is not followed", async (t) => {
  const target = join(directory, "elsewhere");
  mkdirSync(target);
  chmodSync(target, 0o755);
  mkdirSync(join(directory, "c"));
  symlinkSync(target, join(directory, "c/private"));
  await t.rejects(
    writeSelves(join(directory, "c/private/serve/self.json"), "{}\n"),
    /cannot create .*private/,
  );
  t.equal(mode(target), 0o755);
});
