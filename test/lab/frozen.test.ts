/** A disk that does not answer (a frozen file system): ended containers are revoked, running ones are served. */

import { join } from "node:path";
import t from "tap";
import { addresses, aliases, aliasOf, labFor, succeed, waiter } from "./director.ts";
import { storage } from "./ocdd.ts";
import { run } from "./process.ts";

t.test("a disk that does not answer: ended containers are revoked, running ones are served", async (t) => {
  const lab = await labFor(t, { name: "frozen", dns: false });
  const place = storage(lab);
  const image = join(lab.dir, "disk");
  await run(["mkdir", "-p", place]);
  await run(["truncate", "-s", "16M", image]);
  await run(["mkfs.ext4", "-q", image]);
  await run(["mount", "-o", "loop", image, place]);
  t.teardown(() => run(["umount", "-l", place], { check: false }));
  const thaw = () => run(["fsfreeze", "-u", place], { check: false });
  t.teardown(thaw);
  succeed(await lab.ocdd(["initialize"]), "initialize");
  const server = await lab.serve();
  const watch = lab.startOcdd(["watch"]);
  t.teardown(async () => {
    await thaw();
    await watch.stop();
    await server.stop();
  });
  const comes = waiter(watch);
  const doomed = ["first", "second", "third", "fourth"];
  await lab.startContainers("stays", "late", ...doomed);
  await comes("all are served", async () => (await aliases(lab)).length === 6);
  await comes("nothing is left to do", async () => (await lab.ocdd(["plan"])).stdout === "");
  const table = await addresses(lab);
  await lab.docker("stop", "late");
  await comes("one has gone", async () => (await aliases(lab)).length === 5);
  await comes("nothing is left to do", async () => (await lab.ocdd(["plan"])).stdout === "");
  const rules = async (): Promise<string> => (await lab.run("host", ["iptables-save", "-t", "nat"])).stdout;

  const freeze = () => run(["fsfreeze", "-f", place]);
  const ends = async (name: string): Promise<void> => {
    const before = performance.now();
    await lab.docker("stop", "-t", "1", name);
    await comes(`the rule of the ${name} goes`, async () => !(await rules()).includes(`OCDD-${name}`));
    t.comment(`${name}: ${(performance.now() - before).toFixed(0)} ms from the call`);
    // the kernel may take the alias away a little later than the rule: both without the disk
    await comes(
      `the alias of the ${name} goes`,
      async () => !(await aliases(lab)).includes(aliasOf(table, name)),
    );
  };

  // while no run is active
  await freeze();
  await ends("first");
  await ends("second");
  await thaw();
  await comes("nothing is left to do", async () => (await lab.ocdd(["plan"])).stdout === "");

  // while a run has begun to serve a container
  await freeze();
  await lab.docker("start", "late");
  await comes("whose lease is known needs no disk", async () => (await rules()).includes("OCDD-late"));
  await ends("third");
  await ends("fourth");
  t.equal(await lab.who(aliasOf(table, "stays")), "stays", "who lives is served as before");

  await thaw();
  await comes("nothing is left to do", async () => (await lab.ocdd(["plan"])).stdout === "");
  t.same((await aliases(lab)).sort(), [aliasOf(table, "stays"), aliasOf(table, "late")].sort());
  if (!watch.running()) t.fail(watch.output());
});
