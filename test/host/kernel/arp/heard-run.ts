/**
 * A machine that claims an alias, on a cable of its own: for a network and a mount namespace. Prints JSON: the claims received
 * before, of this host's own announcement, of the other's, and of its answer to the probe that comes with an announcement.
 */
import { execa } from "execa";
import { parseIpv4 } from "../../../../src/core/addresses/ipv4.ts";
import { openArp } from "../../../../src/host/kernel/arp/probe.ts";

const sh = (line: string): Promise<unknown> => execa(line.split(" ")[0] ?? "", line.split(" ").slice(1));
for (const line of [
  "mount -t tmpfs tmpfs /run",
  "ip netns add other",
  "ip link add ens3 type veth peer name eth0 netns other",
  "ip addr add 192.168.122.200/24 dev ens3",
  "ip link set ens3 up",
  "ip -n other link set eth0 up",
  "ip -n other addr add 192.168.122.11/24 dev eth0",
  "ip -n other addr add 192.168.122.13/24 dev eth0",
])
  await sh(line);

const arp = openArp("ens3");
const inForce = ["192.168.122.11", "192.168.122.12", "192.168.122.13"].flatMap(
  (text) => parseIpv4(text) ?? [],
);
const heard = async (): Promise<string[]> => [...(await arp.heard(inForce))];
const before = await heard();
const [, second, third] = inForce;
await arp.announce(second === undefined ? [] : [second]);
const own = await heard();
let other: string[] = [];
while (other.length === 0) {
  await execa(
    "ip",
    ["netns", "exec", "other", "arping", "-U", "-c", "1", "-w", "1", "-I", "eth0", "192.168.122.11"],
    {
      reject: false,
    },
  );
  other = await heard();
}
// the other machine does nothing by itself now
await arp.announce(third === undefined ? [] : [third]);
let answered: string[] = [];
while (answered.length === 0) answered = await heard();
arp.close();
console.log(JSON.stringify({ before, own, other, answered }));
