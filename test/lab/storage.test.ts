/** The director's files, damaged or lost; and Docker with its firewall disabled. */

import { readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { addresses, aliases, apply, initializedLab, labFor, succeed } from "./director.ts";
import { ZONE } from "./network.ts";
import { storage } from "./ocdd.ts";

t.setTimeout(1_200_000);

t.test("files", async (t) => {
  const lab = await initializedLab(t, { name: "storage" });
  await lab.startContainers("one", "two", "three");
  await apply(lab);
  await lab.docker("stop", "two");
  await apply(lab);
  await lab.docker("start", "two");
  await apply(lab);
  const table = await addresses(lab);
  const leaseFiles = readdirSync(storage(lab)).filter((name) => name.startsWith("leases"));
  t.ok(leaseFiles.length >= 2, `the leases and the ones before: ${readdirSync(storage(lab))}`);
  const current = join(storage(lab), leaseFiles.toSorted((a, b) => a.length - b.length)[0] ?? "");
  const spoil = (path: string): void => truncateSync(path, 40);

  t.test("a damaged leases file: the previous one is used", async (t) => {
    spoil(current);
    const { code, stderr } = await lab.ocdd();
    t.equal(code, 0, stderr);
    t.match(stderr, /leases/, "and the run says so");
    t.same(await addresses(lab), table);
  });

  t.test("a leases file with a changed octet: not believed", async (t) => {
    const text = readFileSync(current, "utf8");
    writeFileSync(current, text.replace("192.168.122.11", "192.168.122.19"));
    await apply(lab);
    t.same(await addresses(lab), table);
  });

  t.test("both leases files unreadable: leases are rebuilt from the rules", async (t) => {
    const files = readdirSync(storage(lab)).filter((one) => one.startsWith("leases"));
    for (const name of files) spoil(join(storage(lab), name));
    const { code, stderr } = await lab.ocdd();
    t.equal(code, 0, stderr);
    t.same(await addresses(lab), table);
    for (const [name, address] of Object.entries(table)) t.equal(await lab.who(address), name);
  });

  t.test("the whole storage lost: after initialize and a run every service has an alias", async (t) => {
    rmSync(storage(lab), { recursive: true });
    succeed(await lab.ocdd(["initialize"]), "initialize");
    await apply(lab);
    const now = await addresses(lab);
    for (const [name, address] of Object.entries(now)) t.equal(await lab.who(address), name);
    t.same(await aliases(lab), Object.values(now).sort());
  });

  t.test("an invalid hand-written zone: a warning, and services stay", async (t) => {
    const file = join(storage(lab), `dns/${ZONE}.zone`);
    writeFileSync(file, `${readFileSync(file, "utf8")}\nprinter IN A not-an-address\n`);
    await lab.startContainer({ name: "four" });
    const { code, stderr } = await lab.ocdd();
    t.match(stderr, /not-an-address|printer/);
    t.ok(code === 0 || code === 1 || code === 3, `status ${code}`);
    t.equal(await lab.who((await addresses(lab)).four ?? ""), "four");
    t.match(readFileSync(file, "utf8"), "printer IN A not-an-address", "no hand-written line is lost");
  });
});

t.test("Docker with iptables disabled: aliases work", async (t) => {
  const lab = await labFor(t, { name: "nofirewall", daemon: { iptables: false } });
  await lab.run("host", ["iptables", "-P", "FORWARD", "DROP"]);
  await lab.startContainers("one", "two");
  // a table of chains, once there, does not go; an empty one does nothing
  for (const chain of ["-N", "-X"]) await lab.run("host", ["iptables", "-t", "nat", chain, "NEVER-MIND"]);
  const before = await lab.snapshotHost();
  succeed(await lab.ocdd(["initialize"]), "initialize");
  await apply(lab);
  for (const [name, address] of Object.entries(await addresses(lab))) t.equal(await lab.who(address), name);
  succeed(await lab.ocdd(["teardown", "--yes"]), "teardown");
  t.equal(await lab.snapshotHost(), before);
});
