/** `ocdd doctor`: OK for each component that works; the broken one and its remedy otherwise. */

import { existsSync, readFileSync, statSync } from "node:fs";
import t, { type Test } from "tap";
import { addresses, aliasOf, apply, initializedLab } from "./director.ts";
import { CLIENT_ADDRESS, HOST_ADDRESS, IT_ADDRESS } from "./network.ts";
import { type OcddOptions, ocddCommand, ocddEnvironment, storage } from "./ocdd.ts";
import { until } from "./process.ts";

t.setTimeout(1_200_000);

t.test("doctor", async (t) => {
  const lab = await initializedLab(t, { name: "doctor" });
  await lab.startContainers("web", "app");
  await apply(lab);
  const table = await addresses(lab);
  const server = await lab.serve();

  const healthy = async (t: Test, args: readonly string[] = []): Promise<void> => {
    const { code, stdout, stderr } = await lab.ocdd(["doctor", ...args]);
    t.equal(code, 0, `${stdout}\n${stderr}`);
    t.match(stdout, /OK/);
  };
  /** Something is broken: doctor says what, names the remedy, and does not repair it. */
  const sick = async (
    t: Test,
    says: RegExp,
    options: OcddOptions = {},
    args: readonly string[] = [],
  ): Promise<void> => {
    const { code, stdout, stderr } = await lab.ocdd(["doctor", ...args], options);
    t.equal(code, 1, `${stdout}\n${stderr}`);
    t.match(`${stdout}\n${stderr}`, says);
  };

  t.test("all components up: every check is OK", async (t) => {
    await healthy(t);
    await healthy(t, ["web"]);
    const { stdout } = await lab.ocdd(["doctor", "--json"]);
    t.equal((JSON.parse(stdout) as { schemaVersion: number }).schemaVersion, 1);
  });

  t.test("the UDP engine: reported", async (t) => {
    t.match(
      (await lab.ocdd(["doctor"])).stdout,
      /^OK +UDP engine: fast, many DNS queries in one system call$/m,
    );
    const listen = { METRICS_LISTEN: `${HOST_ADDRESS}:9553`, METRICS_ALLOW: CLIENT_ADDRESS };
    const conf = { ...listen, DNS_PORT: "5300", WEB_PORT: "8000" };
    const silent = await lab.ocdd(["doctor"], { conf });
    t.match(silent.stdout, /^- +UDP engine: unknown: ocdd-serve does not answer/m);
    const other = await lab.serve({ conf });
    const { stdout } = await lab.ocdd(["doctor"], { conf });
    t.match(stdout, /^OK +UDP engine: fast, .* \(reported by ocdd-serve\)$/m, "the host itself may read");
    const curl = ["curl", "-sS", "--max-time", "10", `http://${HOST_ADDRESS}:9554/readyz`];
    t.equal((await lab.run("client", curl)).stdout, "ok", "METRICS_ALLOW names it");
    const { code, stdout: none } = await lab.run("it", curl, { check: false });
    // curl's status: 52 after an end without an answer, 56 after a reset
    t.ok(none === "" && [52, 56].includes(code), `closed unread: ${code} ${none}`);
    t.match(other.output(), `connections from ${IT_ADDRESS} are closed`);
    await other.stop();
  });

  t.test("the forward accept removed: reported with the remedy", async (t) => {
    await lab.run("host", ["iptables", "-F", "OCDD-FORWARD"]);
    await sick(t, /^FAIL forward accept: .*\n +remedy: run `ocdd`$/m);
    await apply(lab);
    await healthy(t);
  });

  t.test("an alias removed: reported with the remedy", async (t) => {
    const alias = aliasOf(table, "web");
    await lab.run("host", ["ip", "addr", "del", `${alias}/32`, "dev", "ens3"]);
    await sick(t, new RegExp(alias.replaceAll(".", "\\.")));
    await sick(t, new RegExp(alias.replaceAll(".", "\\.")), {}, ["web"]);
    await apply(lab);
  });

  t.test("the host's firewall closed to the LAN: reported with the rule and the remedy", async (t) => {
    const rule = ["INPUT", "-i", "ens3", "-p", "udp", "--dport", "53", "-j", "DROP"];
    await lab.run("host", ["iptables", "-I", ...rule]);
    await sick(t, /^FAIL host's firewall: .*53\/udp: -A INPUT.*\n +remedy: .*ufw allow 53\/udp/m);
    await lab.run("host", ["iptables", "-D", ...rule]);
    await healthy(t);
  });

  t.test("a name without a service: reported", async (t) => {
    await sick(t, /nobody/, {}, ["nobody"]);
  });

  t.test("a service asleep: not woken by its check; without watch the check of sleep fails", async (t) => {
    t.match((await lab.ocdd(["doctor"])).stdout, /^- +sleep: no service may sleep/m);
    await lab.startContainer({ name: "sleeper", labels: { "ocdd.wake": "true" } });
    await apply(lab);
    await lab.docker("stop", "sleeper");
    await apply(lab);
    await sick(t, /^FAIL sleep: 1 container may sleep, 1 asleep.*\n +remedy: start `ocdd watch`$/m);
    t.match((await lab.ocdd(["status"])).stdout, /^asleep +1 service\nvisits +start no service/m);
    const watch = lab.startOcdd(["watch"]);
    t.teardown(() => watch.stop());
    const good = async (): Promise<boolean> =>
      /^OK +sleep: .*1 asleep; a visit starts them$/m.test((await lab.ocdd(["doctor"])).stdout);
    await until("watch reads the queue", good);
    await healthy(t, ["sleeper"]);
    t.match((await lab.ocdd(["doctor", "sleeper"])).stdout, /^OK +service sleeper: it is asleep/m);
    t.notMatch((await lab.ocdd(["status"])).stdout, /^visits/m);
    t.match(await lab.docker("inspect", "--format", "{{.State.Status}}", "sleeper"), /^exited/);
    await lab.ocdd(["wake", "sleeper"]);
    t.match(readFileSync(`${storage(lab)}/events.jsonl`, "utf8"), /"event":"start","reason":"ocdd wake"/);
    await watch.stop();
    await lab.removeContainers("sleeper");
    await apply(lab);
    t.match((await lab.ocdd(["list", "--all"])).stdout, /^sleeper .* removed$/m);
  });

  t.test("the server stopped: reported with the remedy", async (t) => {
    await server.stop();
    await sick(t, /^FAIL name server: .*does not answer/m);
  });

  t.test("the delegation missing: reported with the records for IT", async (t) => {
    const directory = `${lab.dir}/forgotten`;
    const conf = {
      TOOLBOX_SUBDOMAIN_NAME: "forgotten.example.com",
      STORAGE_DIR: directory,
      DNS_ZONE_FILE: `${directory}/dns/forgotten.zone`,
    };
    await apply(lab, { conf }, ["initialize"]);
    await apply(lab, { conf });
    await sick(t, /^- +delegation: not checked: the name server/m, { conf });
    const other = await lab.serve({ conf });
    await sick(t, /delegat[\s\S]*forgotten\.example\.com/i, { conf });
    t.match((await lab.ocdd(["doctor"], { conf })).stdout, HOST_ADDRESS, "what IT must enter is said");
    await other.stop();
  });

  t.test(
    "initialize without a configuration, on a terminal: proposes one that avoids what is in use",
    async (t) => {
      await lab.ocdd(["teardown", "--yes"]);
      await lab.run("client", ["ip", "addr", "add", "192.168.122.9/32", "dev", "lo"]);
      await lab.run("host", ["ip", "addr", "add", "192.168.122.15/32", "dev", "ens3"]);
      const file = `${lab.dir}/first/ocdd.conf`;
      const set = [`DOCKER_SOCKET=${lab.dockerSocket}`, `STORAGE_DIR=${lab.dir}/first`].flatMap((key) => [
        "--set",
        key,
      ]);
      const first = (word: string) => ocddCommand(lab, ["--config", file, ...set, word, "--yes"]).join(" ");
      const onTerminal = (input: string) =>
        lab.run("host", ["script", "-qec", first("initialize"), "/dev/null"], {
          check: false,
          input,
          env: ocddEnvironment(),
        });
      const refused = await onTerminal("first.example.com\n\nn\n");
      t.equal(refused.code, 78, refused.stdout);
      t.notOk(existsSync(file), "nothing is written without a yes");
      const { code, stdout } = await onTerminal("no zone\nfirst.example.com\nno range\n\ny\n");
      t.equal(code, 0, stdout);
      t.match(readFileSync(file, "utf8").split("\n"), [
        /^#/,
        "NETWORK_DEVICE=ens3",
        `HOST_IP=${HOST_ADDRESS}`,
        /^#/,
        "IP_RANGE=192.168.122.16-192.168.122.35",
        /^#/,
        "TOOLBOX_SUBDOMAIN_NAME=first.example.com",
      ]);
      t.equal(statSync(file).mode & 0o777, 0o644);
      await lab.run("host", first("teardown").split(" "), { env: ocddEnvironment() });
    },
  );

  t.test(
    "an address that OctoCopDD has left: reported, kept by initialize, removed with --yes",
    async (t) => {
      const left = async () =>
        (await lab.run("host", ["ip", "addr", "show", "dev", "ens3"])).stdout.includes("122.15/32");
      await sick(
        t,
        /^FAIL addresses of OctoCopDD: 192\.168\.122\.15 on ens3 .*\n +remedy: .*initialize --yes/m,
      );
      const kept = await lab.ocdd(["initialize"]);
      t.match(kept, { code: 0, stderr: /192\.168\.122\.15: on ens3 without a rule/ });
      t.ok(await left());
      t.match(await lab.ocdd(["initialize", "--yes"]), { code: 0, stderr: "" });
      t.notOk(await left());
    },
  );

  t.test("Docker stopped: reported, status 1", async (t) => {
    await lab.stopDockerd();
    const { code, stdout, stderr } = await lab.ocdd(["doctor"]);
    t.ok(code === 1 || code === 69, `status ${code}`);
    t.match(`${stdout}${stderr}`, /docker\.sock/);
  });
});
