/** Addresses, rules and records that are not OCDD's stay; teardown removes everything of OCDD's. */

import { appendFileSync, readFileSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { aliases, apply, ENGINES, hasAll, labFor, succeed } from "./director.ts";
import { HOST_ADDRESS, ZONE } from "./network.ts";
import { storage } from "./ocdd.ts";
import { run } from "./process.ts";

t.setTimeout(1_200_000);

const RULES = `*filter
:MY-OCDD - [0:0]
:XOCDD-FORWARD - [0:0]
-A MY-OCDD -s 10.1.2.3/32 -m comment --comment OCDD-web -j ACCEPT
-I DOCKER-USER -s 10.66.66.66/32 -j DROP
-A INPUT -p tcp -m tcp --dport 31337 -m comment --comment "by hand; OCDD" -j DROP
-I FORWARD -s 10.77.77.77/32 -j DROP
COMMIT
*nat
:CUSTOM - [0:0]
-I PREROUTING -d 192.168.122.25/32 -p tcp -m tcp --dport 99 -j DNAT --to-destination 172.17.0.99
-A CUSTOM -j RETURN
-A POSTROUTING -s 10.88.0.0/16 -o ens3 -j MASQUERADE
COMMIT
*mangle
-A PREROUTING -s 10.99.99.99/32 -j MARK --set-xmark 0x1/0xffffffff
COMMIT
`;

const RECORDS = [
  "printer 300 IN A 192.168.122.240",
  "wiki IN CNAME www.example.com.",
  "@ IN MX 10 mail.example.com.",
  '@ IN TXT "v=spf1 -all; ; by hand"',
  "_ldap._tcp IN SRV 0 5 389 printer",
  "printer IN AAAA fd00:122::240",
];

for (const engine of ENGINES) {
  t.test(`foreign things on ${engine} (O-6, O-7)`, async (t) => {
    const lab = await labFor(t, { name: `survive-${engine}`, engine });
    const foreign = ["192.168.122.12", "192.168.122.77", "10.5.5.5"]; // the first within the pool
    for (const address of foreign)
      await lab.run("host", ["ip", "addr", "add", `${address}/32`, "dev", "ens3"]);
    await lab.run("host", ["ip", "addr", "add", "192.168.122.201/24", "dev", "ens3", "label", "ens3:own"]);
    await lab.run("host", ["iptables-restore", "--noflush"], { input: RULES });
    await lab.startContainers("one", "two", "three");
    const before = await lab.snapshotHost();
    const zone = join(storage(lab), `dns/${ZONE}.zone`);

    const records = async (): Promise<void> => {
      const text = readFileSync(zone, "utf8");
      for (const line of RECORDS) t.ok(text.includes(line), `kept as written: ${line}`);
      const check = await run(["named-checkzone", ZONE, zone], { check: false });
      t.equal(check.code, 0, check.stdout);
    };
    const rules = async (): Promise<void> => {
      const { stdout } = await lab.run("host", ["iptables-save"]);
      const added = RULES.split("\n").filter((line) => /^-[AI]/.test(line));
      for (const line of added) t.ok(stdout.includes(line.slice(line.indexOf(" -") + 1)), line);
    };

    succeed(await lab.ocdd(["initialize"]), "initialize");
    t.equal(await lab.snapshotHost(), before, "initialize has nothing to remove, and removes nothing");
    appendFileSync(zone, `${RECORDS.join("\n")}\n`);
    await apply(lab);
    t.equal(
      (await aliases(lab)).length,
      foreign.length + 3,
      "a pool address that is in use already is not handed out",
    );
    await records();
    for (let count = 0; count < (hasAll(engine) ? 20 : 6); count += 1) {
      if (count % 5 === 0) await lab.docker(count % 2 === 0 ? "stop" : "start", "two");
      await apply(lab);
    }
    await rules();
    await records();
    for (const address of foreign) t.ok((await aliases(lab)).includes(address), address);

    const server = await lab.serve();
    const ask = (name: string, type: string): Promise<string> =>
      lab.dig(`${name}${ZONE}`, type, `@${HOST_ADDRESS}`);
    t.equal(await ask("printer.", "A"), "192.168.122.240");
    t.equal(await ask("printer.", "AAAA"), "fd00:122::240");
    t.equal(await ask("wiki.", "CNAME"), "www.example.com.");
    t.equal(await ask("", "MX"), "10 mail.example.com.");
    t.equal(await ask("", "TXT"), '"v=spf1 -all; ; by hand"');
    t.equal(await ask("_ldap._tcp.", "SRV"), `0 5 389 printer.${ZONE}.`);
    await server.stop();

    const again = await lab.ocdd(["initialize"]);
    succeed(again, "initialize again");
    t.match(
      again.stdout,
      /^- Keeping \d+ address(es)?, the rules of \d+ services? and the index page: they are in use/m,
    );
    t.notMatch(again.stdout, "Removing");
    await rules();
    await records();
    await apply(lab);
    succeed(await lab.ocdd(["teardown", "--yes"]), "teardown");
    await lab.docker("start", "two");
    await records();
    t.equal(sorted(await lab.snapshotHost()), sorted(before), "the host is as it was");
  });
}

/** Docker adds its own rules and ports as containers come and go: their order is not ours. */
const sorted = (text: string): string => text.split("\n").sort().join("\n");
