/**
 * What the real host uses, simulated in memory except for a temporary directory: programs, Docker, bridge ports, ARP. A
 * director on it can be killed before or after any of its calls and file operations: from then on nothing it does has an effect.
 */
import { AsyncLocalStorage } from "node:async_hooks";
import { existsSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import files from "node:fs/promises";
import { syncBuiltinESMExports } from "node:module";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import type { Ipv4 } from "../../src/core/addresses/ipv4.ts";
import type { Config } from "../../src/core/config/config.ts";
import { HostError } from "../../src/core/errors.ts";
import { makePending, type Pending } from "../../src/director/pending.ts";
import { eventHandler } from "../../src/director/streams.ts";
import { type Exits, makeExits } from "../../src/host/docker/exits.ts";
import type { DockerEvent } from "../../src/host/docker/json.ts";
import { type Host, openHost } from "../../src/host/host.ts";
import { openLinkReader } from "../../src/host/kernel/addresses.ts";
import type { BridgePorts } from "../../src/host/kernel/bridge-ports.ts";
import { openConntrack } from "../../src/host/kernel/conntrack.ts";
import { openForwardTable } from "../../src/host/kernel/forwards.ts";
import { openLinkChanges } from "../../src/host/kernel/link-changes.ts";
import { type Netlink, NetlinkError } from "../../src/host/kernel/netlink.ts";
import { type RunResult, runWith } from "../../src/host/kernel/run.ts";
import type { Loaded } from "../../src/platform/libc.ts";
import { FakeDocker } from "./docker.ts";
import { fakeNetlink } from "./netlink.ts";
import { FakeKernel } from "./programs.ts";

const MEMORY = existsSync("/dev/shm") ? "/dev/shm" : tmpdir();

const EAGAIN = 11;

/** Thrown where the director is killed, and by all it does afterwards. */
export class Killed extends Error {}

/** A moment in the calls of a director. */
export interface Moment {
  /** Calls before it. */
  calls: number;
  /** Before or after the call has taken effect. */
  readonly when: "before" | "after";
  readonly what: () => void;
}

/** One director, as the simulation sees it. */
class Process {
  killed = false;
  moment: Moment | undefined;
  readonly floor: Floor;
  constructor(floor: Floor) {
    this.floor = floor;
  }

  /** A call of the director's that may change something. */
  async call<T>(name: string, deed: () => T | Promise<T>): Promise<T> {
    const end = this.#begin(name);
    const result = await deed();
    end();
    return result;
  }

  /** The same for one that does not wait. */
  callNow(name: string, deed: () => void): void {
    const end = this.#begin(name);
    deed();
    end();
  }

  #begin(name: string): () => void {
    const moment = this.moment !== undefined && this.moment.calls-- === 0 ? this.moment : undefined;
    if (moment !== undefined) this.moment = undefined;
    if (moment?.when === "before") moment.what();
    if (this.killed) throw new Killed();
    this.floor.calls.push(name);
    return () => {
      if (moment?.when === "after") moment.what();
      if (this.killed) throw new Killed();
    };
  }
}

const current = new AsyncLocalStorage<Process>();

runWith(async (argv, options) => {
  const process = current.getStore();
  if (process === undefined) throw new Error(`${argv[0]} run by no director`);
  const command = [...argv, options.input ?? ""].join(" ").trim();
  return process.call(command, (): RunResult => {
    const { floor } = process;
    const failing = floor.fails?.(argv.join(" ")) === true;
    if (failing) return { code: 1, stdout: "", stderr: "Resource temporarily unavailable" };
    const result = floor.kernel.run(argv, options);
    floor.changed();
    return result;
  });
});

/** File operations by which something takes effect; a file that is being written is none before its rename. */
for (const name of ["rename", "link", "unlink"] as const) {
  const real = files[name] as (...args: unknown[]) => Promise<void>;
  Object.assign(files, {
    [name]: (...args: unknown[]) => {
      const process = current.getStore();
      if (process === undefined) return real(...args);
      const to = String(args.at(-1));
      return process.call(`${name} ${basename(to)}`, () => {
        if (process.floor.full && name !== "unlink") throw fullDisk(to);
        return real(...args);
      });
    },
  });
}
syncBuiltinESMExports();

const fullDisk = (path: string): Error =>
  Object.assign(new Error(`ENOSPC: no space left on device, ${path}`), {
    code: "ENOSPC",
    syscall: "write",
    path,
  });

export interface Director {
  readonly host: Host;
  readonly pending: Pending;
  /** Sends it an event; resolves when the work that it started has ended. */
  hear(event: DockerEvent): Promise<void>;
  /** Docker's list is up to date with the events: it is read again. */
  lookAgain(): void;
  /** Does something as this director. */
  as<T>(deed: () => Promise<T>): Promise<T>;
  /** Has an event happen at a moment of its calls. */
  at(moment: Moment | undefined): void;
  kill(): void;
  killed(): boolean;
}

export class Floor {
  readonly docker: FakeDocker = new FakeDocker();
  readonly kernel: FakeKernel = new FakeKernel();
  readonly directory: string = mkdtempSync(join(MEMORY, "ocdd-walk-"));
  /** Addresses that other machines of the network answer for. */
  readonly neighbours: Set<Ipv4> = new Set();
  /** Whether the port of a container is found. */
  knows: (container: string) => boolean = () => true;
  /** Elements of nftables are changed by netlink. */
  hasNetlink = false;
  /** No file can be written any more. */
  full = false;
  /** Programs with their arguments and input, file operations and ARP, in the order in which they took effect. */
  calls: string[] = [];
  /** Milliseconds. */
  clock: () => number = () => 0;
  /** Called after each program. */
  changed: () => void = () => undefined;
  /** Whether a program fails, by its arguments. */
  fails: ((command: string) => boolean) | undefined;

  constructor() {
    mkdirSync(join(this.directory, "dns"));
    mkdirSync(join(this.directory, "www"));
  }

  remove(): void {
    rmSync(this.directory, { recursive: true });
  }

  /** A director that has just been started. */
  start(config: Config): Director {
    const process = new Process(this);
    const pending = makePending(() => 0);
    const exits: Exits = makeExits(() => this.clock());
    const kernel = {
      table: openForwardTable(config, this.#netlink(process)),
      bridgePorts: this.#bridgePorts(process),
      arp: this.#arp(process),
      // by programs, which are simulated
      devices: openLinkReader({ reason: "in memory" }),
      links: openLinkChanges({ reason: "in memory" }),
      conntrack: openConntrack({ reason: "in memory" }),
    };
    const host = current.run(process, () => openHost(config, { docker: this.docker, exits }, kernel));
    let going: Promise<void>[] = [];
    const noted = (deed: Promise<void>): Promise<void> => {
      const done = deed.catch((error: unknown) => {
        // a write is refused after another program's change, and the next run repeats it
        if (!(error instanceof Killed || error instanceof HostError)) throw error;
      });
      going.push(done);
      return done;
    };
    const handle = eventHandler({
      host: {
        revoke: (id, first) => noted(host.revoke(id, first)),
        withdraw: () => noted(host.withdraw()),
        admit: (id) => noted(host.admit(id)),
      },
      exits,
      look: pending.add,
      lookSoon: pending.add,
      say: () => undefined,
    });
    return {
      host,
      pending,
      hear: (event) =>
        current.run(process, async () => {
          handle(event);
          const all = going;
          going = [];
          await Promise.all(all);
          // the container of an admission is noted for the next observation by now
          await new Promise(setImmediate);
        }),
      lookAgain() {
        for (const container of host.unsettled()) pending.add({ action: "", container, network: "" });
      },
      as: (deed) => current.run(process, deed),
      at(moment) {
        process.moment = moment;
      },
      kill() {
        process.killed = true;
      },
      killed: () => process.killed,
    };
  }

  #netlink(process: Process): Loaded<Netlink> {
    if (!this.hasNetlink) return { reason: "in memory" };
    const call = (name: string, deed: () => void): void =>
      process.callNow(name, () => {
        if (this.fails?.(name) === true) throw new NetlinkError(EAGAIN);
        deed();
        this.changed();
      });
    return { calls: fakeNetlink(this.kernel.nft, call) };
  }

  #bridgePorts(process: Process): BridgePorts {
    return {
      find: (wanted) =>
        process.call(
          "find bridge ports",
          () =>
            new Map(
              wanted.flatMap(({ id, bridge }) => {
                const port = this.kernel.bridgePorts.find((p) => p.container === id && p.bridge === bridge);
                return port === undefined || !this.knows(id) ? [] : [[id, port.name] as const];
              }),
            ),
        ),
      close: () => undefined,
    };
  }

  #arp(process: Process) {
    return {
      probe: (addresses: readonly Ipv4[]) =>
        process.call("probe", () => new Set(addresses.filter((one) => this.neighbours.has(one)))),
      announce: (addresses: readonly Ipv4[]) =>
        process.call(`announce ${addresses.join(" ")}`, () => {
          for (const address of addresses) this.kernel.unannounced.delete(address);
        }),
      heard: async () => new Set<Ipv4>(),
      close: () => undefined,
    };
  }
}

/** A file's content is not made durable: what a crash of the machine leaves is the lab's to show. */
const probe = await files.open(new URL(import.meta.url), "r");
Object.assign(Object.getPrototypeOf(probe), { sync: async () => undefined });
await probe.close();
