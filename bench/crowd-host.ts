/**
 * Containers for a doubled engine that the kernel knows as well: a bridge `docker0` on the benchmark's host, one network
 * namespace behind one port of it that has every container's address, and a process a container in a control group that
 * bears its id. What looks for the bridge port of a container by the process that Docker tells of finds it.
 */

import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { execa } from "execa";
import type { Bench } from "./director-host.ts";

export interface Crowd {
  /** Puts a program into the network namespace of all containers. */
  readonly enter: readonly string[];
  /** Start a container's process; its PID. */
  start(id: string): Promise<number>;
  /** Kill a container's process. */
  end(id: string): Promise<void>;
  /** Give the namespace a container's address. */
  address(address: string): Promise<void>;
  down(): Promise<void>;
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

/** Docker's bridge and the containers' namespace. `port`: the name of the bridge port. */
export async function raiseCrowd(bench: Bench, port = "veth0cddbe1"): Promise<Crowd> {
  const host = (bench.enter[1] ?? "").replace(/^.*\//, "");
  const inside = `${host}-c`;
  const ip = async (...args: string[]): Promise<void> => void (await execa("ip", args));
  const enter = ["nsenter", `--net=/run/netns/${inside}`];
  await ip("netns", "add", inside);
  await ip("-n", host, "link", "add", "docker0", "type", "bridge", "forward_delay", "0");
  await ip("-n", host, "addr", "add", "172.17.0.1/16", "brd", "+", "dev", "docker0");
  await ip("-n", host, "link", "set", "docker0", "up");
  await ip("-n", host, "link", "add", port, "type", "veth", "peer", "name", "eth0", "netns", inside);
  await ip("-n", host, "link", "set", port, "master", "docker0", "up");
  await ip("-n", inside, "link", "set", "lo", "up");
  await ip("-n", inside, "link", "set", "eth0", "up");
  await execa("nsenter", [`--net=/run/netns/${host}`, "sysctl", "-qw", "net.ipv4.ip_forward=1"]);
  const input = DOCKER_RULES;
  await execa("nsenter", [`--net=/run/netns/${host}`, "iptables-restore", "--noflush"], { input });

  const argv = [...enter.slice(1), await compile(bench.directory, "crowd"), join(hierarchy(), host)];
  const child = spawn(enter[0] ?? "", argv, { stdio: ["pipe", "pipe", "inherit"] });
  const replies: ((pid: number) => void)[] = [];
  createInterface({ input: child.stdout }).on("line", (line) =>
    replies.shift()?.(Number(line.split(" ")[1])),
  );
  const ask = (line: string): Promise<number> =>
    new Promise((resolve) => {
      replies.push(resolve);
      child.stdin.write(`${line}\n`);
    });
  let routed = false;
  return {
    enter,
    start: (id) => ask(`+${id}`),
    async end(id) {
      await ask(`-${id}`);
    },
    async address(address) {
      await ip("-n", inside, "addr", "add", `${address}/16`, "dev", "eth0");
      if (!routed) await ip("-n", inside, "route", "add", "default", "via", "172.17.0.1");
      routed = true;
    },
    async down() {
      const ended = new Promise((resolve) => child.once("exit", resolve));
      child.stdin.end();
      await ended;
      await ip("netns", "del", inside);
    },
  };
}
