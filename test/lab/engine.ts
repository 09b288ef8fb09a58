/** The lab's own Docker engine, in the host's network namespace: Debian's (the machine's package), or Debian sid's. */

import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { namespace, namespaceFile } from "./network.ts";
import { alive, type Daemon, run, signal, spawn, until } from "./process.ts";
import { sidRoot, UNPACKED } from "./root.ts";

/** `debian`: the machine's (docker.io 20.10 on Debian 12), or one that setup.sh has unpacked. `sid`: today's, in a root of its own. */
export type EngineKind = "debian" | "sid";

/** Keys of daemon.json; see dockerd's manual. */
export type DaemonConfig = Readonly<Record<string, unknown>>;

export interface Engine {
  readonly socket: string;
  /** Start dockerd; returns when it answers. `config` replaces keys of daemon.json from here on. */
  start(config?: DaemonConfig): Promise<void>;
  /** End dockerd: TERM is a clean stop (containers stop unless live-restore), KILL a crash. */
  stop(name?: NodeJS.Signals): Promise<void>;
}

const beside = (file: string): string => fileURLToPath(new URL(file, import.meta.url));

/** Prepare the mount namespace of the engine and start dockerd in it. */
export async function startEngine(
  prefix: string,
  directory: string,
  kind: EngineKind,
  daemon: DaemonConfig = {},
): Promise<Engine> {
  const installed = !existsSync(UNPACKED) || (await run(["which", "dockerd"], { check: false })).code === 0;
  const root = kind === "sid" ? await sidRoot() : installed ? "/" : UNPACKED;
  const holder = spawn(directory, "engine-root", [
    ...["unshare", "--mount", "--propagation", "private"],
    ...["sh", beside("engine-root.sh"), root, directory],
  ]);
  await until("the engine's mount namespace", () => {
    if (!holder.running()) throw new Error(`engine-root.sh has failed:\n${holder.output()}`);
    return existsSync(join(directory, "engine-root"));
  });

  const socket = join(directory, "docker.sock");
  const file = join(directory, "daemon.json");
  let config: DaemonConfig = {
    "data-root": join(directory, "data"),
    "exec-root": join(directory, "exec"),
    pidfile: join(directory, "dockerd.pid"),
    hosts: [`unix://${socket}`],
    "exec-opts": ["native.cgroupdriver=cgroupfs"],
    "cgroup-parent": `/${prefix}`, // all processes of all containers are found there, whatever else has crashed
    "shutdown-timeout": 3,
    ...daemon,
  };
  let dockerd: Daemon | undefined;
  const engine: Engine = {
    socket,
    async start(changes = {}) {
      config = { ...config, ...changes };
      mkdirSync(directory, { recursive: true });
      writeFileSync(file, JSON.stringify(config, null, 2));
      // nsenter, not `ip netns exec`: that remounts /sys and hides the cgroups
      const net = `--net=${namespaceFile(namespace(prefix, "host"))}`;
      const argv = ["nsenter", net, `--mount=/proc/${holder.pid}/ns/mnt`, "dockerd", "--config-file", file];
      const started = spawn(directory, "dockerd", argv);
      dockerd = started;
      await until("dockerd answers", async () => {
        if (!started.running()) throw new Error(`dockerd has ended:\n${started.output().slice(-4000)}`);
        return existsSync(socket) && (await ping(socket));
      });
    },
    async stop(name = "SIGTERM") {
      await dockerd?.stop(name);
      dockerd = undefined;
      await forgetContainerd(join(directory, "exec/containerd/containerd.pid"));
    },
  };
  await engine.start();
  return engine;
}

/** Whether an engine answers at a socket. */
async function ping(socket: string): Promise<boolean> {
  const argv = ["curl", "-s", "--max-time", "2", "--unix-socket", socket, "http://localhost/_ping"];
  return (await run(argv, { check: false })).stdout === "OK";
}

/**
 * dockerd's own containerd ends with it. Where PID 1 does not reap, it stays a zombie, and the next dockerd would find it
 * by its PID file and wait for it.
 */
async function forgetContainerd(file: string): Promise<void> {
  if (!existsSync(file)) return;
  const pid = Number(readFileSync(file, "utf8"));
  await until("end of containerd", () => !alive(pid));
  rmSync(file);
}

/** Stop or continue a process by its PID: an engine that hangs, as seen from its socket. */
export const freeze = (pid: number, frozen: boolean): void => signal(pid, frozen ? "SIGSTOP" : "SIGCONT");
