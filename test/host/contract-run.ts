/** The contract on the real host, for a network namespace of this process's own: makes a card with a neighbour on it. */
import { mkdirSync, mkdtempSync, readFileSync, readlinkSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import { apiContainer, apiNetwork, startDockerDouble } from "../../bench/docker-double.ts";
import { openHost } from "../../src/host/host.ts";
import { config, ip } from "../core/make.ts";
import { holdToContract } from "./contract.ts";

const ipRoute = (...args: string[]): Promise<unknown> => execa("ip", args);

await ipRoute("link", "set", "lo", "up");
// a namespace that lives as long as its one process: the neighbour
const neighbour = execa("unshare", ["--net", "sleep", "120"], { reject: false });
await ipRoute("link", "add", "ens3", "type", "veth", "peer", "name", "eth0");
await ipRoute("addr", "add", "192.168.122.200/24", "brd", "+", "dev", "ens3");
await ipRoute("addr", "add", "192.168.122.40/32", "dev", "ens3");
await ipRoute("link", "set", "ens3", "up");
const own = readlinkOf("self");
for (;;) {
  // it has a namespace of its own as soon as unshare has become sleep
  const pid = String(neighbour.pid);
  if (readlinkOf(pid) !== own) {
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
const engine = await startDockerDouble(join(directory, "docker.sock"), {
  containers: [],
  networks: [apiNetwork("bridge", "172.17.0.0/16")],
});
try {
  const settings = config({ STORAGE_DIR: directory, DOCKER_SOCKET: engine.socket });
  await holdToContract({
    host: openHost(settings),
    config: settings,
    run: (containers) => {
      engine.answers.containers = Object.entries(containers).map(([name, address]) =>
        apiContainer({ name, address, created: 1_700_000_000 }),
      );
    },
    taken: ip("192.168.122.50"),
    free: ip("192.168.122.51"),
    foreign: async () => {
      const rules = (await execa("iptables-save")).stdout.replace(/^#.*$/gm, "").replace(/\[\d+:\d+\]/g, "");
      const addresses = (await execa("ip", ["-o", "-4", "addr", "show"])).stdout.replace(/valid_lft.*/g, "");
      return `${rules}\n${addresses}`;
    },
  });
} finally {
  await engine.close();
  neighbour.kill("SIGKILL");
  rmSync(directory, { recursive: true });
}

/** Which network namespace a process is in. */
function readlinkOf(pid: string): string {
  return readlinkSync(`/proc/${pid}/ns/net`);
}
