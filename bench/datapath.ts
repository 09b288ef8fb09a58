/**
 * The cost of an alias for a packet: new TCP connections to the first and the last alias of 1, 1 000 and 4 000, compared
 * with the container's own address, and the cost for other traffic of the host. The rules are written by `bin/ocdd` itself
 * with a simulated Docker engine, each number of forwards on a host of its own; the paths alternate, so that other load of
 * the machine affects all of them. `npm run bench:datapath` prints a table for each backend.
 *
 *     node bench/datapath.ts [COUNT...]
 *
 * ROUNDS (21) of BATCH (200) connections a path; FIREWALLS (iptables,nft): those that the product supports are measured.
 */

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import { compile, giveAddress, raiseCrowd } from "./crowd-host.ts";
import { type Bench, layPrograms, raiseBench, timed, writeConf } from "./director-host.ts";
import { idOf, type Sketch, sketches } from "./docker-double.ts";
import { ENGINE_TIMES, EngineDouble } from "./engine-double.ts";
import { load, median, percentile, say, table } from "./report.ts";

const ROUNDS = Number(process.env.ROUNDS ?? 21);
const BATCH = Number(process.env.BATCH ?? 200);
const FIREWALLS = (process.env.FIREWALLS ?? "iptables,nft").split(",");
const PORT = "8080";

interface Path {
  readonly name: string;
  readonly mode: "new" | "kept";
  /** Puts the client into its namespace. */
  readonly enter: readonly string[];
  readonly address: string;
  /** Microseconds of each, and the median of each round. */
  readonly spent: number[];
  readonly rounds: number[];
}

/** What `ocdd list --json` says of a service. */
interface Served {
  readonly address: string;
  readonly container: { readonly id: string; readonly address: string };
}

interface Station {
  /** Forwards on this host. */
  readonly count: number;
  readonly client: readonly string[];
  /** A container, without and with its alias: the first and the last of them all. */
  readonly container: string;
  readonly first: string;
  readonly last: string;
  down(): Promise<void>;
}

/** Whether the product supports a backend; it refuses a configuration with an unknown one. */
async function accepts(program: string, conf: string, firewall: string): Promise<boolean> {
  if (firewall === "iptables") return true;
  const argv = ["--config", conf, "--set", `FIREWALL=${firewall}`, "plan"];
  const { exitCode, stderr } = await execa(program, argv, { reject: false });
  return exitCode !== 78 || !/FIREWALL/.test(stderr);
}

/** A host with `count` forwards, a client on its network, and servers at the first and the last container. */
async function raiseStation(
  count: number,
  directory: string,
  programs: { readonly ocdd: string; readonly connect: string },
  firewall: string,
): Promise<Station> {
  mkdirSync(directory);
  const name = `${count}${firewall[0]}`;
  const bench = await raiseBench(directory, name);
  const crowd = await raiseCrowd(bench);
  const engine = new EngineDouble(crowd, ENGINE_TIMES["20.10"]);
  const socket = join(directory, "docker.sock");
  await engine.listen(socket);
  // without a forward there is still a container to be asked directly
  const all = sketches(Math.max(count, 1));
  await engine.add(all);
  const [only = all[0] as Sketch] = all;
  const served =
    count === 0
      ? [{ address: "", container: { id: idOf(only.name), address: only.address } }]
      : await forward(bench, { count, socket, firewall, ocdd: programs.ocdd });
  const ends = [served[0] as Served, served.at(-1) as Served];
  const servers: ChildProcess[] = [];
  for (const { id, address } of new Set(ends.map(({ container }) => container))) {
    const pid = engine.pid(id);
    await giveAddress(pid, address);
    servers.push(await serve(pid, programs.connect));
  }
  const client = await addClient(bench);
  return {
    count,
    client,
    container: ends[0]?.container.address ?? "",
    first: ends[0]?.address ?? "",
    last: ends[1]?.address ?? "",
    async down() {
      for (const server of servers) server.kill();
      await engine.close();
      await crowd.down();
      await bench.down();
    },
  };
}

/** A server in a container's network; returns when it listens. */
async function serve(pid: number, connect: string): Promise<ChildProcess> {
  const server = spawn("nsenter", ["-t", String(pid), "-n", connect, "server", PORT], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  await once(server.stdout, "data");
  return server;
}

/** The neighbour of the benchmark's host becomes a client with a route to its containers. */
async function addClient(bench: Bench): Promise<readonly string[]> {
  const neighbour = `${(bench.enter[1] ?? "").replace(/^.*\//, "")}-n`;
  const ip = async (...args: string[]): Promise<void> => void (await execa("ip", ["-n", neighbour, ...args]));
  await ip("link", "set", "lo", "up");
  await ip("addr", "add", "10.20.0.2/19", "dev", "eth0");
  await ip("link", "set", "eth0", "up");
  await ip("route", "add", "172.16.0.0/12", "via", "10.20.0.1");
  return ["nsenter", `--net=/run/netns/${neighbour}`];
}

/** Have the product write its rules; what it serves, in the order of the aliases. */
async function forward(
  bench: Bench,
  {
    count,
    socket,
    firewall,
    ocdd,
  }: { readonly count: number; readonly socket: string; readonly firewall: string; readonly ocdd: string },
): Promise<Served[]> {
  const conf = writeConf(bench.directory, socket, firewall === "iptables" ? undefined : firewall);
  const argv = [...bench.enter, ocdd, "--config", conf];
  await timed([...argv, "initialize"]);
  await timed(argv);
  const { stdout } = await execa(argv[0] ?? "", [...argv.slice(1), "list", "--json"], { maxBuffer: 1 << 28 });
  const { services } = JSON.parse(stdout) as { services: Served[] };
  if (services.length !== count) throw new Error(`${services.length} of ${count} containers are served`);
  const number = (address: string): number =>
    address.split(".").reduce((sum, octet) => sum * 256 + Number(octet), 0);
  return services.toSorted((a, b) => number(a.address) - number(b.address));
}

function pathsOf(stations: readonly Station[]): Path[] {
  const paths: Path[] = [];
  const add = (name: string, mode: Path["mode"], enter: readonly string[], address: string): void =>
    void paths.push({ name, mode, enter, address, spent: [], rounds: [] });
  const most = stations.at(-1);
  for (const { count, client, container, first, last } of stations) {
    if (count === 0) add("direct, host without OCDD", "new", client, container);
    else if (count === 1) add("alias, the only one", "new", client, first);
    else {
      add(`alias, first of ${count}`, "new", client, first);
      add(`alias, last of ${count}`, "new", client, last);
    }
  }
  const [without] = stations;
  if (without === undefined || most === undefined || most.count === 0) return paths;
  add(`direct, beside ${most.count} aliases`, "new", most.client, most.container);
  add("kept connection, direct, host without OCDD", "kept", without.client, without.container);
  add(`kept connection, direct, beside ${most.count} aliases`, "kept", most.client, most.container);
  add(`kept connection, alias, last of ${most.count}`, "kept", most.client, most.last);
  return paths;
}

async function ask(connect: string, path: Path, count: number): Promise<number[]> {
  const argv = [...path.enter.slice(1), connect, path.mode, path.address, PORT, String(count)];
  const { stdout } = await execa(path.enter[0] ?? "", argv, { timeout: 60_000 });
  return stdout.split("\n").map((line) => Number(line) / 1000);
}

async function measure(connect: string, paths: readonly Path[]): Promise<void> {
  for (const path of paths) await ask(connect, path, 20); // neighbours are known from here on
  for (let round = 0; round < ROUNDS; round++) {
    // another path is the first each time
    for (let turn = 0; turn < paths.length; turn++) {
      const path = paths[(turn + round) % paths.length] as Path;
      const spent = await ask(connect, path, BATCH);
      for (const one of spent) path.spent.push(one);
      path.rounds.push(median(spent));
    }
  }
}

function print(firewall: string, paths: readonly Path[]): void {
  say(`\n## FIREWALL=${firewall}\n`);
  const rows = paths.map(({ name, mode, spent, rounds }) => {
    const base = paths.find((path) => path.mode === mode) as Path;
    // round by round, so that a minute with load affects both sides
    const ratios = rounds.map((value, round) => value / (base.rounds[round] ?? Number.NaN));
    const low = percentile(spent, 10);
    return [
      name,
      median(spent).toFixed(1),
      median(ratios).toFixed(2),
      `${low.toFixed(1)} (${(low / percentile(base.spent, 10)).toFixed(2)})`,
    ];
  });
  table(["path", "median, µs", "to direct", "tenth percentile (to direct)"], rows);
  say(`\n${ROUNDS} rounds of ${BATCH} a path, load ${load()}.`);
}

async function main(): Promise<void> {
  const counts = process.argv.length > 2 ? process.argv.slice(2).map(Number) : [1, 1000, 4000];
  // the Node that runs this runs them
  process.env.OCDD_NODE = process.execPath;
  const directory = mkdtempSync(join(tmpdir(), "ocdd-bench-"));
  try {
    const ocdd = (await layPrograms(directory)).get("bundle") ?? "";
    const connect = await compile(directory, "connect");
    const conf = join(directory, "any.conf");
    writeFileSync(
      conf,
      "NETWORK_DEVICE=lo\nIP_RANGE=10.20.0.11-10.20.0.12\nTOOLBOX_SUBDOMAIN_NAME=x.example\nSTORAGE_DIR=/nonexistent\n",
    );
    for (const firewall of FIREWALLS) {
      if (!(await accepts(ocdd, conf, firewall))) {
        say(`FIREWALL=${firewall}: not supported by this version, not measured`);
        continue;
      }
      const stations: Station[] = [];
      try {
        for (const count of [0, ...counts])
          stations.push(
            await raiseStation(count, join(directory, `${firewall}${count}`), { ocdd, connect }, firewall),
          );
        const paths = pathsOf(stations);
        await measure(connect, paths);
        print(firewall, paths);
      } finally {
        for (const station of stations) await station.down();
      }
    }
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

if (import.meta.main) await main();
