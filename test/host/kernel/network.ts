/** Machines around the host of a test: each a process in a network namespace of its own. */
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
