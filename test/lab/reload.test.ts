/** A range that leaves out the addresses in use: refused by `initialize` and by a reload, until `ocdd --yes` has moved them. */

import { appendFileSync } from "node:fs";
import t from "tap";
import { addresses, aliases, aliasOf, initializedLab } from "./director.ts";
import { writeConf } from "./ocdd.ts";
import { until } from "./process.ts";

t.test("IP_RANGE without the leases, and a `watch` that runs", async (t) => {
  const lab = await initializedLab(t, { name: "reload" });
  await lab.startContainers("one", "two");
  const watch = lab.startOcdd(["watch"]);
  const comes = (what: string, ask: () => Promise<boolean>): Promise<boolean> =>
    until(what, ask).catch((error: Error) => {
      throw new Error(`${error.message}\n${watch.output()}`);
    });
  await comes("both are served", async () => (await aliases(lab)).length === 2);
  const one = aliasOf(await addresses(lab), "one");
  // the commands read a file of their own, which says the same
  const conf = { IP_RANGE_START: "20" };
  appendFileSync(writeConf(lab), "IP_RANGE_START=20\n");

  const refused = await lab.ocdd(["initialize"], { conf });
  t.match(refused, { code: 1, stdout: "", stderr: /2 active leases would end.*\nremedy: .*`ocdd --yes`/ });
  t.equal(await lab.who(one), "one", "it goes on");

  process.kill(watch.pid, "SIGHUP");
  await comes("the refusal is logged", async () => watch.output().includes("the old configuration stays"));
  const status = async (): Promise<string> => (await lab.ocdd(["status"], { conf })).stdout;
  await comes("it is in the status", async () => /^reload +refused .*2 active leases/m.test(await status()));
  t.match(
    (await lab.ocdd(["doctor"], { conf })).stdout,
    /^FAIL watch: runs .* the new one is refused: 2 active/m,
  );

  t.match(await lab.ocdd(["--yes"], { conf }), { code: 0 });
  await comes("it is adopted without a second reload", async () =>
    watch.output().includes("configuration reloaded: what it was refused for is over"),
  );
  await comes("it is no longer in the status", async () => !/^reload/m.test(await status()));
  const moved = await addresses(lab, { conf });
  for (const name of ["one", "two"]) {
    const alias = aliasOf(moved, name);
    t.match(alias, /\.2\d$/);
    t.equal(await lab.who(alias), name);
  }
});
