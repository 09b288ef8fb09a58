/** What a package does before it is removed, with programs that note how they are called, on a directory in the place of systemd's. */
import { chmodSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { execa } from "execa";
import t from "tap";
import { textOf } from "../../../packaging/surface.ts";

const MARK = "# Written by ocdd initialize; teardown removes it.\n";
const unit = (conf: string): string =>
  `[Service]\nExecStart=/usr/lib/ocdd/bin/ocdd --config ${conf} watch\nExecReload=/bin/kill -HUP $MAINPID\n`;

t.test("the removal of the package: teardown with the configuration that initialize was given", async (t) => {
  for (const [what, units, conf] of [
    [
      "units of initialize",
      { "ocdd-watch.service": `${MARK}${unit("/opt/ocdd/ocdd.conf")}` },
      "/opt/ocdd/ocdd.conf",
    ],
    ["no unit", {}, "/etc/ocdd/ocdd.conf"],
    [
      "one that OCDD did not write",
      { "ocdd-watch.service": unit("/srv/x.conf"), "ocdd.service": MARK },
      "/etc/ocdd/ocdd.conf",
    ],
  ] as const) {
    const place = t.testdir({ units, bin: {} });
    const called = join(place, "called");
    for (const name of ["ocdd", "deb-systemd-invoke", "systemctl"]) {
      const file = join(place, "bin", name);
      writeFileSync(file, `#!/bin/sh\necho ${name} "$@" >>${called}\n`);
      chmodSync(file, 0o755);
    }
    const script = textOf("packaging/debian/prerm").replaceAll("/etc/systemd/system", join(place, "units"));
    const env = { PATH: `${join(place, "bin")}:${process.env.PATH}` };
    await execa("sh", ["-c", script, "prerm", "remove"], { env });
    const teardown = readFileSync(called, "utf8").match(/^ocdd .*$/gm);
    t.same(teardown, [`ocdd --config ${conf} teardown --yes`], what);
  }
});
