/** The contract on a real kernel, for a network namespace of this process's own: makes its devices, and a neighbour. */
import { mkdirSync, mkdtempSync, readFileSync, readlinkSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import { makeExits } from "../../src/host/docker/exits.ts";
import { openHost } from "../../src/host/host.ts";
import { openLinkReader } from "../../src/host/kernel/addresses.ts";
import { openArp } from "../../src/host/kernel/arp/probe.ts";
import { openConntrack } from "../../src/host/kernel/conntrack.ts";
import { openForwardTable } from "../../src/host/kernel/forwards.ts";
import { openLinkChanges } from "../../src/host/kernel/link-changes.ts";
import { config, id, ip } from "../core/make.ts";
import { FakeDocker } from "../fake/docker.ts";
import { holdToContract, NAMES } from "./contract.ts";

const ipRoute = (...args: string[]): Promise<unknown> => execa("ip", args);

await ipRoute("link", "set", "lo", "up");
// a namespace that lives as long as its one process: the neighbour
const neighbour = execa("unshare", ["--net", "sleep", "120"], { reject: false });
await ipRoute("link", "add", "ens3", "type", "veth", "peer", "name", "eth0");
await ipRoute("addr", "add", "192.168.122.200/24", "brd", "+", "dev", "ens3");
await ipRoute("addr", "add", "192.168.122.40/32", "dev", "ens3");
await ipRoute("link", "set", "ens3", "up");
await ipRoute("link", "add", "docker0", "type", "bridge");
await ipRoute("addr", "add", "172.17.0.1/16", "dev", "docker0");
for (const name of NAMES) {
  await ipRoute("link", "add", `veth${name}`, "type", "veth", "peer", "name", `eth-${name}`);
  await ipRoute("link", "set", `veth${name}`, "master", "docker0");
}
const own = namespaceOf("self");
for (;;) {
  // it has a namespace of its own as soon as unshare has become sleep
  const pid = String(neighbour.pid);
  if (namespaceOf(pid) !== own) {
    await ipRoute("link", "set", "eth0", "netns", pid);
    const inside = (...argv: string[]): Promise<unknown> => execa("nsenter", ["-t", pid, "-n", ...argv]);
    await inside("ip", "addr", "add", "192.168.122.50/24", "dev", "eth0");
    await inside("ip", "link", "set", "eth0", "up");
    break;
  }
  await new Promise((resolve) => setTimeout(resolve, 5));
}
await execa("iptables-restore", {
  input: readFileSync(new URL("../recorded/docker-20.10.txt", import.meta.url)),
});

const directory = mkdtempSync(join(tmpdir(), "ocdd-contract-"));
mkdirSync(join(directory, "dns"));
mkdirSync(join(directory, "www"));
const settings = config({ STORAGE_DIR: directory });
const docker = new FakeDocker();
const ports = new Map(NAMES.map((name) => [name as string, `veth${name}`]));
const host = openHost(
  settings,
  { docker, exits: makeExits(() => 0) },
  {
    table: openForwardTable(settings),
    arp: openArp(settings.device),
    devices: openLinkReader(),
    links: openLinkChanges(),
    conntrack: openConntrack(),
    // a container's process is found by its control group, which only an engine makes
    bridgePorts: {
      find: async (wanted) =>
        new Map(
          wanted.flatMap((one) =>
            [...ports].flatMap(([name, port]) => (id(name) === one.id ? [[one.id, port]] : [])),
          ),
        ),
      close: () => undefined,
    },
  },
);
try {
  await holdToContract({
    host,
    config: settings,
    docker,
    ports,
    taken: ip("192.168.122.50"),
    free: ip("192.168.122.51"),
    foreign: async () => {
      const rules = (await execa("iptables-save")).stdout.replace(/^#.*$/gm, "").replace(/\[\d+:\d+\]/g, "");
      const addresses = (await execa("ip", ["-o", "-4", "addr", "show"])).stdout.replace(/valid_lft.*/g, "");
      const links = (await execa("bridge", ["-d", "link", "show"])).stdout;
      const tables = (await execa("nft", ["list", "tables"])).stdout;
      return [rules, addresses, links, tables].join("\n");
    },
  });
} finally {
  host.close();
  neighbour.kill("SIGKILL");
  rmSync(directory, { recursive: true });
}

/** Which network namespace a process is in. */
function namespaceOf(pid: string): string {
  return readlinkSync(`/proc/${pid}/ns/net`);
}
