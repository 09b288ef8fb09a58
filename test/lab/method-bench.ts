/** What the tests of commands in containers share: an image without a shell, a container's processes, processes that run a method. */
import { spawn } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import type { ExecRequest, ExecResult } from "../../src/host/docker/exec.ts";
import { connectMethods, type DockerMethods } from "../../src/host/docker/methods.ts";
import type { Lab } from "./handle.ts";
import { addProgram, IMAGE } from "./image.ts";
import { alive, run } from "./process.ts";

/** An image of two programs: there is no shell in it. */
export const BARE = "lab/bare:1";
const RUNNER = fileURLToPath(new URL("method-run.ts", import.meta.url));
/** A command that does nothing. */
export const SLEEPS = ["sleep", "100000"];

export async function importBare(lab: Lab): Promise<void> {
  const root = join(lab.dir, "bare");
  mkdirSync(join(root, "bin"), { recursive: true });
  await addProgram(root, "busybox");
  for (const name of ["sleep", "echo"]) await run(["cp", join(root, "bin/busybox"), join(root, "bin", name)]);
  rmSync(join(root, "bin/busybox"));
  const archive = join(lab.dir, "bare.tar");
  await run(["tar", "-C", root, "-cf", archive, "."]);
  await lab.docker("import", "-c", "ENV PATH=/bin", archive, BARE);
  rmSync(root, { recursive: true });
}

/** Numbers of the processes in a container's cgroup, on this machine. */
export function processesOf(container: string): number[] {
  return readdirSync("/proc").flatMap((name) => {
    try {
      const isIn = /^\d+$/.test(name) && readFileSync(`/proc/${name}/cgroup`, "latin1").includes(container);
      return isIn && alive(Number(name)) ? [Number(name)] : [];
    } catch {
      return [];
    }
  });
}

interface Ran extends ExecResult {
  readonly output: string;
}

/** What the tests share: a lab, and commands in its containers. */
export interface Bench {
  readonly lab: Lab;
  readonly docker: DockerMethods;
  /** Runs a command; its output, 10 000 characters at most, is text. */
  run(container: string, argv: readonly string[], over?: Partial<ExecRequest>): Promise<Ran>;
  start(name: string, args?: readonly string[], image?: string): Promise<string>;
}

export function benchOf(lab: Lab): Bench {
  const docker = connectMethods({ socket: lab.dockerSocket, version: null });
  return {
    lab,
    docker,
    async run(container, argv, over = {}) {
      let output = "";
      const onOutput: ExecRequest["onOutput"] = ({ octets }) => {
        if (output.length < 10_000) output += octets.toString();
      };
      const result = await docker.execute({ container, argv, timeoutMs: 60_000, onOutput, ...over });
      return { ...result, output };
    },
    async start(name, args = [], image = IMAGE) {
      return (await lab.startContainer({ name, image, args, command: SLEEPS })).id;
    },
  };
}

/** Starts a process that runs VALIDATE; resolves with what it says once it has ended. */
export function another(lab: Lab, container: string, script: string) {
  const argv = [RUNNER, lab.dockerSocket, container, join(lab.dir, "results"), script];
  const child = spawn(process.execPath, argv, { stdio: ["ignore", "pipe", "inherit"] });
  const result = text(child.stdout).then((said) => JSON.parse(said.split("\n")[1] ?? ""));
  return { result, begun: new Promise((resolve) => child.stdout.once("data", resolve)) };
}
