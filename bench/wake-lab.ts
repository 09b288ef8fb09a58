/** What the benchmarks of sleep and wake share: a lab with sleepers, and visitors. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { callDocker } from "../test/lab/docker-api.ts";
import type { EngineKind } from "../test/lab/engine.ts";
import type { Lab } from "../test/lab/handle.ts";
import { IMAGE } from "../test/lab/image.ts";
import { raiseLab } from "../test/lab/lab.ts";
import { run, until } from "../test/lab/process.ts";
import type { Visit, Visited } from "./visitor.ts";

const VISITOR = `${import.meta.dirname}/visitor.ts`;

export const WAKE = { "ocdd.wake": "true" } as const;

/** A range for 128 services beside the example's. */
export const CONF = {
  conf: {
    IP_RANGE: "192.168.122.10-192.168.122.49,192.168.122.60-192.168.122.199",
    SYNC_INTERVAL: "60",
  },
};

/**
 * Creates a container that answers with its name: lines on TCP 7000, datagrams on UDP 9999, and HTTP on 80, which comes last
 * and is the port of the image by which it counts as ready. It is not started.
 */
export async function create(lab: Lab, name: string, labels: Record<string, string> = WAKE): Promise<void> {
  const body = {
    Image: IMAGE,
    Cmd: ["/lines", "/serve"],
    HostConfig: { Binds: [`${lab.dir}/lines:/lines:ro`] },
    Env: [`PAGE=${name}`],
    Labels: { ...labels, "ocdd.wake.ports": "80,7000,9999/udp" },
  };
  await callDocker(lab.dockerSocket, "POST", `/containers/create?name=${name}`, body);
}

export const engines = (): EngineKind[] =>
  (process.env.ENGINES ?? "debian,sid").split(",").map((engine) => {
    if (engine !== "debian" && engine !== "sid") throw new Error(`ENGINES: ${engine}: debian or sid`);
    return engine;
  });

/** A lab of its own for each engine, initialized; its version. */
export async function raise(name: string, engine: EngineKind): Promise<{ lab: Lab; version: string }> {
  const lab = await raiseLab({ name: `${name}-${engine}`, engine, dns: false });
  const initialized = await lab.ocdd(["initialize"], CONF);
  if (initialized.code !== 0) throw new Error(initialized.stderr);
  const program = [
    "cc",
    "-O2",
    "-Wall",
    "-static",
    "-o",
    join(lab.dir, "lines"),
    join(import.meta.dirname, "lines.c"),
  ];
  await run(program);
  return { lab, version: await lab.docker("version", "--format", "{{.Server.Version}}") };
}

/** The alias of each container, once all have theirs. */
export async function aliasesOf(lab: Lab, names: readonly string[]): Promise<ReadonlyMap<string, string>> {
  const found = new Map<string, string>();
  await until(
    `${names.length} services`,
    () => {
      const file = `${lab.dir}/storage/leases.json`;
      if (!existsSync(file)) return false;
      const { leases } = JSON.parse(readFileSync(file, "utf8")) as {
        leases: { key: string; address: string }[];
      };
      for (const { key, address } of leases) found.set(key.replace("container:", ""), address);
      return names.every((name) => found.has(name));
    },
    { pause: 200 },
  );
  return found;
}

/** Aliases whose first packets wait, and those that lead to a container. */
export async function rulesOf(lab: Lab): Promise<{ waits: Set<string>; leads: Set<string> }> {
  const { stdout } = await lab.run("host", ["iptables-save", "-t", "nat"]);
  const all = (target: string): Set<string> =>
    new Set(stdout.match(new RegExp(`(?<=-A OCDD\\S* .*-d )[\\d.]+(?=/32 .*${target})`, "g")));
  return { waits: all("-g OCDD-ASLEEP"), leads: all("--to-destination") };
}

export const untilWaits = (lab: Lab, address: string): Promise<true> =>
  until(`${address} waits`, async () => (await rulesOf(lab)).waits.has(address));

export interface Visitors {
  visit(visit: Omit<Visit, "id">): Promise<Visited>;
  close(): Promise<void>;
}

/** Makes visits from a place, all from one process. */
export function visitors(lab: Lab, place: "host" | "client"): Visitors {
  const [file = "", ...args] = [...lab.enter(place), process.execPath, VISITOR];
  const child = spawn(file, args, { stdio: ["pipe", "pipe", "inherit"] });
  const waiting = new Map<number, (visited: Visited) => void>();
  let last = 0;
  createInterface({ input: child.stdout }).on("line", (line) => {
    const visited = JSON.parse(line) as Visited;
    waiting.get(visited.id)?.(visited);
    waiting.delete(visited.id);
  });
  return {
    visit: (visit) =>
      new Promise((resolve) => {
        last += 1;
        waiting.set(last, resolve);
        child.stdin.write(`${JSON.stringify({ ...visit, id: last })}\n`);
      }),
    async close() {
      const ended = once(child, "exit");
      child.stdin.end();
      child.kill();
      await ended;
    },
  };
}

export const start = (lab: Lab, name: string): Promise<string> =>
  callDocker(lab.dockerSocket, "POST", `/containers/${name}/start`);

export const stop = (lab: Lab, name: string): Promise<string> =>
  callDocker(lab.dockerSocket, "POST", `/containers/${name}/stop?t=2`);
