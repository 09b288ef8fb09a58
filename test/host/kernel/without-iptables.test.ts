/** The command line on a host where iptables is not installed, in namespaces that end with each program. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { execa } from "execa";
import t, { type Test } from "tap";

const path = (file: string): string => fileURLToPath(new URL(file, import.meta.url));
const [OCDD, WITHOUT] = [path("../../../bin/ocdd"), path("../../lab/without.sh")];
const IPTABLES = "iptables iptables-save iptables-restore";
const DOCKER_29 = path("../../recorded/docker-29.nft");

interface Host {
  readonly firewall: "auto" | "iptables" | "nft";
  /** Driver that Docker names, and the nft input that stands for the rules of Docker or another program. */
  readonly driver: "iptables" | "nftables";
  readonly rules: string;
  /** Programs that are not installed. */
  readonly missing?: string;
}

/** An engine without containers. */
async function engine(t: Test, socket: string, driver: string): Promise<void> {
  const answers: Readonly<Record<string, unknown>> = {
    "/info": { ServerVersion: "29.0.0", FirewallBackend: { Driver: driver } },
    "/version": {},
  };
  const server = createServer(({ url = "" }, reply) => {
    reply.setHeader("content-type", "application/json");
    reply.end(JSON.stringify(answers[url.replace(/\?.*$/, "")] ?? []));
  });
  await new Promise<void>((resolve) => server.listen(socket, resolve));
  t.teardown(() => server.close());
}

function scratch(t: Test): string {
  const directory = mkdtempSync(join(tmpdir(), "ocdd-without-"));
  t.teardown(() => rmSync(directory, { recursive: true }));
  return directory;
}

/** What a program prints in a network of its own, where others are missing. */
async function within(t: Test, missing: string, argv: readonly string[], input = ""): Promise<string> {
  const hidden = ["--net", "--mount", "sh", WITHOUT, scratch(t), missing, ...argv];
  return (await execa("unshare", hidden, { input, reject: false, all: true })).all;
}

const SCRIPT = `conf=$1 rules=$2
shift 2
{ ip link add ens3 type veth peer name uplink
ip link set uplink up
ip link set ens3 up
ip addr add 192.168.122.200/24 dev ens3
echo 1 >/proc/sys/net/ipv4/ip_forward
if [ -n "$rules" ]; then printf %s "$rules" | nft -f -; fi; } >&2
for command in "$@"; do
  ${OCDD} --config "$conf" $command; echo "exit status $?"; echo ----
done`;

/** Runs `ocdd` with each of these arguments on one such host; output and exit status of each. */
async function on(t: Test, host: Host, commands: readonly string[]): Promise<string[]> {
  const directory = scratch(t);
  await engine(t, join(directory, "docker.sock"), host.driver);
  mkdirSync(join(directory, "storage"));
  const conf = join(directory, "ocdd.conf");
  writeFileSync(
    conf,
    `NETWORK_DEVICE=ens3
IP_RANGE=192.168.122.11-192.168.122.20
TOOLBOX_SUBDOMAIN_NAME=toolbox.example.com
STORAGE_DIR=${directory}/storage
DOCKER_SOCKET=${directory}/docker.sock
SERVICES=none
FIREWALL=${host.firewall}
`,
  );
  const argv = ["sh", "-c", SCRIPT, "sh", conf, host.rules, ...commands];
  return (await within(t, host.missing ?? IPTABLES, argv)).split("----\n");
}

t.test(
  "Docker filters with nftables: initialize, a run, doctor and teardown do without iptables",
  async (t) => {
    const host: Host = { firewall: "auto", driver: "nftables", rules: await readFile(DOCKER_29, "utf8") };
    const commands = ["initialize", "apply", "doctor", "teardown --yes"];
    const [initialize, apply, doctor, teardown] = await on(t, host, commands);
    for (const output of [initialize, apply, teardown]) t.match(output, /^exit status 0$/m);
    t.match(doctor, /OK +prerequisites: ip, nft, arping, conntrack, flock are installed/);
    t.match(doctor, /OK +guard: packets to a service reach its own container, or none/);
    t.notMatch(doctor, "iptables");
  },
);

t.test("nothing filters yet: neither auto nor nft asks for iptables", async (t) => {
  for (const firewall of ["auto", "nft"] as const)
    t.match(await on(t, { firewall, driver: "nftables", rules: "" }, ["initialize"]), [/^exit status 0$/m]);
});

t.test("iptables is needed and not installed: initialize and doctor name its package", async (t) => {
  const asks = async (host: Host, says: RegExp): Promise<void> => {
    const [initialize = ""] = await on(t, host, ["initialize"]);
    t.match(initialize, says);
    t.match(initialize, /apt-get install .*iptables/);
    t.notMatch(initialize, /^exit status 0$/m);
  };
  const whole = /not installed: iptables, iptables-save, iptables-restore/;
  await asks({ firewall: "iptables", driver: "iptables", rules: "" }, whole);
  // by a program that is elsewhere: Docker as a snap brings its own
  await asks(
    { firewall: "auto", driver: "iptables", rules: "table ip filter {\n}\n" },
    /iptables-save is not/,
  );
  const part: Host = { firewall: "auto", driver: "iptables", rules: "", missing: "iptables-restore" };
  await asks(part, /not installed: iptables-restore/);
  const [doctor] = await on(t, { firewall: "auto", driver: "iptables", rules: "" }, ["doctor"]);
  t.match(doctor, /FAIL prerequisites: not installed: iptables, iptables-save, iptables-restore/);
});

t.test("neither iptables nor nft is installed: the error names both, the remedy is nftables", async (t) => {
  const host: Host = { firewall: "auto", driver: "nftables", rules: "", missing: `${IPTABLES} nft` };
  const [initialize, doctor] = await on(t, host, ["initialize", "doctor"]);
  t.match(initialize, /iptables is not installed, and nftables cannot be used: nft is not installed/);
  t.match(initialize, /apt-get install nftables/);
  t.match(doctor, /FAIL prerequisites: not installed: nft\n/);
});

t.test("changes by other programs are noticed where iptables is not installed", async (t) => {
  t.equal(await within(t, IPTABLES, [process.execPath, path("firewall-events-run.ts")]), "changed");
});
