/**
 * A host in memory: devices, addresses, iptables as text, files and Docker's containers, behind the Host interface and
 * judged by the same core functions as the real one. It prints itself as text, and can be killed between two steps.
 */

import { compareIpv4, type Ipv4 } from "../../src/core/addresses/ipv4.ts";
import type { Config } from "../../src/core/config/config.ts";
import type {
  BridgePort,
  Container,
  DeviceAddress,
  LeaseTable,
  Network,
  Observation,
} from "../../src/core/model.ts";
import { type LeasesRead, observationOf } from "../../src/core/observation.ts";
import type { Plan } from "../../src/core/plan.ts";
import { PLAIN, type Waiter } from "../../src/host/apply.ts";
import type { Deaths } from "../../src/host/docker/exits.ts";
import type { Host, LeaveOut } from "../../src/host/host.ts";
import { BRIDGE, HOST, ip } from "../core/make.ts";
import { applyTransaction, saved } from "./iptables.ts";

/** A fresh Debian with Docker 20.10: chains, and rules of an operator's that nobody may touch. */
const RULES = `*filter
:INPUT ACCEPT [0:0]
:FORWARD DROP [0:0]
:OUTPUT ACCEPT [0:0]
:DOCKER - [0:0]
:DOCKER-USER - [0:0]
-A INPUT -p tcp -m tcp --dport 23 -j DROP
-A FORWARD -j DOCKER-USER
-A FORWARD -o docker0 -j DOCKER
-A DOCKER-USER -j RETURN
COMMIT
*nat
:PREROUTING ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
:POSTROUTING ACCEPT [0:0]
:DOCKER - [0:0]
-A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER
-A OUTPUT ! -d 127.0.0.0/8 -m addrtype --dst-type LOCAL -j DOCKER
-A POSTROUTING -s 172.17.0.0/16 ! -o docker0 -j MASQUERADE
COMMIT
`;

/** Thrown where the process is killed. */
export class Killed extends Error {}

export class FakeHost implements Host {
  config: Config;
  containers: Container[] = [];
  networks: Network[] = [BRIDGE];
  rules: string = RULES;
  addresses: DeviceAddress[] = [
    { device: "lo", address: ip("127.0.0.1"), prefix: 8, label: "lo" },
    { device: "ens3", address: HOST, prefix: 24, label: "ens3" },
    { device: "docker0", address: ip("172.17.0.1"), prefix: 16, label: "docker0" },
  ];
  bridgePorts: BridgePort[] = [];
  /** The leases file and the one before it; "torn" can be read by nobody. */
  leases: LeaseTable | "torn" | undefined;
  previous: LeaseTable | "torn" | undefined;
  zone = "";
  page = "";
  services = "";
  /** Ids of containers whose death Docker has announced. */
  dead: ReadonlySet<string> | undefined;
  /** Whom Docker's events tell of. */
  deaths: Deaths | null = null;
  /** What each plan waits for between its rules and its files. */
  disk: Promise<void> | undefined;
  /** Addresses that other machines of the LAN answer for. */
  neighbours: Set<Ipv4> = new Set();
  /** What a look at Docker is answered with while it is down. */
  dockerDown: Error | undefined;
  /** Steps until the process is killed; never when undefined. */
  killAfter: number | undefined;
  /** Steps carried out so far. */
  steps = 0;

  constructor(config: Config) {
    this.config = config;
  }

  async observe(...leaveOut: readonly LeaveOut[]): Promise<Observation> {
    const docker = !leaveOut.includes("docker");
    if (docker && this.dockerDown !== undefined) throw this.dockerDown;
    return observationOf(this.config, {
      containers: docker ? this.containers : [],
      networks: docker ? this.networks : [],
      dead: this.dead,
      links: {
        devices: [...new Set(this.addresses.map((a) => a.device))],
        addresses: this.addresses,
        bridgePorts: this.bridgePorts,
      },
      tables: leaveOut.includes("firewall") ? new Map() : saved(this.rules),
      leases: this.#readLeases(),
      leasesFile: "leases.json",
      zone: this.zone,
      page: this.page,
      services: this.services,
    });
  }

  async probe(addresses: readonly Ipv4[]): Promise<Set<Ipv4>> {
    return new Set(addresses.filter((address) => this.neighbours.has(address)));
  }

  async noteRun(): Promise<void> {}

  /** The order of src/host/host.ts. */
  async apply(plan: Plan, waiter: Waiter = PLAIN): Promise<void> {
    const remember = (): void => {
      const { table } = plan;
      if (table !== null) this.#step(() => this.#writeLeases(table));
    };
    if (plan.tableFirst) remember();
    if (plan.withdrawal !== null) this.#step(() => this.#write("zone", plan.withdrawal));
    for (const alias of plan.removed) this.#step(() => this.#remove(alias));
    for (const { text } of plan.tables)
      this.#step(() => {
        this.rules = applyTransaction(this.rules, text);
      });
    for (const alias of plan.added) this.#step(() => this.#add(alias));
    if (plan.hairpinsOn.length > 0) this.#step(() => this.#hairpin(plan.hairpinsOn, true));
    if (plan.hairpinsOff.length > 0) this.#step(() => this.#hairpin(plan.hairpinsOff, false));
    const writes = plan.zone !== null || plan.table !== null || plan.page !== null;
    if (writes && this.disk !== undefined) await waiter.keep(this.disk);
    if (plan.zone !== null) this.#step(() => this.#write("zone", plan.zone));
    if (!plan.tableFirst) remember();
    if (plan.services !== null) this.#step(() => this.#write("services", plan.services));
    if (plan.page !== null) this.#step(() => this.#write("page", plan.page));
  }

  /** Everything there is, as a person would compare it. */
  toString(): string {
    const sorted = [...this.addresses].sort((a, b) => compareIpv4(a.address, b.address));
    return [
      "# addresses",
      ...sorted.map((a) => `${a.device} ${a.address}/${a.prefix} ${a.label}`),
      "# rules",
      this.rules.trimEnd(),
      "# hairpin ports",
      ...this.bridgePorts.filter((port) => port.hairpin).map((port) => port.name),
      "# leases",
      JSON.stringify(this.leases),
      "# zone",
      this.zone,
      "# services",
      this.services,
      "# page",
      this.page,
    ].join("\n");
  }

  #step(deed: () => void): void {
    if (this.killAfter !== undefined && this.killAfter-- <= 0) {
      this.killAfter = undefined;
      throw new Killed("killed between two steps");
    }
    this.steps += 1;
    deed();
  }

  #readLeases(): LeasesRead {
    const { leases, previous } = this;
    if (leases !== undefined && leases !== "torn") return { status: "read", table: leases };
    if (previous !== undefined && previous !== "torn") return { status: "previous", table: previous };
    return { status: leases === undefined && previous === undefined ? "absent" : "unreadable" };
  }

  #writeLeases(table: LeaseTable): void {
    if (this.leases !== undefined && this.leases !== "torn") this.previous = this.leases;
    this.leases = table;
  }

  #write(file: "zone" | "services" | "page", text: string | null): void {
    this[file] = text ?? "";
  }

  /** `ip addr replace`: one address a device. */
  #add(alias: DeviceAddress): void {
    this.#remove(alias);
    this.addresses = [...this.addresses, alias];
  }

  #remove(alias: DeviceAddress): void {
    this.addresses = this.addresses.filter(
      (a) => !(a.device === alias.device && a.address === alias.address && a.prefix === 32),
    );
  }

  #hairpin(ports: readonly string[], hairpin: boolean): void {
    this.bridgePorts = this.bridgePorts.map((port) =>
      ports.includes(port.name) ? { ...port, hairpin } : port,
    );
  }
}
