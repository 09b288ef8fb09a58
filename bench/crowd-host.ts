/**
 * Containers of a simulated engine that also exist in the kernel: Docker's bridges on the benchmark's host, and for each
 * container a process in a control group with its id, in a network namespace of its own behind a bridge port whose name is
 * not used again. So the bridge port of a container can be found by the PID that the engine reports.
 */

import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { execa } from "execa";
import type { Bench } from "./director-host.ts";
import { BRIDGES } from "./engine-answers.ts";

/** A container to start: its id, and the bridge it is on. */
export interface Member {
  readonly id: string;
  readonly bridge: string;
}

export interface Crowd {
  /** Start the containers' processes, each with its bridge port; their PIDs. */
  start(members: readonly Member[]): Promise<number[]>;
  /** Kill a container's process; its port goes with it. */
  end(id: string): Promise<void>;
  down(): Promise<void>;
}

/** Give a container its address and default route. */
export async function giveAddress(pid: number, address: string): Promise<void> {
  const gateway = address.replace(/\d+\.\d+$/, "0.1");
  const input = `link set lo up\nlink set eth0 up\naddr add ${address}/16 dev eth0\nroute add default via ${gateway}\n`;
  await execa("nsenter", ["-t", String(pid), "-n", "ip", "-batch", "-"], { input });
}

/** Docker 20.10's rules with its default bridge alone; traffic that is routed to a container is let through. */
const DOCKER_RULES = `*filter
:DOCKER - [0:0]
:DOCKER-ISOLATION-STAGE-1 - [0:0]
:DOCKER-ISOLATION-STAGE-2 - [0:0]
-A FORWARD -j DOCKER-ISOLATION-STAGE-1
-A FORWARD -o docker0 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-A FORWARD -o docker0 -j DOCKER
-A FORWARD -i docker0 ! -o docker0 -j ACCEPT
-A FORWARD -i docker0 -o docker0 -j ACCEPT
-A DOCKER-ISOLATION-STAGE-1 -i docker0 ! -o docker0 -j DOCKER-ISOLATION-STAGE-2
-A DOCKER-ISOLATION-STAGE-1 -j RETURN
-A DOCKER-ISOLATION-STAGE-2 -o docker0 -j DROP
-A DOCKER-ISOLATION-STAGE-2 -j RETURN
COMMIT
*nat
:DOCKER - [0:0]
-A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER
-A OUTPUT ! -d 127.0.0.0/8 -m addrtype --dst-type LOCAL -j DOCKER
-A POSTROUTING -s 172.17.0.0/16 ! -o docker0 -j MASQUERADE
-A DOCKER -i docker0 -j RETURN
COMMIT
`;

/** Compile one of the benchmark's C programs; its path. */
export async function compile(directory: string, name: string): Promise<string> {
  const program = join(directory, name);
  await execa("cc", ["-O2", "-Wall", "-o", program, join(import.meta.dirname, `${name}.c`)]);
  return program;
}

/** A hierarchy of control groups: the one of version 2, or one of version 1. */
function hierarchy(): string {
  const root = "/sys/fs/cgroup";
  if (existsSync(join(root, "cgroup.controllers"))) return root;
  return join(root, "pids");
}

/** Docker's bridges, and room for the containers. */
export async function raiseCrowd(bench: Bench): Promise<Crowd> {
  const host = (bench.enter[1] ?? "").replace(/^.*\//, "");
  const inHost = (argv: readonly string[], input = "") =>
    execa("nsenter", [`--net=/run/netns/${host}`, ...argv], { input });
  const bridges = BRIDGES.flatMap((bridge, k) => [
    `link add ${bridge} type bridge forward_delay 0`,
    `addr add 172.${17 + k}.0.1/16 brd + dev ${bridge}`,
    `link set ${bridge} up`,
  ]);
  await inHost(["ip", "-batch", "-"], `${bridges.join("\n")}\n`);
  await inHost(["sysctl", "-qw", "net.ipv4.ip_forward=1"]);
  await inHost(["iptables-restore", "--noflush"], DOCKER_RULES);

  const argv = [await compile(bench.directory, "crowd"), join(hierarchy(), host)];
  const child = spawn(argv[0] ?? "", argv.slice(1), { stdio: ["pipe", "pipe", "inherit"] });
  const replies: ((pid: number) => void)[] = [];
  createInterface({ input: child.stdout }).on("line", (line) =>
    replies.shift()?.(Number(line.split(" ")[1])),
  );
  const ask = (line: string): Promise<number> =>
    new Promise((resolve) => {
      replies.push(resolve);
      child.stdin.write(`${line}\n`);
    });
  return {
    async start(members) {
      const pids = await Promise.all(members.map(({ id }) => ask(`+${id}`)));
      const ports = members.flatMap(({ bridge }, n) => {
        const port = `veth${randomBytes(4).toString("hex").slice(1)}`;
        return [
          `link add ${port} type veth peer name eth0 netns ${pids[n]}`,
          `link set ${port} master ${bridge} up`,
        ];
      });
      await inHost(["ip", "-batch", "-"], `${ports.join("\n")}\n`);
      return pids;
    },
    async end(id) {
      await ask(`-${id}`);
    },
    async down() {
      const ended = new Promise((resolve) => child.once("exit", resolve));
      child.stdin.end();
      await ended;
    },
  };
}
