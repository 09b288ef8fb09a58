/**
 * The lab: an office network with a Docker host, an office PC and IT's name server, all on this machine and none of it
 * in the machine's own network. Needs root and the packages that setup.sh installs.
 *
 *     await using lab = await raiseLab({ name: "mine" });
 *     await lab.startContainer({ name: "web" });
 *
 * For work by hand: `node test/lab/lab.ts up`; see --help.
 */

import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { type DaemonConfig, type EngineKind, startEngine } from "./engine.ts";
import { Lab } from "./handle.ts";
import { importImage } from "./image.ts";
import { startNames } from "./names.ts";
import { raiseNetwork } from "./network.ts";
import { type Known, known, run, stillThere } from "./process.ts";
import { processes, raze, remains } from "./raze.ts";
import { UNPACKED } from "./root.ts";

export interface LabOptions {
  /** Labs of different names run side by side; raising one removes what a crashed run of that name left. */
  readonly name: string;
  readonly engine?: EngineKind;
  /** False: no Docker engine. */
  readonly docker?: boolean;
  /** False: no name server of IT's. */
  readonly dns?: boolean;
  /** Keys of daemon.json, such as `{ "live-restore": true }`. */
  readonly daemon?: DaemonConfig;
  /** True: it stays after this process has ended (the command line's `up`). */
  readonly keep?: boolean;
}

// Docker's client, where no package has one
process.env.PATH = `${process.env.PATH}:${UNPACKED}/client`;

const SELF = fileURLToPath(import.meta.url);

/**
 * Prefix and directory of the lab of a name. $OCDD_LAB in the environment goes between, so that two people, or two work
 * trees, run the same tests on one machine at the same time.
 */
function place(name: string): { prefix: string; directory: string } {
  const whole = [process.env.OCDD_LAB, name].filter(Boolean).join("-");
  if (!/^[a-z0-9][a-z0-9-]{0,40}$/.test(whole))
    throw new Error(`lab name ${whole}: a-z, 0-9 and -, at most 41`);
  const prefix = `ocdd-lab-${whole}`;
  return { prefix, directory: join(tmpdir(), prefix) };
}

/** Build a lab; what an earlier run of the same name left is removed first. Throws when a running process has it. */
export async function raiseLab(options: LabOptions): Promise<Lab> {
  if (process.getuid?.() !== 0)
    throw new Error("the lab needs root: it makes network namespaces and runs Docker");
  await run(["sh", fileURLToPath(new URL("setup.sh", import.meta.url)), "--check", "lab"]);
  const { prefix, directory } = place(options.name);
  const owner = ownerOf(directory);
  if (owner !== undefined)
    throw new Error(`lab ${prefix} is in use by process ${owner.pid}; set OCDD_LAB=other`);
  await raze(prefix, directory);
  mkdirSync(directory, { mode: 0o755 });
  if (!options.keep) {
    writeFileSync(join(directory, "owner"), JSON.stringify(known(process.pid)));
    downAtExit(options.name, directory);
  }
  try {
    await raiseNetwork(prefix);
    const [engine] = await Promise.all([
      options.docker === false
        ? undefined
        : startEngine(prefix, directory, options.engine ?? "debian", options.daemon),
      options.dns === false ? undefined : startNames(prefix, directory),
    ]);
    const lab = new Lab(prefix, directory, engine);
    if (engine !== undefined) await importImage(directory, (...argv) => lab.docker(...argv));
    return lab;
  } catch (error) {
    await raze(prefix, directory);
    throw error;
  }
}

/** What is left on the machine of the lab of a name, one line a thing. */
export function labRemains(name: string): Promise<string[]> {
  const { prefix, directory } = place(name);
  return remains(prefix, directory);
}

/** The process that has raised the lab of this directory; undefined for one that `up` has made. */
function readOwner(directory: string): Known | undefined {
  try {
    return JSON.parse(readFileSync(join(directory, "owner"), "utf8")) as Known;
  } catch {
    return undefined;
  }
}

/** The running process, other than this one, that has the lab of this directory. */
function ownerOf(directory: string): Known | undefined {
  const owner = readOwner(directory);
  return owner !== undefined && owner.pid !== process.pid && stillThere(owner) ? owner : undefined;
}

const standing = new Map<string, string>();

/** When this process ends, except by KILL, its labs are removed: by a second process, since `exit` handlers cannot wait. */
function downAtExit(name: string, directory: string): void {
  if (standing.size === 0) {
    for (const [signal, status] of [
      ["SIGINT", 130],
      ["SIGTERM", 143],
      ["SIGHUP", 129],
    ] as const) {
      process.once(signal, () => process.exit(status));
    }
    process.once("exit", () => {
      for (const [lab, path] of standing) {
        // one that was taken down meanwhile may be another process's by now
        if (readOwner(path)?.pid === process.pid)
          spawnSync(process.execPath, [SELF, "down", lab], { stdio: "ignore" });
      }
    });
  }
  standing.set(name, directory);
}

const HELP = `usage: node test/lab/lab.ts COMMAND
  up [NAME] [--engine debian|sid] [--no-docker] [--no-dns]   build a lab and leave it up (NAME: play); one that is up stays,
     [--fresh]                                               but with --fresh it is taken down first, with its containers
  down [NAME]                                                take it down
  down --all [--force]                                       take all down that do not run, and those whose test has ended; with --force each
  exec NAME host|client|it|lan COMMAND...                    run a program in one of its places
  docker NAME ARGUMENT...                                    Docker's client against its engine
  ocdd NAME ARGUMENT...                                      the product on its host, with the example's configuration
Example: lab.ts up; lab.ts docker play run -d --name web lab/web:1; lab.ts ocdd play; lab.ts exec play client curl 192.168.122.11
`;

/** What to do in a lab that is up. */
const nextSteps = (
  name: string,
): string => `a container, a run, the servers, and the index page as the PC sees it:
  npm run lab -- docker ${name} run -d --name web lab/web:1
  npm run lab -- ocdd ${name}
  npm run lab -- ocdd ${name} serve &
  npm run lab -- exec ${name} client curl http://toolbox.example.com/
take it down with: npm run lab -- down ${name}
`;

/** The command line; returns the exit status. */
async function main(argv: readonly string[]): Promise<number> {
  const [command, name = "play", ...rest] = argv;
  if (command === "up") {
    const { values, positionals } = parseArgs({
      args: argv.slice(1),
      allowPositionals: true,
      allowNegative: true,
      options: {
        ...{ engine: { type: "string" }, docker: { type: "boolean" }, dns: { type: "boolean" } },
        fresh: { type: "boolean" },
      },
    });
    const wanted = positionals[0] ?? "play";
    if (values.fresh !== true && (await isUp(wanted))) {
      console.log(
        `${wanted} is up already: ${place(wanted).directory} (--fresh builds it again, without its containers)`,
      );
      return 0;
    }
    const engine = values.engine === "sid" ? "sid" : "debian";
    const { docker = true, dns = true } = values;
    const start = performance.now();
    const lab = await raiseLab({ name: wanted, engine, docker, dns, keep: true });
    console.log(`up in ${Math.round(performance.now() - start)} ms: ${lab.dir}`);
    if (docker && dns) process.stdout.write(nextSteps(wanted));
    return 0;
  }
  if (command === "down" && name === "--all") return downAll(rest.includes("--force"));
  const { prefix, directory } = place(name);
  const lab = new Lab(prefix, directory);
  if (command === "down") {
    const isThere = (await remains(prefix, directory)).length > 0;
    await raze(prefix, directory);
    console.log(isThere ? `removed ${directory}` : `there is no lab "${name}": nothing to remove`);
    return 0;
  }
  if (["exec", "docker", "ocdd"].includes(command ?? "") && !existsSync(directory)) {
    console.error(`there is no lab "${name}": npm run lab -- up${name === "play" ? "" : ` ${name}`}`);
    return 1;
  }
  if (command === "exec") return attach([...lab.enterFully(rest[0] ?? "host"), ...rest.slice(1)]);
  if (command === "docker") return attach(["docker", "-H", `unix://${lab.dockerSocket}`, ...rest]);
  if (command === "ocdd") return attach(lab.ocddCommand(rest));
  process.stdout.write(HELP);
  return command === undefined || command === "--help" ? 0 : 64;
}

/** Whether there is a lab of this name that `up` has made: what a test has left is to be replaced. */
async function isUp(name: string): Promise<boolean> {
  const { prefix, directory } = place(name);
  if (!existsSync(directory) || existsSync(join(directory, "owner"))) return false;
  // after a restart of the machine the directory may be left alone
  return (await remains(prefix, directory)).some((line) => line.startsWith("namespace "));
}

/** Takes labs down, all with `force`; else it leaves those that run, names them, and the status is 1. */
async function downAll(force: boolean): Promise<number> {
  let status = 0;
  for (const entry of readdirSync(tmpdir(), { withFileTypes: true })) {
    if (!entry.isDirectory() || !entry.name.startsWith("ocdd-lab-")) continue;
    const directory = join(tmpdir(), entry.name);
    const use = force ? undefined : await useOf(entry.name, directory);
    if (use === undefined) await raze(entry.name, directory);
    else status = 1;
    console.log(use === undefined ? `removed ${directory}` : `left ${directory}: ${use}`);
  }
  return status;
}

/** What a lab is in use by; undefined where its test has ended, or nothing of it runs. */
async function useOf(prefix: string, directory: string): Promise<string | undefined> {
  const owner = ownerOf(directory);
  if (owner !== undefined) return `in use by process ${owner.pid}`;
  // of a test there is a record, also when it was killed; a lab that `up` has made has none, and is to stay up
  if (existsSync(join(directory, "owner"))) return undefined;
  const running = await processes(prefix, directory);
  return running.length === 0 ? undefined : `it runs (process ${running[0]} and ${running.length - 1} more)`;
}

/** Run a program on this terminal. */
function attach(argv: readonly string[]): number {
  return spawnSync(argv[0] ?? "", argv.slice(1), { stdio: "inherit" }).status ?? 1;
}

if (import.meta.main) process.exitCode = await main(process.argv.slice(2));
