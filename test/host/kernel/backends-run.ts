/** Both backends beside Docker's rules, with real packets: a client, a container that publishes 8080, one on another bridge. Prints JSON. */
import { readFileSync, writeFileSync } from "node:fs";
import { execa } from "execa";
import type { Firewall } from "../../../src/core/forwards/backend.ts";
import type { Forward } from "../../../src/core/forwards/forward.ts";
import { type ForwardTable, openForwardTable } from "../../../src/host/kernel/forwards.ts";
import { forward, NOTHING, POOL, pathOf } from "../../core/forwards/iptables.ts";
import { container, ip, peer } from "./network.ts";
import { ask } from "./peer.ts";

const [task = "", rules = ""] = process.argv.slice(2);
const [client, web, shop] = [peer("client"), peer("web"), peer("shop")];
await client.order({ ip: "link set lo up" });
const aliases = Array.from({ length: 20 }, (_, i) => `addr add 192.168.122.${11 + i}/32 dev ens3`);
await ip(`link set lo up
link add docker0 type bridge
addr add 172.17.0.1/16 dev docker0
link set docker0 up
link add br-shop type bridge
addr add 172.20.0.1/16 dev br-shop
link set br-shop up
link add ens3 type veth peer name tmp0
link set tmp0 netns ${client.pid}
addr add 192.168.122.200/24 dev ens3
${aliases.join("\n")}
link set ens3 up`);
await client.order({
  ip: "link set tmp0 name eth0\naddr add 192.168.122.50/24 dev eth0\naddr add 192.168.122.99/24 dev eth0\nlink set eth0 up\nroute add default via 192.168.122.200",
});
writeFileSync("/proc/sys/net/ipv4/ip_forward", "1");
await container(web, "veth1", "172.17.0.2", "docker0");
await container(shop, "veth2", "172.20.0.2", "br-shop");

const on = (bridgePort: string, one: Forward): Forward => ({ ...one, bridgePort });
const desired = pathOf([
  on("veth1", forward("192.168.122.11", "172.17.0.2")),
  on("veth2", forward("192.168.122.12", "172.20.0.2")),
  on("veth1", forward("192.168.122.13", "172.17.0.2", { "ocdd.map": "443:8080", "ocdd.ports": "443" })),
  on("veth2", forward("192.168.122.14", "172.20.0.2", { "ocdd.allow": "192.168.122.99" })),
]);

const tcp = (to: string, port = 80, wait = 1500) =>
  ({ protocol: "tcp", to: `192.168.122.${to}`, port, wait }) as const;
const from = (order: ReturnType<typeof tcp>): Promise<string> => client.order({ ask: order });

/** Ways to the aliases, and what must lead nowhere. */
async function ways(): Promise<Record<string, string>> {
  const all: Record<string, Promise<string>> = {
    client: from(tcp("11")),
    udp: client.order({ ask: { ...tcp("11"), protocol: "udp" } }),
    "another bridge": from(tcp("12")),
    host: ask(tcp("11")),
    itself: web.order({ ask: tcp("11") }),
    container: shop.order({ ask: tcp("11") }),
    mapped: from(tcp("13", 443)),
    "not offered": from(tcp("13", 80)),
    "published, not offered": from(tcp("13", 8080)),
    "published by another": from(tcp("12", 8080)),
    "published, no lease": from(tcp("29", 8080)),
    "host, published, no lease": ask(tcp("29", 8080)),
    "not allowed": from(tcp("14")),
    published: from(tcp("200", 8080)),
  };
  const found: Record<string, string> = {};
  for (const [way, result] of Object.entries(all)) found[way] = await result;
  return found;
}

const tables = new Map<Firewall, ForwardTable>();
/** One run of the director with this configuration: an observation, and a commit. */
async function run(firewall: Firewall, path = desired): Promise<unknown> {
  const table = tables.get(firewall) ?? openForwardTable({ pool: POOL, firewall });
  tables.set(firewall, table);
  const before = (await table.read()).dataPath;
  const refused = await table.commit(path);
  if (path.frame === null) await table.removeGuard();
  const { dataPath, firewall: seen } = await table.read();
  const saved = (await execa("iptables-save", ["-t", "nat"])).stdout;
  const { stdout } = await execa("nft", ["list", "map", "ip", "ocdd", "targets"], { reject: false });
  return {
    before: [before.forwards.length, ...before.damaged],
    backend: seen.backend,
    unguarded: seen.unguarded,
    refused,
    forwards: dataPath.forwards.length,
    ports: dataPath.forwards.map(({ bridgePort }) => bridgePort).sort(),
    damaged: dataPath.damaged,
    iptables: saved.match(/-j DNAT --to-destination 172.*OCDD|OCDD-c.* -j DNAT/g)?.length ?? 0,
    nft: /172\.17\.0\.2/.test(stdout),
  };
}

const tasks: Readonly<Record<string, () => Promise<unknown>>> = {
  /** From one backend to the other and back, while a client asks. */
  switch: async () => {
    await execa("iptables-restore", { input: readFileSync(rules, "utf8") });
    const result: Record<string, unknown> = { iptables: await run("auto"), first: await ways() };
    let asking = true;
    const answers: string[] = [];
    const loop = (async () => {
      while (asking) answers.push(await from(tcp("12", 80, 5000)));
    })();
    result.nft = await run("nft");
    const count = answers.length;
    const met = await ways();
    result.back = await run("auto");
    asking = false;
    await loop;
    result.answers = [[...new Set(answers)], count > 0 && answers.length > count];
    result.same = JSON.stringify([met, await ways()]) === JSON.stringify([result.first, result.first]);
    result.again = await run("nft");
    result.removed = await run("nft", NOTHING);
    return result;
  },
  /** Docker 29 with its nftables backend; first without the line of daemon.json. */
  docker29: async () => {
    const text = readFileSync(rules, "utf8");
    await execa("nft", ["-f", "-"], { input: text.replaceAll(/.*ALLOW FW MARK.*\n/g, "") });
    const result: Record<string, unknown> = {
      run: await run("auto"),
      unmarked: await from(tcp("12", 80, 700)),
    };
    await execa("nft", ["-f", "-"], { input: `delete table ip docker-bridges\n${text}` });
    result.marked = await ways();
    result.saved = (await execa("iptables-save")).stdout.includes("OCDD");
    result.iptables = await run("iptables");
    result.back = await run("auto");
    result.left = (await execa("iptables-save")).stdout.includes("OCDD");
    return result;
  },
};
console.log(JSON.stringify(await tasks[task]?.()));
for (const table of tables.values()) table.close();
await Promise.all([client, web, shop].map((each) => each.end()));
process.exit(0);
