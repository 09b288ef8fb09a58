/** A refused run must not delay removals: ended containers are revoked at once. */

import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { addresses, aliases, aliasOf, initializedLab, waiter } from "./director.ts";
import { HOST_ADDRESS, ZONE } from "./network.ts";
import { storage } from "./ocdd.ts";

t.test("runs refused because of a foreign file: an ended container is revoked all the same", async (t) => {
  const lab = await initializedLab(t, { name: "refused-end", dns: false });
  const server = await lab.serve();
  const watch = lab.startOcdd(["watch"]);
  t.teardown(async () => {
    await watch.stop();
    await server.stop();
  });
  const comes = waiter(watch);
  await lab.startContainers("stays", "goes");
  await comes("both are served", async () => (await aliases(lab)).length === 2);
  const table = await addresses(lab);
  const stays = aliasOf(table, "stays");
  const goes = aliasOf(table, "goes");
  const name = (): Promise<string> => lab.dig(`goes.${ZONE}`, `@${HOST_ADDRESS}`);
  await comes("its name answers", async () => (await name()) === goes);

  await lab.docker("network", "create", "--subnet", "192.168.122.24/29", "within"); // in the range, which must not stop runs
  // the run that sees it must not write its own file over the one below
  await comes("the network has been seen", async () => /"within" overlaps the range/.test(watch.output()));
  const services = join(storage(lab), "www/services.json");
  writeFileSync(services, "not ours");
  process.kill(watch.pid, "SIGHUP"); // a full observation
  await comes("the refusal is logged", async () => /services\.json holds something/.test(watch.output()));
  await lab.docker("stop", "goes");
  await comes("its alias has gone", async () => !(await aliases(lab)).includes(goes));
  await comes("its rule as well", async () => {
    const { stdout } = await lab.run("host", ["iptables-save", "-t", "nat"]);
    return !stdout.includes("OCDD-goes");
  });
  t.equal(await lab.who(stays), "stays", "the running container is served as before");

  rmSync(services);
  await lab.docker("start", "goes");
  await comes("it is back", async () => (await lab.who(goes)) === "goes");
  await comes("its name as well", async () => (await name()) === goes);
});
