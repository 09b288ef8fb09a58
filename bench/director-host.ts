/** The director's benchmark: a host in its own namespaces, and measurements of one process. */
import { spawn } from "node:child_process";
import { cpSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { execa } from "execa";
import { ROOT } from "../packaging/surface.ts";
import { layTree } from "../packaging/tree.ts";

/** The zone of every benchmark's host. */
export const ZONE = "toolbox.example.com";

export interface Bench {
  readonly directory: string;
  /** Puts a program into the host's namespace. */
  readonly enter: readonly string[];
  down(): Promise<void>;
}

/**
 * A host with one network device, `ens3` 10.20.0.1/19, whose peer does not answer. Needs root. `name` distinguishes it
 * from others of the same benchmark.
 */
export async function raiseBench(directory: string, name = ""): Promise<Bench> {
  const host = `ocdd-bench-${process.pid}${name}`;
  const neighbour = `${host}-n`;
  const ip = async (...args: string[]): Promise<void> => void (await execa("ip", args));
  await ip("netns", "add", host);
  await ip("netns", "add", neighbour);
  await ip("-n", host, "link", "set", "lo", "up");
  await ip("-n", host, "link", "add", "ens3", "type", "veth", "peer", "name", "eth0", "netns", neighbour);
  await ip("-n", host, "addr", "add", "10.20.0.1/19", "brd", "+", "dev", "ens3");
  await ip("-n", host, "link", "set", "ens3", "up");
  await ip("-n", neighbour, "link", "set", "eth0", "up");
  const enter = ["nsenter", `--net=${join("/run/netns", host)}`];
  // Docker's chains
  const docker = `*filter\n:DOCKER-USER - [0:0]\n-A FORWARD -j DOCKER-USER\n-A DOCKER-USER -j RETURN\nCOMMIT\n`;
  await execa(enter[0] ?? "", [...enter.slice(1), "iptables-restore", "--noflush"], { input: docker });
  return {
    directory,
    enter,
    async down() {
      await ip("netns", "del", host);
      await ip("netns", "del", neighbour);
    },
  };
}

/** The configuration of a benchmark's host, 8 176 addresses in 21 CIDRs; its file. */
export function writeConf(directory: string, socket: string, firewall?: string): string {
  const conf = join(directory, "ocdd.conf");
  const text = `DOCKER_SOCKET=${socket}
NETWORK_DEVICE=ens3
IP_RANGE=10.20.0.11-10.20.31.250
TOOLBOX_SUBDOMAIN_NAME=${ZONE}
STORAGE_DIR=${join(directory, "storage")}
SERVICES=none
`;
  writeFileSync(conf, firewall === undefined ? text : `${text}FIREWALL=${firewall}\n`);
  return conf;
}

/** `bin/ocdd` as it is installed (the bundle), and as a clone runs it that was never built. */
export async function layPrograms(directory: string): Promise<ReadonlyMap<string, string>> {
  const bundle = join(directory, "bundle");
  await layTree(bundle);
  const source = join(directory, "source");
  cpSync(join(ROOT, "bin"), join(source, "bin"), { recursive: true });
  for (const name of ["src", "node_modules", "package.json"])
    symlinkSync(join(ROOT, name), join(source, name));
  return new Map([
    ["bundle", join(bundle, "bin/ocdd")],
    ["source", join(source, "bin/ocdd")],
  ]);
}

/** Milliseconds from start to end of a process that must succeed. */
export async function timed(argv: readonly string[]): Promise<number> {
  const started = performance.now();
  await execa(argv[0] ?? "", argv.slice(1), { stdout: "ignore", maxBuffer: 1 << 28 });
  return performance.now() - started;
}

/** Seconds of processor time, user and system, of a process that must succeed and of its children. */
export async function processorTime(argv: readonly string[]): Promise<number> {
  const script = 'TIMEFORMAT="%U %S"; exec 3>&2; { time "$@" >/dev/null 2>&3; } 2>&1';
  const { stdout } = await execa("bash", ["-c", script, "bash", ...argv], { stderr: "ignore" });
  return stdout.split(" ").reduce((sum, part) => sum + Number(part), 0);
}

/** How many programs one run starts, without itself and the programs that start it. */
export async function countProcesses(argv: readonly string[]): Promise<number> {
  const log = `/tmp/ocdd-bench-${process.pid}.strace`;
  const strace = ["strace", "-f", "-qq", "-e", "trace=execve", "-e", "signal=none", "-o", log];
  await execa(strace[0] ?? "", [...strace.slice(1), ...argv], { stdout: "ignore", maxBuffer: 1 << 28 });
  const traced = readFileSync(log, "utf8");
  rmSync(log);
  const started = traced
    .split("\n")
    .filter((line) => /execve\(.*= 0$/.test(line) || /<\.\.\. execve resumed>.*= 0$/.test(line))
    .map((line) => /execve\("([^"]*)"/.exec(line)?.[1] ?? "");
  // nsenter, sh and what sh looks with come before the director itself, which is the last of node's two starts
  const self = started.findLastIndex((program) => /\/node$/.test(program));
  return started.length - self - 1;
}

/** Peak resident memory of a process in MiB, read until it ends. */
export async function peakMemory(argv: readonly string[]): Promise<number> {
  const child = spawn(argv[0] ?? "", argv.slice(1), { stdio: "ignore" });
  let peak = 0;
  const timer = setInterval(() => {
    try {
      // nsenter and sh become node by exec: the process id stays
      const kilobytes = /^VmHWM:\s*(\d+)/m.exec(readFileSync(`/proc/${child.pid}/status`, "utf8"))?.[1];
      peak = Math.max(peak, Number(kilobytes ?? 0));
    } catch {
      // it has just ended
    }
  }, 5);
  const code = await new Promise<number | null>((resolve) => child.once("exit", resolve));
  clearInterval(timer);
  if (code !== 0) throw new Error(`${argv.join(" ")}: status ${code}`);
  return peak / 1024;
}
