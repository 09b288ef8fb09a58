/**
 * The packages for Debian and for RPM: built, checked, installed in a fresh root of this machine's Debian and of sid, run
 * there, upgraded from the version before while services are in use, removed, purged; nothing is left.
 */

import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import t from "tap";
import { buildDeb } from "../../packaging/deb.ts";
import { buildRpm } from "../../packaging/rpm.ts";
import { ENGINES, labFor } from "../lab/director.ts";
import { run } from "../lab/process.ts";
import { ownRoot, sidRoot } from "../lab/root.ts";
import { debLife } from "./deb-life.ts";
import { EARLIER, PackagedHost } from "./packaged-host.ts";
import { rpmLife } from "./rpm-life.ts";

const ROOTS = { debian: ownRoot, sid: sidRoot };

t.setTimeout(1_200_000);

t.test("deb and rpm", async (t) => {
  t.setTimeout(1_200_000);
  const debs = mkdtempSync(join(tmpdir(), "ocdd-debs-"));
  t.teardown(() => rmSync(debs, { recursive: true }));
  // fast rather than small
  const deb = {
    file: await buildDeb(debs, { compression: "gzip" }),
    earlier: await buildDeb(debs, EARLIER),
  };
  const lint = run(["lintian", "--allow-root", "--fail-on", "error", deb.file], {
    check: false,
    timeout: 600_000,
  });

  for (const engine of ENGINES)
    await t.test(`on Debian, ${engine === "sid" ? "sid" : "this machine's"}`, async (t) => {
      const lab = await labFor(t, { name: `deb-${engine}`, engine });
      const host = await PackagedHost.enter(lab, await ROOTS[engine](), debs);
      await debLife(t, host, deb);
      // one root is enough: it is no distribution of RPM's
      if (engine === "sid") return;
      const rpm = {
        file: await buildRpm(debs, { compression: "none" }),
        earlier: await buildRpm(debs, EARLIER),
      };
      await rpmLife(t, host, rpm);
    });

  await t.test("lintian: no error", async (t) => {
    const { code, stdout } = await lint;
    t.equal(code, 0, stdout);
    t.notMatch(stdout, /^E:/m);
    t.ok(readFileSync(deb.file).length < 100e6);
  });
});
