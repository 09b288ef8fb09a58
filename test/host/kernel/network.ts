/** Machines around the host of a test: each a process in a network namespace of its own. */
import { writeFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { execa } from "execa";

const PEER = fileURLToPath(new URL("peer.ts", import.meta.url));
const PORTS = [80, 8080];

/** A process in a network namespace of its own. */
export interface Peer {
  readonly pid: number;
  order(order: object): Promise<string>;
  end(): Promise<void>;
}

/** Starts a machine without network. */
export function peer(name: string): Peer {
  const child = execa("unshare", ["--net", process.execPath, PEER, name], { reject: false, buffer: false });
  const waiting = new Map<number, (result: string) => void>();
  createInterface({ input: child.stdout }).on("line", (line) => {
    const { id, result } = JSON.parse(line) as { id: number; result: string };
    waiting.get(id)?.(result);
  });
  let last = 0;
  return {
    pid: child.pid ?? 0,
    order: (order) =>
      new Promise((resolve) => {
        waiting.set(++last, resolve);
        child.stdin.write(`${JSON.stringify({ id: last, order })}\n`);
      }),
    async end() {
      child.stdin.end();
      await child;
    },
  };
}

/** Lines for `ip -batch`. */
export const ip = (input: string): Promise<unknown> => execa("ip", ["-batch", "-"], { input });

/** Makes it a container: its veth is a port of the bridge with hairpin, as OCDD sets it. All of them have one MAC. */
export async function container(one: Peer, port: string, address: string, bridge = "br0"): Promise<void> {
  // its namespace is there once it has answered
  await one.order({ ip: "link set lo up" });
  await ip(`link add ${port} type veth peer name tmp0
link set tmp0 netns ${one.pid}
link set ${port} master ${bridge} up
link set ${port} type bridge_slave hairpin on`);
  await one.order({
    ip: `link set tmp0 name eth0 address 02:42:ac:11:00:02
addr add ${address}/16 dev eth0
link set eth0 up
route add default via ${address.replace(/\d+$/, "1")}`,
  });
  await one.order({ serve: PORTS });
}

/** Addresses of `lan`: the host's own, and that of the client. */
export const LAN_HOST = "10.9.0.254";
export const LAN_CLIENT = "10.9.0.253";

/**
 * Makes this namespace a Docker host with the bridge br0 (172.17.0.1/16), and with these aliases on its device lan0; the client
 * is on the same LAN and reaches everything by the host.
 */
export async function lan(client: Peer, aliases: readonly string[]): Promise<void> {
  await client.order({ ip: "link set lo up" });
  await ip(`link set lo up
link add br0 type bridge
addr add 172.17.0.1/16 dev br0
link set br0 up
link add lan0 type veth peer name tmp0
link set tmp0 netns ${client.pid}
addr add ${LAN_HOST}/24 dev lan0
${aliases.map((alias) => `addr add ${alias}/32 dev lan0`).join("\n")}
link set lan0 up`);
  await client.order({
    ip: `link set tmp0 name eth0\naddr add ${LAN_CLIENT}/24 dev eth0\nlink set eth0 up\nroute add default via ${LAN_HOST}`,
  });
  writeFileSync("/proc/sys/net/ipv4/ip_forward", "1");
}
