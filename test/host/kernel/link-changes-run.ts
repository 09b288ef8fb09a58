/** Changes devices of this network namespace by netlink or by `ip` (argument), and prints what is there then as JSON. */
import { execa } from "execa";
import { readLinks } from "../../../src/host/kernel/addresses.ts";
import { openLinkChanges } from "../../../src/host/kernel/link-changes.ts";
import { alias } from "../../core/make.ts";

const links = process.argv[2] === "program" ? openLinkChanges({ reason: "asked for" }) : openLinkChanges();
const ip = (line: string): Promise<unknown> => execa("ip", line.split(" "));
for (const line of [
  "link add card type bridge",
  "link set card up",
  "link add br0 type bridge",
  "link add veth1 type veth peer name inside",
  "link set veth1 master br0",
])
  await ip(line);

const shown: unknown[] = [];
const show = async (): Promise<void> => {
  const { addresses, bridgePorts } = await readLinks();
  shown.push([
    ...addresses
      .map(({ device, address, prefix, label }) => `${address}/${prefix} ${device} ${label}`)
      .sort(),
    ...bridgePorts.flatMap(({ name, hairpin }) => (hairpin ? [`${name} hairpin`] : [])),
  ]);
};
const failure = (error: { fault?: string; message: string }): void =>
  void shown.push([error.fault, /(No such device|ENODEV|Cannot find device)/.test(error.message)]);

const all = Array.from({ length: 200 }, (_, i) => alias(`192.0.2.${i + 1}`, "card"));
await links.add([alias("198.51.100.1", "card")]);
// twice: what is there already is no failure
await links.add([alias("198.51.100.1", "card"), alias("198.51.100.2", "card")]);
await links.setHairpin(["gone", "veth1", "card"], "on");
await show();
await links.add(all);
const { stdout } = await execa("ip", ["-4", "-oneline", "addr", "show", "dev", "card"]);
shown.push(stdout.split("\n").length);
await links.remove([
  alias("203.0.113.1", "card"),
  ...all,
  alias("192.0.2.1", "gone"),
  alias("198.51.100.1", "card"),
]);
await links.setHairpin(["veth1"], "off");
await show();
await links.add([alias("198.51.100.3", "gone")]).catch(failure);
links.close();
// a socket that was closed is opened again
await links.remove([alias("198.51.100.2", "card")]);
await show();
links.close();
console.log(JSON.stringify(shown));
