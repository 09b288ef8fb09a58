import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import t from "tap";
import { readTsigFile } from "../../../src/serve/dns/tsig-file.ts";

t.test(
  "the file with the keys: no file, one that others can read, a pipe: no key is used, and why",
  async (t) => {
    const directory = mkdtempSync(join(tmpdir(), "ocdd-tsig-"));
    t.teardown(() => rmSync(directory, { recursive: true }));
    const at = (name: string): string => join(directory, name);
    await execa("mkfifo", ["-m", "600", at("pipe")]);
    mkdirSync(at("directory"));
    chmodSync(at("directory"), 0o700);
    writeFileSync(at("open"), "");
    chmodSync(at("open"), 0o640);
    for (const [name, why] of [
      ["pipe", /pipe: it is a pipe and not a file$/],
      ["directory", /directory: it is a directory and not a file$/],
      ["open", /open: mode 0640 lets others read the keys/],
      ["none", /none: ENOENT.*$/],
    ] as const) {
      const { keys, problems } = readTsigFile(at(name));
      t.equal(keys.size, 0);
      t.match(problems, [why], name);
    }
    const secret = 'key "k" { algorithm hmac-sha256; secret "c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0"; };\n';
    writeFileSync(at("keys"), secret, { mode: 0o600 });
    const { keys, problems } = readTsigFile(at("keys"));
    t.strictSame([keys.size, problems], [1, []]);
  },
);
