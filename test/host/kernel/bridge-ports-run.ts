/**
 * Finds bridge ports of processes in network namespaces of their own, for a network namespace of this process's own. Prints what each way finds
 * as JSON. The control group of a container, which only an engine makes, is taken for granted but for one process.
 */
import { spawn } from "node:child_process";
import { readlinkSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { execa } from "execa";
import { openBridgePorts } from "../../../src/host/kernel/bridge-ports.ts";
import { NETLINK_ROUTE, openNetlink } from "../../../src/host/kernel/netlink.ts";
import { encode } from "../../../src/host/kernel/netlink-message.ts";

const ip = (line: string): Promise<unknown> => execa("ip", line.split(" "));
const own = readlinkSync("/proc/self/ns/net");
const children: ReturnType<typeof spawn>[] = [];

/** A process in a network namespace of its own. */
async function inhabitant(): Promise<number> {
  const child = spawn("unshare", ["--net", "sleep", "120"], { stdio: "ignore" });
  children.push(child);
  const pid = child.pid ?? 0;
  while (readlinkSync(`/proc/${pid}/ns/net`) === own) await sleep(5);
  return pid;
}

const members = 12;
const pids: number[] = [];
for (const bridge of ["br0", "br1"]) await ip(`link add ${bridge} type bridge`);
for (let n = 0; n < members; n++) {
  const pid = await inhabitant();
  pids.push(pid);
  await ip(`link add veth${n} type veth peer name eth0 netns ${pid}`);
  await ip(`link set veth${n} master br0`);
}
const [first = 0, second = 0, third = 0, fourth = 0] = pids;
// on two networks
await ip(`link add other type veth peer name eth1 netns ${first}`);
await ip("link set other master br1");
// two ports on one bridge: which is the container's is not known
await ip(`link add double type veth peer name eth1 netns ${second}`);
await ip("link set double master br0");
// a device in the namespace whose other end is none of this one's ports
await ip("link add card type bridge");
await ip(`link add link card name mac0 netns ${third} type macvlan`);

const want = (n: number, bridge = "br0") => ({ id: `container-${n}`, pid: pids[n] ?? 0, bridge });
const all = Array.from({ length: members }, (_, n) => want(n));
const gone = { id: "gone", pid: 2 ** 22, bridge: "br0" };
const stranger = (pid: number): boolean => pid !== fourth;

/** Netlink that counts the octets of answers. */
const netlink = openNetlink(NETLINK_ROUTE);
if ("reason" in netlink) throw new Error(netlink.reason);
let octets = 0;
const counting: typeof netlink = {
  calls: {
    ...netlink.calls,
    ask: (messages, ends) => {
      const replies = netlink.calls.ask(messages, ends);
      for (const message of replies.messages) octets += encode(message, 1).length;
      return replies;
    },
    listInTurns: (question, each) =>
      netlink.calls.listInTurns(question, (message) => {
        octets += encode(message, 1).length;
        each(message);
      }),
  },
};

const shown: Record<string, unknown> = {};
for (const [way, ports] of [
  ["netlink", openBridgePorts(counting, stranger)],
  ["program", openBridgePorts({ reason: "asked for" }, stranger)],
] as const) {
  const one = async (...wanted: Parameters<typeof ports.find>[0]) =>
    Object.fromEntries([...(await ports.find(wanted))].sort(([a], [b]) => (a < b ? -1 : 1)));
  shown[way] = [
    await one(),
    await one(want(0)),
    await one(want(0, "br1")),
    await one(want(1)),
    await one(want(2), want(3), want(4), gone),
    await one(want(5, "br1")),
    await one(want(5, "absent")),
    await one(...all, gone),
  ];
  ports.close();
}
const ports = openBridgePorts(counting, stranger);
octets = 0;
await ports.find([want(7)]);
const few = octets;
octets = 0;
await ports.find(all);
shown.octets = [few > 0, few < octets / 2];
ports.close();
for (const child of children) child.kill("SIGKILL");
console.log(JSON.stringify(shown));
