/** A host on which a package is installed, configured, used and upgraded: what tests of the Debian and the RPM package do alike. */

import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import type { Test } from "tap";
import { readSurface } from "../../packaging/surface.ts";
import type { Lab } from "../lab/handle.ts";
import { HOST_ADDRESS, ZONE } from "../lab/network.ts";
import { type Outcome, until } from "../lab/process.ts";
import { enterRoot, type HostRoot } from "./host-root.ts";

export interface Service {
  readonly name: string;
  readonly address: string;
}

/** The files of the package's version, and of the same tree under an older number. */
export interface Built {
  readonly file: string;
  readonly earlier: string;
}

export const EARLIER = { version: "1.9.9", compression: "none" } as const;

/** systemd itself cannot run in the root: its calls are recorded. */
const SYSTEMCTL = '#!/bin/sh\necho "$*" >>/tmp/debs/systemctl\n';

/** Not compared: dpkg's and rpm's databases, caches and logs. */
const SKIPPED = "/var/lib/dpkg /var/lib/rpm /var/log /var/cache/ldconfig /proc /dev /run /tmp".split(" ");

// a directory's size depends on the file system
const PRINT = ["(", "-type", "d", "-printf", "%y %m %u %g - %p\\n", ")"];
const PRINT_OTHERS = ["-o", "-printf", "%y %m %u %g %s %p %l\\n"];

export class PackagedHost {
  readonly lab: Lab;
  readonly root: HostRoot;
  readonly conf: string;
  readonly systemctl: string;
  readonly #log: string;
  readonly #before: { network: string; files: readonly string[] };

  private constructor(lab: Lab, root: HostRoot, debs: string, network: string, files: readonly string[]) {
    this.lab = lab;
    this.root = root;
    this.conf = join(root.path, "etc/ocdd/ocdd.conf");
    this.systemctl = join(root.path, "usr/bin/systemctl");
    this.#log = join(debs, "systemctl");
    this.#before = { network, files };
  }

  /** A copy of a root becomes the lab's host, with two containers; `debs` is its /tmp/debs. */
  static async enter(lab: Lab, base: string, debs: string): Promise<PackagedHost> {
    const root = await enterRoot(lab, base, debs);
    writeFileSync(join(root.path, "usr/bin/systemctl"), SYSTEMCTL, { mode: 0o755 });
    await lab.startContainers("web", "app");
    return new PackagedHost(lab, root, debs, await lab.snapshotHost(), await filesOf(root));
  }

  /** The file of a package, as the host sees it. */
  inTmp(file: string): string {
    return `/tmp/debs/${basename(file)}`;
  }

  dpkg(...argv: string[]): Promise<Outcome> {
    return this.root.inside("dpkg", ...argv);
  }

  /** What systemctl was called with since the last time, a line each. */
  told(): string[] {
    const lines = existsSync(this.#log) ? readFileSync(this.#log, "utf8").trim().split("\n") : [];
    rmSync(this.#log, { force: true });
    return lines;
  }

  /** The lines of the files that are there now and were not before the first package, or not so. */
  async added(): Promise<string[]> {
    const before = new Set(this.#before.files);
    return (await filesOf(this.root)).filter((line) => !before.has(line));
  }

  /** Nothing of the host's network has changed, and with `files` nothing on its disk, since before the first package. */
  async asBefore(t: Test, { files }: { files: boolean }): Promise<void> {
    t.equal(await this.lab.snapshotHost(), this.#before.network);
    if (files) t.same(await filesOf(this.root), this.#before.files);
  }

  /** The package's own configuration with the proposed values in force; returns what it was. */
  fillIn(): string {
    const text = readFileSync(this.conf, "utf8");
    writeFileSync(this.conf, text.replace(/^#(NETWORK_DEVICE|IP_|TOOLBOX_)/gm, "$1"));
    return text;
  }

  async services(): Promise<Service[]> {
    return (JSON.parse(await this.root.ok("ocdd", "list", "--json")) as { services: Service[] }).services;
  }

  /** Whether its server answers. */
  readonly named = async (): Promise<boolean> =>
    /^192\.168\./.test(await this.lab.dig(`web.${ZONE}`, `@${HOST_ADDRESS}`));

  /** Fills in the configuration; then the host is in use. */
  async configure(t: Test): Promise<void> {
    const { root, lab } = this;
    this.fillIn();
    t.match(await root.ok("ocdd", "initialize"), /Initializing OCDD/);
    t.match(this.told().join("\n"), /^enable .*ocdd-watch\.service.*ocdd-serve\.service/m);
    t.match(await root.ok("ocdd"), new RegExp(`web\\.${ZONE}\\.`));
    const services = await this.services();
    for (const { name, address } of services) t.equal(await lab.who(address), name, `${name} at ${address}`);
    t.equal(services.length, 2);
  }

  /**
   * An upgrade while director and server of the version before run and a service is used: leases, names and rules stay,
   * and every visit meanwhile is answered.
   */
  async upgrade(t: Test, install: () => Promise<Outcome>): Promise<void> {
    const { root, lab } = this;
    const stop = await this.#start("before");
    const [leases, inForce] = [await this.#held(), await lab.snapshotHost()];
    const [used] = await this.services();
    const answers: (string | undefined)[] = [];
    let done = false;
    const visits = (async () => {
      while (!done) answers.push(await lab.who(used?.address ?? ""));
    })();
    const { code, stdout, stderr } = await install();
    t.equal(code, 0, stderr);
    const said = `${stdout}${stderr}`;
    t.notMatch(said, /error|warning|initialize/i, "units and configuration are those of this version");
    t.same(await this.#held(), leases, "leases and names, before anything is started again");
    t.match(this.told().join("\n"), /try-restart .*ocdd-watch\.service/, "the new version is started");
    await stop();
    const stopNext = await this.#start("after");
    done = true;
    await visits;
    t.ok(answers.length > 5, `${answers.length} visits`);
    t.same([...new Set(answers)], [used?.name], "all are answered");
    t.same(await this.#held(), leases);
    t.equal(await lab.snapshotHost(), inForce, "rules and addresses");
    t.equal(await root.ok("ocdd", "--version"), readSurface().version);
    t.match(readFileSync(this.conf, "utf8"), /^NETWORK_DEVICE=/m, "the operator's configuration");
    t.equal((await root.inside("ocdd", "plan", "--detailed-exitcode")).code, 0);
    await stopNext();
  }

  /** Starts director and server, and waits until both are at work; returns what ends them. */
  async #start(which: string): Promise<() => Promise<void>> {
    const both = [this.root.spawn("ocdd", "watch"), this.root.spawn("ocdd", "serve")];
    await until(`the server ${which} answers`, this.named);
    await until(`the director ${which} runs`, () => this.#follows());
    return async () => {
      await Promise.all(both.map((daemon) => daemon.stop()));
    };
  }

  async #follows(): Promise<boolean> {
    const { watch } = JSON.parse((await this.root.inside("ocdd", "status", "--json")).stdout) as {
      watch: { running: boolean | null } | null;
    };
    return watch?.running === true;
  }

  /** What each service has, as it is on disk and as the director lists it. */
  async #held(): Promise<unknown> {
    const stored = JSON.parse(await this.root.ok("cat", "/var/lib/ocdd/leases.json")) as { leases: unknown };
    return [stored.leases, (await this.services()).map(({ name, address }) => `${name} ${address}`).sort()];
  }
}

/** Every file with its type, mode and size, sorted. */
async function filesOf(root: HostRoot): Promise<string[]> {
  const prune = SKIPPED.flatMap((path) => ["-path", path, "-o"]).slice(0, -1);
  const found = await root.ok("find", "/", "(", ...prune, ")", "-prune", "-o", ...PRINT, ...PRINT_OTHERS);
  return found.split("\n").sort();
}
