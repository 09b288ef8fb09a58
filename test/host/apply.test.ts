/** Plans on a disk that refuses, and beside a death: the kernel's programs are stubs that write down what they are given. */
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import t from "tap";
import { decide } from "../../src/core/decide.ts";
import { Overtaken } from "../../src/core/errors.ts";
import { withoutAliases } from "../../src/core/forwards/retreat.ts";
import { plan } from "../../src/core/plan.ts";
import { makeMemory } from "../../src/host/kernel/memory.ts";
import { config, container, NOW, observation, ZONE } from "../core/make.ts";

const directory = mkdtempSync(join(tmpdir(), "ocdd-apply-"));
t.teardown(() => rmSync(directory, { recursive: true }));
const log = join(directory, "log");
for (const program of ["ip", "iptables-restore", "conntrack"]) {
  const file = join(directory, program);
  writeFileSync(file, `#!/bin/sh\nread=$(cat)\necho "${program} $* $read" >> ${log}\n`);
  chmodSync(file, 0o755);
}
// where programs are looked for is read once
process.env.PATH = `${directory}:${process.env.PATH}`;
const { apply, PLAIN } = await import("../../src/host/apply.ts");

const one = container({ name: "one", at: "172.17.0.2" });
const two = container({ name: "two", at: "172.17.0.3" });

/** A host that serves both, with its files in a directory of its own. */
function served(storage: string) {
  const conf = {
    ...config(),
    storageDir: join(directory, storage),
    zoneFile: join(directory, storage, "zone"),
  };
  const { desired } = decide(conf, observation({ containers: [one, two] }), NOW);
  const alias = desired.table.leases.find(({ names }) => names.includes("one" as never))?.address;
  if (alias === undefined) throw new Error("one has no address");
  writeFileSync(log, "");
  return { conf, desired, alias };
}

t.test("a name that cannot be withdrawn keeps no rule, no alias and no connection", async (t) => {
  const { conf, desired, alias } = served("nowhere");
  const steps = plan(desired, withoutAliases(desired, new Set([alias])), ZONE);
  t.ok(steps.withdrawal !== null);
  await t.rejects(
    apply(conf, steps, () => false, makeMemory(), PLAIN),
    /could not withdraw names/,
  );
  const done = readFileSync(log, "utf8");
  t.match(done, new RegExp(`ip .*addr del ${alias}/32`));
  t.match(done, /iptables-restore .*OCDD-two/s);
  t.notMatch(done, "OCDD-one");
  t.match(done, `conntrack -D -d ${alias}`);
});

t.test("who has died while his lease was written gets no rule", async (t) => {
  const { conf, desired } = served("storage");
  mkdirSync(conf.storageDir);
  const nothing = decide(conf, observation(), NOW).desired;
  const steps = plan(nothing, desired, ZONE);
  t.ok(steps.tableFirst);
  const waiter = {
    count: 0,
    async keep(waiting: Promise<void>) {
      await waiting;
      this.count += 1;
    },
  };
  await t.rejects(
    apply(conf, steps, () => false, makeMemory(), waiter),
    new Overtaken(),
  );
  t.equal(readFileSync(log, "utf8"), "");
  t.match(readFileSync(join(conf.storageDir, "leases.json"), "utf8"), '"container:one"', "but his lease");
});
