/** Reads the devices of this network namespace by netlink and by `ip`, and prints both as JSON. */
import { execa } from "execa";
import { openLinkReader } from "../../../src/host/kernel/addresses.ts";

for (const line of [
  "link set lo up",
  "link add br0 type bridge",
  "link add veth1 type veth peer name inside",
  "link set veth1 master br0",
  "link set veth1 type bridge_slave hairpin on",
  "link add link inside name card type macvlan",
  "link set card master br0",
  "link add many type bridge",
  "addr add 192.0.2.1/24 dev br0",
  "addr add 192.0.2.9/32 dev br0 label br0:ocdd",
  "addr add 2001:db8::1/64 dev br0",
  "addr add 198.51.100.1 peer 198.51.100.2/30 dev inside",
])
  await execa("ip", line.split(" "));
// more than fits into one datagram of the kernel's answer
const many = Array.from(
  { length: 2000 },
  (_, i) => `addr add 10.0.${i >> 8}.${i & 255}/32 dev many label many:x`,
);
await execa("ip", ["-batch", "-"], { input: `${many.join("\n")}\n` });

const readers = [openLinkReader(), openLinkReader({ reason: "asked for" })] as const;
/** Turns of the event loop that other work has during the first. */
let turns = -1;
let reading = true;
const turn = (): void => {
  turns += 1;
  if (reading) setImmediate(turn);
};
turn();
const first = await readers[0].read();
reading = false;
const second = await readers[1].read();
for (const reader of readers) reader.close();
console.log(JSON.stringify([first, second, turns]));
