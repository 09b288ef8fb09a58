/** On both engines: a fresh host, the original's file, one run, access from the office, and teardown. */

import { existsSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { aliases, ENGINES, expectedRun, labFor, lines, list } from "./director.ts";
import { HOST_ADDRESS, ZONE } from "./network.ts";
import { originalStorage } from "./ocdd.ts";
import { run } from "./process.ts";
import { tree } from "./tree.ts";

const original = { original: true } as const;
t.setTimeout(1_200_000);

for (const engine of ENGINES) {
  t.test(`the original's configuration on ${engine}`, async (t) => {
    const lab = await labFor(t, { name: `director-${engine}`, engine });
    const directory = originalStorage(lab);
    const [jenkins, dns] = await lab.startContainers({ name: "jenkins", env: { PORT: "8080" } }, "dns");
    const before = await lab.snapshotHost();

    t.test("initialize", async (t) => {
      const { code, stdout, stderr } = await lab.ocdd(["initialize"], original);
      t.equal(code, 0, stderr);
      const steps = [
        "Initializing OCDD ...",
        "- Building fresh iplist.txt",
        "- Removing OCDD specific iptables rules ...",
        "- Removing additional IP addresses from the network interface - ens3 ...",
        "- Removing services list from web server's index.html",
      ];
      const printed = lines(stdout);
      const places = steps.map((step) => printed.findIndex((line) => line.startsWith(step)));
      t.notOk(places.includes(-1), `every step is printed:\n${stdout}`);
      t.same(
        places,
        places.toSorted((a, b) => a - b),
        "in the original's order",
      );
      const range = Array.from({ length: 20 }, (_, index) => `192.168.122.${11 + index}`);
      t.same(
        lines(readFileSync(join(directory, "iplist.txt"), "utf8")),
        range,
        "iplist.txt: an address a line",
      );
      t.ok(existsSync(join(directory, `dns/${ZONE}.zone`)));
      t.match(readFileSync(join(directory, "www/index.html"), "utf8"), "The ACME ToolBox server");
      t.same(await aliases(lab), []);
    });

    t.test("plan: shows what a run would change, and changes nothing", async (t) => {
      const held = await tree(directory);
      const planned = await lab.ocdd(["plan", "--detailed-exitcode"], original);
      t.equal(planned.code, 2, planned.stderr);
      t.match(planned.stdout, /^\+ address 192\.168\.122\.11$/m);
      t.match(planned.stdout, /^\+ address 192\.168\.122\.12$/m);
      t.equal((await lab.ocdd(["plan"], original)).code, 0);
      t.same(await aliases(lab), []);
      t.same(await tree(directory), held);
    });

    t.test("a run: prints the original's table", async (t) => {
      const { code, stdout, stderr } = await lab.ocdd([], original);
      t.equal(code, 0, stderr);
      t.same(
        lines(stdout),
        expectedRun(
          { dns: dns?.address ?? "", jenkins: jenkins?.address ?? "" },
          { dns: "192.168.122.11", jenkins: "192.168.122.12" },
        ),
      );
      t.equal(stderr, "");
    });

    t.test("each container: answers at its own address on its own port", async (t) => {
      t.same(await aliases(lab), ["192.168.122.11", "192.168.122.12"]);
      t.equal(await lab.who("192.168.122.11"), "dns");
      t.equal(await lab.who("192.168.122.12:8080"), "jenkins");
      const { stdout } = await lab.run("host", ["ip", "-o", "addr", "show", "dev", "ens3"]);
      t.match(stdout, /inet 192\.168\.122\.11\/32 .*ens3:ocdd/, "/32 and labelled");
    });

    t.test("list", async (t) => {
      const { schemaVersion, zone, host, services, skipped } = await list(lab, original);
      t.match({ schemaVersion, zone, host }, { schemaVersion: 1, zone: ZONE, host: HOST_ADDRESS });
      t.same(skipped, []);
      t.same(services.map(({ name }) => name).sort(), ["dns", "jenkins"]);
      t.match(
        services.find(({ name }) => name === "jenkins"),
        {
          names: ["jenkins"],
          fqdn: `jenkins.${ZONE}`,
          address: "192.168.122.12",
          state: "running",
          container: {
            id: jenkins?.id,
            name: "jenkins",
            image: "lab/web:1",
            address: jenkins?.address,
            network: "bridge",
          },
          ports: [{ protocol: "tcp", port: 80 }],
        },
      );
      const text = (await lab.ocdd(["list"], original)).stdout;
      t.match(text, /^.*jenkins.*192\.168\.122\.12.*$/m);
      t.equal((await lab.ocdd(["apply", "--json"], original)).stdout.trim().startsWith("{"), true);
    });

    t.test("zone and page", async (t) => {
      const file = join(directory, `dns/${ZONE}.zone`);
      const check = await run(["named-checkzone", ZONE, file], { check: false });
      t.equal(check.code, 0, check.stdout);
      const printed = await lab.ocdd(["zone"], original);
      t.match(printed.stdout, /jenkins\S*\s+(60\s+)?IN\s+A\s+192\.168\.122\.12/);
      const text = readFileSync(file, "utf8");
      const own = text.split("\n").filter((line) => /\bA\s+192\.168\.122\.1[12]\b/.test(line));
      t.ok(own.length >= 2 && own.every((line) => line.endsWith("; ADDED-BY-OCDD-SCRIPT")), own.join("\n"));
      const page = readFileSync(join(directory, "www/index.html"), "utf8").replace(/<[^>]*>/g, "");
      for (const name of ["dns", "jenkins"]) t.ok(lines(page).includes(`* - ${name}.${ZONE}`), page);
    });

    t.test("a second run changes nothing and writes nothing", async (t) => {
      const held = await tree(directory);
      const host = await lab.snapshotHost();
      const { code, stdout } = await lab.ocdd([], original);
      t.equal(code, 0);
      t.match(stdout, "CONTAINER_COUNT on this docker host is 2 .");
      t.same(await tree(directory), held);
      t.equal(await lab.snapshotHost(), host);
      const planned = await lab.ocdd(["plan", "--detailed-exitcode"], original);
      t.match(planned, { code: 0, stdout: "", stderr: /^nothing to do$/m });
    });

    t.test("no container: no error, everything is removed", async (t) => {
      await lab.docker("stop", "jenkins", "dns");
      const { code, stdout } = await lab.ocdd([], original);
      t.equal(code, 0);
      t.match(stdout, "No containers found!");
      t.same(await aliases(lab), []);
      await lab.docker("start", "jenkins");
      await lab.docker("start", "dns");
      t.equal((await lab.ocdd([], original)).code, 0);
      t.same(await aliases(lab), ["192.168.122.11", "192.168.122.12"], "the hold of the leases is over");
    });

    t.test("teardown: the host is as it was (N-7)", async (t) => {
      const refused = await lab.ocdd(["teardown"], { ...original, input: "" });
      t.not(refused.code, 0, "without a terminal it needs --yes");
      t.equal((await aliases(lab)).length, 2);
      t.equal((await lab.ocdd(["teardown", "--yes"], original)).code, 0);
      t.equal(await lab.snapshotHost(), before);
      t.equal((await lab.ocdd(["teardown", "--yes"], original)).code, 0, "a second teardown changes nothing");
    });

    for (const words of [[], ["initialize"]] as const)
      t.test(
        `rules of the bash script, ${words[0] ?? "no initialize"}: each service keeps its address`,
        async (t) => {
          rmSync(directory, { recursive: true });
          const alias = "192.168.122.23";
          const match = ["-d", alias, "!", "-i", "docker0", "-m", "comment", "--comment", "OCDD-jenkins"];
          const rule = [...match, "-j", "DNAT", "--to-destination", jenkins?.address ?? ""];
          await lab.run("host", ["iptables", "-t", "nat", "-A", "DOCKER", ...rule]);
          await lab.run("host", ["ip", "addr", "add", `${alias}/32`, "dev", "ens3"]);
          if (words.length > 0) t.equal((await lab.ocdd(words, original)).code, 0);
          const { code, stderr } = await lab.ocdd([], original);
          t.same([code, stderr], [0, ""]);
          t.same(await aliases(lab), ["192.168.122.11", alias]);
          t.equal(await lab.who(`${alias}:8080`), "jenkins");
          t.equal(await lab.who("192.168.122.11"), "dns");
          t.ok(existsSync(join(directory, "iplist.txt")));
          t.equal((await lab.ocdd(["teardown", "--yes"], original)).code, 0);
          t.equal(await lab.snapshotHost(), before);
        },
      );
  });
}
