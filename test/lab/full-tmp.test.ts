/** The place for temporary files is full while `watch` runs: whoever dies is taken down all the same. */

import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { addresses, aliases, aliasOf, initializedLab, waiter } from "./director.ts";
import { run } from "./process.ts";

t.test("no room for temporary files", async (t) => {
  const lab = await initializedLab(t, { name: "full-tmp", dns: false });
  const place = join(lab.dir, "tmp");
  mkdirSync(place);
  await run(["mount", "-t", "tmpfs", "-o", "size=4k,nr_inodes=4", "tmpfs", place]);
  t.teardown(() => run(["umount", "-l", place], { check: false }));
  const watch = lab.startOcdd(["watch"], { env: { TMPDIR: place } });
  t.teardown(() => watch.stop());
  const comes = waiter(watch);
  await lab.startContainers("stays", "goes");
  await comes("both are served", async () => (await aliases(lab)).length === 2);
  const table = await addresses(lab);
  const goes = aliasOf(table, "goes");
  await comes("it answers", async () => (await lab.who(goes)) === "goes"); // a connection is tracked, to be forgotten

  for (const file of ["full", "1", "2", "3"])
    try {
      writeFileSync(join(place, file), "x".repeat(8192));
    } catch {} // that is what fills it
  t.throws(() => mkdirSync(join(place, "more")), /ENOSPC/);
  await lab.docker("stop", "goes");
  await comes("its alias has gone", async () => !(await aliases(lab)).includes(goes));
  await comes("its rule as well", async () => {
    const { stdout } = await lab.run("host", ["iptables-save", "-t", "nat"]);
    return !stdout.includes("OCDD-goes");
  });
  t.equal(await lab.who(aliasOf(table, "stays")), "stays");
  await lab.docker("start", "goes");
  await comes("it is back", async () => (await lab.who(goes)) === "goes");
  t.ok(watch.running(), watch.output());
});
