/** Only regular files are opened: what has no end, or an effect when it is opened, is refused at once. */
import { constants, mkdirSync, mkdtempSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import t from "tap";
import {
  NotRegular,
  openRegular,
  readRegular,
  readRegularSync,
  requireRegular,
} from "../../src/platform/regular-file.ts";

const directory = mkdtempSync(join(tmpdir(), "ocdd-regular-"));
t.teardown(() => rmSync(directory, { recursive: true }));
const at = (name: string): string => join(directory, name);

t.test(
  "a path of another kind: refused with what it is, read or opened in any way, also by a link",
  async (t) => {
    await execa("mkfifo", [at("fifo")]);
    mkdirSync(at("directory"));
    const server = createServer().listen(at("socket"));
    t.teardown(() => server.close());
    await new Promise((resolve) => server.once("listening", resolve));
    for (const [path, what] of [
      [at("fifo"), "a pipe and not a file"],
      [at("directory"), "a directory and not a file"],
      [at("socket"), "a socket and not a file"],
      ["/dev/zero", "a device and not a file"],
    ] as const) {
      const link = at("link");
      symlinkSync(path, link);
      for (const one of [path, link]) {
        const refused = { name: "NotRegular", code: "NOT_REGULAR", what, message: `it is ${what}` };
        await t.rejects(readRegular(one, "utf8"), refused);
        for (const flags of [constants.O_WRONLY, constants.O_RDWR, constants.O_WRONLY | constants.O_CREAT])
          await t.rejects(openRegular(one, flags), refused);
        t.throws(() => readRegularSync(one), refused);
      }
      rmSync(link);
      t.throws(() => requireRegular(statSync(path)), NotRegular);
    }
  },
);

t.test("a regular file, also by a link: read, and created with the mode that is wanted", async (t) => {
  writeFileSync(at("file"), Buffer.from([0xc3, 0xa9]));
  symlinkSync("file", at("to-file"));
  for (const path of [at("file"), at("to-file")]) {
    t.equal(await readRegular(path, "utf8"), "é");
    t.equal(await readRegular(path, "latin1"), "\u00c3\u00a9");
    t.equal(readRegularSync(path).toString("hex"), "c3a9");
  }
  const made = await openRegular(at("new"), constants.O_WRONLY | constants.O_CREAT, 0o600);
  await made.close();
  t.equal(statSync(at("new")).mode & 0o777, 0o600);
  await t.rejects(readRegular(at("none"), "utf8"), { code: "ENOENT" });
  t.throws(() => readRegularSync(at("none")), { code: "ENOENT" });
});
