/** The lab's office network: four namespaces, one bridge. Nothing of it is in the machine's own network. */

import { existsSync, mkdirSync, rmdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { run } from "./process.ts";

/** Where a program runs: the Docker host, an office PC, IT's server, or the bridge between them. */
export type Place = "host" | "client" | "it" | "lan";

export const DOMAIN = "example.com";
export const ZONE = `toolbox.${DOMAIN}`;
export const HOST_ADDRESS = "192.168.122.200";
export const CLIENT_ADDRESS = "192.168.122.50";
export const IT_ADDRESS = "192.168.122.2";
/** The host's network device has the name that ocdd.conf.example gives it. */
export const HOST_DEVICE = "ens3";

const STATIONS = [
  { place: "host", address: HOST_ADDRESS, device: HOST_DEVICE },
  { place: "client", address: CLIENT_ADDRESS, device: "eth0" },
  { place: "it", address: IT_ADDRESS, device: "eth0" },
] as const;

/** What Debian 12 has after boot; a new namespace has the kernel's, or the machine's own. */
const FRESH_DEBIAN = [
  "net.ipv4.ip_forward=0",
  "net.ipv4.conf.all.rp_filter=0",
  "net.ipv4.conf.default.rp_filter=2",
  "net.ipv4.conf.default.promote_secondaries=1",
  "net.ipv4.conf.default.accept_source_route=0",
  "net.ipv4.conf.all.route_localnet=0",
];

/** The namespace of a place in the lab whose prefix is given. */
export const namespace = (prefix: string, place: string): string => `${prefix}-${place}`;

/** Where a namespace is found as a file. */
export const namespaceFile = (name: string): string => join("/run/netns", name);

/** Build the four namespaces and join three of them by the bridge in the fourth. */
export async function raiseNetwork(prefix: string): Promise<void> {
  const lan = namespace(prefix, "lan");
  await run(["ip", "netns", "add", lan]);
  await run(["ip", "-n", lan, "link", "set", "lo", "up"]);
  await run([
    "ip",
    "-n",
    lan,
    "link",
    "add",
    "br0",
    "type",
    "bridge",
    "forward_delay",
    "0",
    "mcast_snooping",
    "0",
  ]);
  await run(["ip", "-n", lan, "link", "set", "br0", "up"]);
  // Frames that cross the office's switch must not meet the switch's own iptables.
  await run([
    "nsenter",
    `--net=${namespaceFile(lan)}`,
    "sysctl",
    "-qe",
    "-w",
    "net.bridge.bridge-nf-call-iptables=0",
  ]);
  for (const { place, address, device } of STATIONS) await addStation(prefix, place, address, device);
}

/** Put one more machine on the bridge, with a namespace, an address and IT's resolver of its own. */
export async function addStation(
  prefix: string,
  place: string,
  address: string,
  device: string,
): Promise<void> {
  const name = namespace(prefix, place);
  const lan = namespace(prefix, "lan");
  const inside = ["nsenter", `--net=${namespaceFile(name)}`];
  await run(["ip", "netns", "add", name]);
  await run([...inside, "sysctl", "-qe", "-w", ...FRESH_DEBIAN]);
  await run(["ip", "-n", name, "-batch", "-"], {
    input: [
      "link set lo up",
      `link add ${device} type veth peer name p-${place} netns ${lan}`,
      `addr add ${address}/24 brd + dev ${device}`,
      `link set ${device} up`,
      "",
    ].join("\n"),
  });
  await run(["ip", "-n", lan, "link", "set", `p-${place}`, "master", "br0", "up"]);
  await run(["ip", "-n", name, "route", "add", "default", "via", "192.168.122.1"]);
  mkdirSync(join("/etc/netns", name), { recursive: true });
  writeFileSync(
    join("/etc/netns", name, "resolv.conf"),
    `nameserver ${IT_ADDRESS}\nsearch ${DOMAIN}\noptions timeout:1 attempts:2\n`,
  );
}

/** The namespaces of this prefix that exist now, also those of earlier runs. */
export async function namespaces(prefix: string): Promise<string[]> {
  const { stdout } = await run(["ip", "netns", "list"]);
  return stdout
    .split("\n")
    .map((line) => line.split(" ")[0] ?? "")
    .filter((name) => isNamespace(prefix, name));
}

/** Whether a name is that of a place in the lab of this prefix, and not in one whose own name begins in the same way. */
export const isNamespace = (prefix: string, name: string): boolean =>
  name.startsWith(`${prefix}-`) && PLACES.test(name.slice(prefix.length + 1));

/** The stations, their bridge, and machines that a test has added (`addLanHost`). */
const PLACES = /^(?:host|client|it|lan|x\d+-\d+)$/;

/** Delete the namespaces; processes in them must have ended, or the namespaces stay without a name. */
export async function razeNetwork(prefix: string): Promise<void> {
  for (const name of await namespaces(prefix)) {
    await run(["ip", "netns", "del", name], { check: false });
    rmSync(join("/etc/netns", name), { recursive: true, force: true });
  }
  if (existsSync("/etc/netns")) {
    try {
      rmdirSync("/etc/netns");
    } catch {} // namespaces of other labs or other programs are in it
  }
}
