/** Unusual containers, on both engines: other network modes, several networks, hostile names and labels. */

import { readFileSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import type { ContainerOptions } from "./container.ts";
import {
  addresses,
  aliases,
  aliasOf,
  apply,
  ENGINES,
  fresh,
  hasAll,
  initializedLab,
  list,
} from "./director.ts";
import { HOST_ADDRESS, ZONE } from "./network.ts";
import { storage } from "./ocdd.ts";
import { run } from "./process.ts";

t.setTimeout(1_200_000);

for (const engine of ENGINES) {
  t.test(`strange containers on ${engine}`, async (t) => {
    const lab = await initializedLab(t, { name: `strange-${engine}`, engine });

    t.test("host, none, container:, internal, macvlan: served or skipped with the reason", async (t) => {
      await lab.docker("network", "create", "--internal", "inside");
      await lab.docker(
        "network",
        "create",
        "-d",
        "macvlan",
        "--subnet",
        "192.168.122.0/24",
        "--ip-range",
        "192.168.122.64/29",
        "-o",
        "parent=ens3",
        "lan",
      );
      await lab.startContainers(
        "plain",
        { name: "onhost", network: "host", env: { PORT: "8888" } },
        { name: "lonely", network: "none" },
        { name: "inner", network: "inside" },
        { name: "sharer", network: "container:plain", env: { PORT: "8080" } },
        { name: "onlan", network: "lan" },
      );
      const { stderr } = await apply(lab);
      const { services, skipped } = await list(lab);
      const by = Object.fromEntries(services.map((one) => [one.name, one.address]));
      const plain = aliasOf(by, "plain");
      t.equal(by.onhost, HOST_ADDRESS, "host: the host's own address");
      t.equal(by.sharer, plain, "container: the address of the one whose network it shares");
      t.equal(by.onlan, (await lab.container("onlan")).address, "macvlan: its own address on the LAN");
      t.same(await aliases(lab), [plain], "one alias for all of them");
      for (const name of ["lonely", "inner"]) {
        t.ok(
          skipped.some((one) => one.container === name && one.reason !== ""),
          `${name} is skipped: ${JSON.stringify(skipped)}`,
        );
        t.match(stderr, name, "and the run says so");
      }
      t.equal(await lab.who(plain), "plain");
      t.equal(await lab.who(`${plain}:8080`), "sharer");
      t.equal(await lab.who(`${HOST_ADDRESS}:8888`), "onhost");
      t.equal(await lab.who(by.onlan ?? ""), "onlan");
    });

    t.test("a container on two networks: the chosen one is used", async (t) => {
      await fresh(lab);
      await lab.docker("network", "create", "aaa");
      await lab.docker("network", "create", "zzz");
      // strict reverse path: an answer must leave by the interface that the question came in by
      await lab.run("host", ["sysctl", "-qw", "net.ipv4.conf.all.rp_filter=1"]);
      for (const [name, labels] of [
        ["both", {}],
        ["chosen", { "ocdd.network": "zzz" }],
        ["first", { "ocdd.network": "aaa" }],
      ] as const) {
        await lab.docker(
          "create",
          "--name",
          name,
          "--network",
          "aaa",
          "-e",
          `PAGE=${name}`,
          ...Object.entries(labels).flatMap(([k, v]) => ["--label", `${k}=${v}`]),
          "lab/web:1",
        );
        await lab.docker("network", "connect", "zzz", name);
        await lab.docker("start", name);
      }
      await apply(lab);
      const { services } = await list(lab);
      t.equal(services.length, 3, "one alias each");
      const network = Object.fromEntries(services.map((one) => [one.name, one.container.network]));
      t.match(network, { chosen: "zzz", first: "aaa" }, "ocdd.network is used");
      for (const one of services) {
        if (one.name === "both")
          t.equal(await lab.who(one.address), "both", `by its default route, ${one.container.network}`);
        else t.equal((await lab.who(one.address)) ?? one.name, one.name, "never another's page");
      }
      await lab.run("host", ["sysctl", "-qw", "net.ipv4.conf.all.rp_filter=0"]);
    });

    if (!hasAll(engine)) return;
    t.test("hostile names and labels: other services are unaffected", async (t) => {
      await fresh(lab);
      const inject = `x"\n-A PREROUTING -p tcp --dport 80 -j DNAT --to-destination 192.168.122.2\n#`;
      const victims: ContainerOptions[] = [{ name: "good" }, { name: "web" }];
      const names = [
        "Web",
        "a_b",
        "a-b",
        "a.b",
        "ns1.",
        "localhost",
        "10.0.0.1",
        "x..y",
        "wpad",
        "dockerhost",
        `l${"o".repeat(4000)}ng`,
      ];
      const labels: Record<string, string>[] = [
        { "ocdd.name": inject },
        { "ocdd.name": "<script>alert(1)</script>" },
        { "ocdd.name": "../../etc/passwd" },
        { "ocdd.name": "a; touch /tmp/ocdd-was-here; $(id) `id`" },
        { "ocdd.name": "x".repeat(100_000) },
        { "ocdd.name": "" },
        { "ocdd.name": "*" },
        { "ocdd.name": "@" },
        { "ocdd.name": "www 60 IN A 10.9.8.7\nwww2" },
        { "ocdd.aliases": `evil\nevil2 IN A 10.9.8.7,${inject},good,*,@,dockerhost` },
        { "ocdd.map": "80:99999,-1:2,x:y,80" },
        { "ocdd.ports": "0,70000/tcp,80/$(id)" },
        { "ocdd.allow": `0.0.0.0/0 -j ACCEPT\n-A INPUT -j DROP` },
        { "ocdd.network": "no-such-network" },
        { "ocdd.enable": "perhaps" },
        {
          "com.docker.compose.project": inject,
          "com.docker.compose.service": "<b>",
          "com.docker.compose.container-number": "-7e3",
        },
        { __proto__: "x", constructor: "y", "ocdd.name": "__proto__" },
      ];
      await lab.startContainers(
        ...names.map((name) => ({ name })),
        ...labels.map((one, index) => ({ name: `h${index}`, labels: one })),
        ...victims,
      );
      const conf = { IP_RANGE_END: "60" };
      const { code, stdout, stderr } = await lab.ocdd([], { conf });
      t.ok(code === 0 || code === 3, `status ${code}: ${stderr}`);
      t.notMatch(
        `${stdout}${stderr}`.replaceAll(/[\n\t]/g, ""),
        /\p{Cc}/u,
        "no control characters on the terminal",
      );
      const table = await addresses(lab, { conf });
      for (const name of ["good", "web", ...names.filter((one) => /^[a-z.-]+$/.test(one))]) {
        const address = table[name];
        if (name === "good" || name === "web") t.ok(address, `${name} is served`);
        if (address !== undefined) t.equal(await lab.who(address), name, name);
      }
      const { services } = await list(lab, { conf });
      const all = services.flatMap((one) => one.names);
      t.same(all, [...new Set(all)], "no name twice");
      for (const name of all)
        t.match(name, /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*$/);
      for (const name of ["dockerhost", "localhost", "ns1", "wpad"])
        t.notOk(all.includes(name), `${name} is reserved`);
      const { stdout: rules } = await lab.run("host", ["iptables-save"]);
      const rule = rules
        .split("\n")
        .filter((line) => /to-destination 192\.168\.122\.2\b|-A INPUT -j DROP/.test(line));
      t.same(rule, [], "no rule from a label");
      const comments = [...rules.matchAll(/--comment (.*?) -j/g)].map((found) => found[1]);
      t.same(
        comments.filter((one) => !/^OCDD-[a-z0-9-]+$/.test(one ?? "")),
        [],
        "letters, digits and hyphens",
      );
      const zone = join(storage(lab), `dns/${ZONE}.zone`);
      const check = await run(["named-checkzone", ZONE, zone], { check: false });
      t.equal(check.code, 0, check.stdout);
      t.notMatch(readFileSync(zone, "utf8"), "10.9.8.7");
      const page = readFileSync(join(storage(lab), "www/index.html"), "utf8");
      // the page has a script of its own, in its head
      t.notMatch(page.slice(page.indexOf("<body")), /<script|<b>|\bon\w+=/i);
      t.equal(
        (await lab.ocdd(["plan", "--detailed-exitcode"], { conf })).code,
        0,
        "and the host has converged",
      );
      t.same((await run(["ls", "/tmp"])).stdout.includes("ocdd-was-here"), false);
    });
  });
}
