/**
 * Real packets from a client through a host to a container, each a network namespace, with Docker's recorded rules.
 * For a network and a mount namespace of its own. Prints JSON: the result of each attempt to connect.
 */
import { readFileSync } from "node:fs";
import { execa } from "execa";
import { openIptablesTable } from "../../../src/host/kernel/iptables-table.ts";
import { forward, POOL, pathOf } from "../../core/forwards/iptables.ts";

const [engine = "", rules = ""] = process.argv.slice(2);
const sh = (line: string): Promise<unknown> => execa(line.split(" ")[0] ?? "", line.split(" ").slice(1));

const SERVER = `require("net").createServer((s) => s.end(process.argv[1])).listen(Number(process.argv[2]), () => console.log("ready"))`;
const CLIENT = `
const [to, port, from] = process.argv.slice(1);
const s = require("net").connect({ host: to, port: Number(port), localAddress: from });
const end = (said) => { console.log(said); process.exit() };
s.on("data", (d) => end(String(d))).on("error", (e) => end(e.code));
setTimeout(end, 1500, "silent");`;

/** What puts a program into a network namespace; null is the host's. */
const inside = (where: string | null): string[] => (where === null ? [] : ["ip", "netns", "exec", where]);

/** A server in a network namespace, null for the host's; resolves when it listens. */
async function serve(where: string | null, says: string, port: number): Promise<() => void> {
  const [program = "", ...rest] = [...inside(where), process.execPath, "-e", SERVER, says, String(port)];
  const server = execa(program, rest, { reject: false });
  await new Promise((resolve) => server.stdout.once("data", resolve));
  return () => void server.kill();
}

async function ask(where: string | null, to: string, port: number, from?: string): Promise<string> {
  const argv = ["-e", CLIENT, to, String(port), ...(from === undefined ? [] : [from])];
  const [program = "", ...rest] = [...inside(where), process.execPath, ...argv];
  return (await execa(program, rest)).stdout.trim();
}

for (const line of [
  "mount -t tmpfs tmpfs /run",
  "ip link set lo up",
  "ip netns add client",
  "ip netns add box",
  "ip link add ens3 type veth peer name eth0 netns client",
  "ip addr add 192.168.122.200/24 dev ens3",
  "ip link set ens3 up",
  "ip -n client addr add 192.168.122.50/24 dev eth0",
  "ip -n client addr add 192.168.122.99/24 dev eth0",
  "ip -n client link set eth0 up",
  "ip link add docker0 type bridge",
  "ip addr add 172.17.0.1/16 dev docker0",
  "ip link set docker0 up",
  "ip link add veth1 type veth peer name eth0 netns box",
  "ip link set veth1 master docker0 up",
  "ip -n box addr add 172.17.0.9/16 dev eth0",
  "ip -n box link set eth0 up",
  "ip -n box route add default via 172.17.0.1",
  "sysctl -qw net.ipv4.ip_forward=1",
  ...["12", "17", "30"].map((end) => `ip addr add 192.168.122.${end}/32 dev ens3`),
])
  await sh(line);
await execa("iptables-restore", { input: readFileSync(rules, "utf8") });

const stops = [await serve("box", "box", 8099), await serve(null, "host", 2222)];
const table = openIptablesTable(POOL);
const WANTED = pathOf([
  forward("192.168.122.12", "172.17.0.9", { "ocdd.ports": "8099,2222" }),
  forward("192.168.122.17", "172.17.0.1"),
]);
const run = async (): Promise<readonly string[]> => {
  const { damaged } = (await table.read()).dataPath;
  await table.commit(WANTED);
  return damaged;
};
const alias = (from = "192.168.122.50"): Promise<string> => ask("client", "192.168.122.12", 8099, from);

const tries: Record<string, unknown> = { before: await alias() };
await run();
tries.client = await alias();
tries.host = await ask(null, "192.168.122.12", 8099);
tries.notOffered = await ask("client", "192.168.122.12", 81);
tries.notOfferedToHost = await ask(null, "192.168.122.12", 81);
tries.noLease = await ask("client", "192.168.122.30", 2222);
tries.targetIsHost = await ask("client", "192.168.122.17", 2222);
tries.hostItself = await ask("client", "192.168.122.200", 2222);

// Docker 20.10 ends its chain with RETURN: a rule appended there is never met, with or without OCDD
const place = engine === "28" ? "-A DOCKER-USER" : "-I DOCKER-USER 1";
await sh(`iptables ${place} -s 192.168.122.50 -j DROP`);
tries.operatorDrops = [await alias(), await alias("192.168.122.99")];
await run();
tries.operatorDropsAfterRun = [await alias(), await alias("192.168.122.99")];
await sh("iptables -D DOCKER-USER -s 192.168.122.50 -j DROP");
await sh("iptables -I DOCKER-USER 1 -s 192.168.122.0/24 -j RETURN");
tries.operatorReturns = await alias();

for (const chain of [engine === "28" ? "DOCKER-FORWARD" : "DOCKER-ISOLATION-STAGE-1", "DOCKER-USER"]) {
  await sh(`iptables -D FORWARD -j ${chain}`);
  await sh(`iptables -I FORWARD 1 -j ${chain}`);
}
tries.restarted = await alias();
tries.damaged = await run();
tries.repaired = await alias();
await table.remove();
tries.removed = await alias();
for (const stop of stops) stop();
console.log(JSON.stringify(tries));
