/** Packets through the tables: a host with a bridge, two containers with one address and MAC, another container, a client. Prints JSON. */
import { writeFileSync } from "node:fs";
import { execa } from "execa";
import { type Ipv4, parseCidr, type Range } from "../../../src/core/addresses/ipv4.ts";
import type { Forward } from "../../../src/core/forwards/forward.ts";
import type { Name } from "../../../src/core/services/name.ts";
import { NETLINK_NETFILTER, openNetlink } from "../../../src/host/kernel/netlink.ts";
import { openNftTable } from "../../../src/host/kernel/nft-table.ts";
import { container, lan, type Peer, peer } from "./network.ts";
import { ask, type Question } from "./peer.ts";

const [mode = "full", bridged = "0"] = process.argv.slice(2) as ["guard" | "full", string];
const ALIAS = "10.9.0.1" as Ipv4;
const TARGET = "172.17.0.2" as Ipv4;

const client = peer("client");
const [one, two, other] = [peer("one"), peer("two"), peer("other")];
await lan(client, [ALIAS]);
if (bridged === "1") writeFileSync("/proc/sys/net/bridge/bridge-nf-call-iptables", bridged);
else await execa("sysctl", ["-q", "-w", "net.bridge.bridge-nf-call-iptables=0"], { reject: false });
await container(one, "veth1", TARGET);
await container(other, "veth9", "172.17.0.9");
await other.order({ ip: "link set eth0 address 02:42:ac:11:00:09" });

if (mode === "guard") {
  // as the iptables rules do
  await execa("nft", ["-f", "-"], {
    input: `table ip iptables {
chain pre { type nat hook prerouting priority -100; ip daddr ${ALIAS} dnat to ${TARGET}; }
chain out { type nat hook output priority -100; ip daddr ${ALIAS} dnat to ${TARGET}; }
chain post { type nat hook postrouting priority 100; ip saddr 172.17.0.0/16 ip daddr 172.17.0.0/16 ct status dnat masquerade; }
}`,
  });
} else {
  // a port that Docker publishes on every local address
  await execa("nft", ["-f", "-"], {
    input: `table ip docker { chain pre { type nat hook prerouting priority -100; fib daddr type local tcp dport 8080 dnat to ${TARGET}:8080; }; }`,
  });
}

const pool = [parseCidr("10.9.0.0/28") as Range];
const frame = { pool, subnets: [parseCidr("172.17.0.0/16") as Range] };
const table = openNftTable(openNetlink(NETLINK_NETFILTER));
const forward: Forward = {
  name: "web" as Name,
  alias: ALIAS,
  target: TARGET,
  bridgePort: "veth1",
  map: [],
  ports: null,
  allow: null,
};

async function commit(rest: Partial<Forward>): Promise<void> {
  await table.commit({ frame, forwards: [{ ...forward, ...rest }], damaged: [] }, { mode, markEarly: false });
}

const WAIT_MS = { answer: 5000, silence: 700 };
const question = (protocol: Question["protocol"], wait: number, to: string = ALIAS, port = 80): Question => ({
  protocol,
  to,
  port,
  wait,
});

/** What each way to the alias gives. */
async function ways(kind: keyof typeof WAIT_MS): Promise<Record<string, string>> {
  const wait = WAIT_MS[kind];
  const from = (from: Peer, what: Question["protocol"]): Promise<string> =>
    from.order({ ask: question(what, wait) });
  const all: Record<string, Promise<string>> = {
    "lan tcp": from(client, "tcp"),
    "lan udp": from(client, "udp"),
    "lan ping": from(client, "ping"),
    "host tcp": ask(question("tcp", wait)),
    "host udp": ask(question("udp", wait)),
    "other tcp": from(other, "tcp"),
    "other udp": from(other, "udp"),
    "itself tcp": from(one, "tcp"),
    "itself udp": from(one, "udp"),
  };
  const found: Record<string, string> = {};
  for (const [way, result] of Object.entries(all)) found[way] = await result;
  return found;
}

const flow = (kind: keyof typeof WAIT_MS): Promise<string> =>
  client.order({ ask: { ...question("udp", WAIT_MS[kind]), from: 4444 } });
const drops = async (): Promise<number> =>
  Number(
    /counter packets (\d+)/.exec(
      (await execa("nft", ["list", "chain", "bridge", "ocdd", "guard"])).stdout,
    )?.[1],
  );

const result: Record<string, unknown> = {};
await commit({});
result.right = await ways("answer");
result.flow = await flow("answer");
result.drops = await drops();
await commit({ bridgePort: null });
result.absent = await ways("silence");
await commit({ bridgePort: "veth9" });
result.wrong = await ways("silence");
await commit({});
result.again = (await ways("answer"))["lan tcp"];
await table.revoke([ALIAS]);
result.stale = await flow("silence");

if (mode === "full") {
  await commit({
    map: [{ protocol: "tcp", port: 80, to: 8080 }],
    ports: [{ protocol: "tcp", port: 80 }],
    allow: ["10.9.0.0/24"],
  });
  const tcp = (port: number): object => ({ ask: question("tcp", WAIT_MS.answer, ALIAS, port) });
  result.policy = {
    mapped: await client.order(tcp(80)),
    published: await client.order(tcp(8080)),
    udp: await client.order({ ask: question("udp", WAIT_MS.answer) }),
    "not allowed": await other.order(tcp(80)),
  };
  await execa("nft", ["delete", "table", "ip", "docker"]);
  result.unlisted = await client.order(tcp(8080));
}

// another container gets the address; OCDD is not notified
await commit({});
await flow("answer");
await one.end();
await execa("ip", ["link", "delete", "veth1"], { reject: false });
await container(two, "veth2", TARGET);
const before = await drops();
result.swapped = {
  alias: await client.order({ ask: question("tcp", WAIT_MS.silence) }),
  flow: await flow("silence"),
  address: await client.order({ ask: question("tcp", WAIT_MS.answer, TARGET) }),
  dropped: (await drops()) > before,
};
await commit({ bridgePort: "veth2" });
result.taken = await client.order({ ask: question("tcp", WAIT_MS.answer) });
table.close();
await Promise.all([client, two, other].map((each) => each.end()));
console.log(JSON.stringify(result));
process.exit(0);
