/** A lab that is up, with what tests do in it. */

import { join } from "node:path";
import { type Container, type ContainerOptions, dockerRun, parseInspect } from "./container.ts";
import type { DaemonConfig, Engine } from "./engine.ts";
import { flushNames } from "./names.ts";
import { addStation, IT_ADDRESS, namespace, namespaceFile, type Place } from "./network.ts";
import { type OcddOptions, ocdd, ocddCommand, ocddEnvironment, serve } from "./ocdd.ts";
import { type Daemon, type Outcome, type RunOptions, run, spawn } from "./process.ts";
import { raze } from "./raze.ts";
import { snapshot } from "./snapshot.ts";

/** Where `run` and `spawn` look: a station, another station added to the LAN, or a container. */
export type Where = Place | (string & {}) | Container;

export class Lab {
  /** Begins the name of each namespace, and is the cgroup's. */
  readonly prefix: string;
  /** Scratch directory; everything of the lab is in it and is removed with it. */
  readonly dir: string;
  readonly dockerSocket: string;
  readonly engine: Engine | undefined;
  #daemons = 0;

  constructor(prefix: string, directory: string, engine?: Engine) {
    this.prefix = prefix;
    this.dir = directory;
    this.dockerSocket = join(directory, "docker.sock");
    this.engine = engine;
  }

  /** The arguments that put a program into a place, network only: files, cgroups and /sys stay the machine's. */
  enter(where: Where): string[] {
    if (typeof where !== "string") return ["nsenter", "-t", String(where.pid), "-n"];
    return ["nsenter", `--net=${namespaceFile(namespace(this.prefix, where))}`];
  }

  /** The same with the place's own /etc/resolv.conf and /sys: for programs that resolve names or look at devices. */
  enterFully(place: string): string[] {
    return ["ip", "netns", "exec", namespace(this.prefix, place)];
  }

  /** Run a program in a place's network. */
  run(where: Where, argv: readonly string[], options: RunOptions = {}): Promise<Outcome> {
    return run([...this.enter(where), ...argv], options);
  }

  /** Run a program in a place that resolves names as the place does. */
  runFully(place: Place, argv: readonly string[], options: RunOptions = {}): Promise<Outcome> {
    return run([...this.enterFully(place), ...argv], options);
  }

  /** Start a program in a place; it ends with the lab at the latest. */
  spawn(where: Where, argv: readonly string[], options: { label?: string; full?: boolean } = {}): Daemon {
    this.#daemons += 1;
    const label = `${options.label ?? "daemon"}-${this.#daemons}`;
    const prefix = options.full && typeof where === "string" ? this.enterFully(where) : this.enter(where);
    return spawn(this.dir, label, [...prefix, ...argv]);
  }

  /** Docker's client against the lab's engine; returns what it prints. */
  async docker(...argv: string[]): Promise<string> {
    const env = {
      DOCKER_HOST: `unix://${this.dockerSocket}`,
      DOCKER_CONFIG: join(this.dir, "docker-client"),
    };
    return (await run(["docker", ...argv], { env })).stdout;
  }

  /** The engine's major version. */
  async dockerMajor(): Promise<number> {
    return Number.parseInt(await this.docker("version", "--format", "{{.Server.Version}}"), 10);
  }

  /** `docker run -d`; unless told otherwise it answers with its own name. */
  async startContainer(options: ContainerOptions = {}): Promise<Container> {
    const id = await this.docker(...dockerRun(options));
    return this.container(id);
  }

  /** Start containers of these names, or with these options, one after the other: the last is Docker's newest. */
  async startContainers(...list: readonly (string | ContainerOptions)[]): Promise<Container[]> {
    const started: Container[] = [];
    for (const one of list)
      started.push(await this.startContainer(typeof one === "string" ? { name: one } : one));
    return started;
  }

  /** A running container as it is now. */
  async container(nameOrId: string): Promise<Container> {
    return parseInspect(await this.docker("inspect", "--type", "container", nameOrId));
  }

  /** Remove every container, with its volumes. */
  async removeContainers(...names: string[]): Promise<void> {
    const all = names.length > 0 ? names : (await this.docker("ps", "-aq")).split("\n").filter(Boolean);
    if (all.length > 0) await this.docker("rm", "-f", "-v", ...all);
  }

  /** dig's answer from the office PC: through IT's resolver, or through `@server` among the arguments. */
  async dig(name: string, ...args: string[]): Promise<string> {
    const argv = ["dig", "+short", "+time=2", "+tries=2", ...args, name];
    const server = args.some((one) => one.startsWith("@")) ? [] : [`@${IT_ADDRESS}`];
    return (await this.run("client", [...argv, ...server], { check: false })).stdout;
  }

  /** The page at a URL as the office PC gets it; throws when there is none within 3 seconds. */
  async curl(url: string, ...args: string[]): Promise<string> {
    return (await this.runFully("client", ["curl", "-sS", "--max-time", "3", ...args, url])).stdout;
  }

  /** The name that answers HTTP at an address, asked from a place; undefined without an answer. */
  async who(address: string, from: Where = "client", path = "/"): Promise<string | undefined> {
    const url = `http://${address}${path}`;
    const argv = ["curl", "-s", "--connect-timeout", "1.5", "--max-time", "3", url];
    const { code, stdout } = await this.run(from, argv, { check: false });
    return code === 0 ? stdout : undefined;
  }

  /** End the engine and start it again; TERM is a clean restart, KILL a crash. */
  async restartDockerd(options: { signal?: NodeJS.Signals; daemon?: DaemonConfig } = {}): Promise<void> {
    await this.stopDockerd(options.signal);
    await this.startDockerd(options.daemon);
  }

  stopDockerd(name?: NodeJS.Signals): Promise<void> {
    if (this.engine === undefined) throw new Error("this lab has no engine");
    return this.engine.stop(name);
  }

  startDockerd(daemon?: DaemonConfig): Promise<void> {
    if (this.engine === undefined) throw new Error("this lab has no engine");
    return this.engine.start(daemon);
  }

  /** The host's addresses, rules, hairpin ports and network sysctls as text, to compare before and after. */
  snapshotHost(): Promise<string> {
    return snapshot(this.enter("host"));
  }

  /** One more machine on the office's LAN; returns its place. */
  async addLanHost(address: string): Promise<string> {
    const place = `x${address.split(".").slice(2).join("-")}`;
    await addStation(this.prefix, place, address, "eth0");
    return place;
  }

  /** The hardware address that answers for an IPv4 address on the LAN, asked once by the office PC. */
  async arpOwner(address: string): Promise<string | undefined> {
    const argv = ["arping", "-c", "1", "-w", "1", "-I", "eth0", address];
    const { stdout } = await this.run("client", argv, { check: false });
    return /\[([0-9A-F:]{17})\]/i.exec(stdout)?.[1]?.toLowerCase();
  }

  /** The hardware address of a place's network device. */
  async mac(place: Place, device: string): Promise<string> {
    const { stdout } = await this.run(place, ["ip", "-json", "link", "show", device]);
    return (JSON.parse(stdout) as [{ address: string }])[0].address;
  }

  /** Flush the cache of IT's resolver. */
  flushNames(): Promise<void> {
    return flushNames(this.prefix, this.dir);
  }

  /** `ocdd ARGS` as root on the host, with the example configuration and `options.conf` on top. */
  ocdd(args: readonly string[] = [], options: OcddOptions = {}): Promise<Outcome> {
    return ocdd(this, args, options);
  }

  /** The argument vector of the same, to be run on a terminal or in the background. */
  ocddCommand(args: readonly string[], options: OcddOptions = {}): string[] {
    return ocddCommand(this, args, options);
  }

  /** Start `ocdd ARGS` in the background. */
  startOcdd(args: readonly string[] = [], options: OcddOptions = {}): Daemon {
    this.#daemons += 1;
    const name = `ocdd-${this.#daemons}`;
    return spawn(this.dir, name, this.ocddCommand(args, options), {
      env: ocddEnvironment(options),
      cwd: this.dir,
    });
  }

  /** `ocdd serve` on the host; returns when its DNS answers. */
  serve(options: OcddOptions = {}): Promise<Daemon> {
    return serve(this, options);
  }

  /** Remove the lab completely. */
  down(): Promise<void> {
    return raze(this.prefix, this.dir);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.down();
  }
}
