/** What must hold on a host of the random walk: after each step of a run, after each run, and after a successful one. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Ipv4 } from "../../src/core/addresses/ipv4.ts";
import { MOVED } from "../../src/core/addresses/lease.ts";
import type { Forward } from "../../src/core/forwards/forward.ts";
import { parse } from "../../src/core/forwards/iptables-parse.ts";
import { forwardsOf, parseTables } from "../../src/core/forwards/nft-parse.ts";
import type { Container, DeviceAddress, Lease, LeaseTable } from "../../src/core/model.ts";
import { ip, POOL, ZONE, zoneOnDisk } from "../core/make.ts";
import type { Floor } from "../fake/floor.ts";
import { saved } from "../fake/iptables.ts";
import { readRuleset, type Verdict } from "../trace.ts";
import { traceNft } from "../trace-nft.ts";
import { readNft } from "../trace-nft-read.ts";

export const HOLD = 180;
/** The least hold in any case: a container that has stopped on this host is gone, and its range may be full. */
const LEAST_HOLD = 60;

const ALIASES = Array.from({ length: 20 }, (_, i) => ip(`192.168.122.${11 + i}`));
const ROUTES = [
  ["172.17.0.0/16", "docker0"],
  ["0.0.0.0/0", "ens3"],
] as const;

export function fail(message: string): never {
  throw new Error(message);
}

/** The key of a lease, also of one that its owner has left for the address that it asks for. */
const ownerOf = (lease: Lease | undefined): string | undefined => lease?.key.replace(MOVED, "");

export class Judge {
  readonly #floor: Floor;
  /** Addresses, rules and zone text of the operator's, which must stay. */
  readonly foreign: Set<DeviceAddress> = new Set();
  readonly foreignRules: Set<string> = new Set();
  byHand = "";
  /** Container id → the key of its lease, by the last observation. */
  keys: ReadonlyMap<string, string> = new Map();
  /** Address → its last holder, and until when it is leased or held. */
  readonly #history = new Map<Ipv4, { readonly key: string; readonly until: number }>();
  /** Address → its last lease. */
  readonly #last = new Map<Ipv4, Lease>();
  /** Alias → the container that it led to and the lease, when that container held it. */
  readonly #right = new Map<Ipv4, string>();
  #serial = 0;
  /** Another program has changed rules since the last successful run. */
  #tampered = false;

  constructor(floor: Floor, { guarded }: { readonly guarded: boolean }) {
    this.#floor = floor;
    floor.changed = () => {
      if (guarded && !this.#tampered) this.checkPackets();
    };
  }

  tampered(): void {
    this.#tampered = true;
    this.#floor.kernel.flows.clear();
  }

  #table(file = "leases.json"): LeaseTable | undefined {
    try {
      return JSON.parse(readFileSync(join(this.#floor.directory, file), "utf8")) as LeaseTable;
    } catch {
      return undefined;
    }
  }

  /**
   * The newest leases are lost: those of the previous file are kept in any case. Those that follow from the rules in force are
   * kept as well, but a rule names a container's address, which another container may have by now.
   */
  forget(): void {
    this.#tampered = true;
    const told = new Map((this.#table("leases.json.previous")?.leases ?? []).map((l) => [l.address, l.key]));
    for (const [address, { key }] of this.#history)
      if (told.get(address) !== key) this.#history.delete(address);
  }

  /** Where a client's packet to an alias goes, and whether the guard lets it arrive. */
  #way(alias: Ipv4): { readonly verdict: Verdict; readonly reaches: Container | undefined } {
    const { kernel, docker } = this.#floor;
    const containers = docker.running().filter((one) => one.networkMode === "bridge");
    const bridgePorts = containers.map((one): [string, string] => [
      one.attachments[0]?.address ?? "",
      kernel.bridgePorts.find(({ container }) => container === one.id)?.name ?? "",
    ]);
    const verdict = traceNft(
      { from: "192.168.122.50", to: alias, protocol: "tcp", port: 80, hook: "PREROUTING", in: "ens3" },
      this.#tables(kernel.nft.text()),
      {
        local: kernel.addresses.map(({ address }) => address),
        routes: ROUTES,
        iptables: this.#ruleset(kernel.rules),
        bridgePorts: new Map(bridgePorts),
      },
    );
    if (typeof verdict !== "object") return { verdict, reaches: undefined };
    const reaches = containers.find((one) => one.attachments[0]?.address === verdict.address);
    return { verdict, reaches };
  }

  readonly #ruleset = rememberLast(readRuleset);
  readonly #tables = rememberLast(readNft);

  /** No alias leads to a container that does not hold its lease. */
  checkPackets(): void {
    for (const { address, ...lease } of this.#table()?.leases ?? [])
      this.#last.set(address, { address, ...lease });
    for (const alias of ALIASES) {
      const { reaches } = this.#way(alias);
      if (reaches === undefined) this.#right.delete(alias);
      if (reaches === undefined) continue;
      const lease = this.#last.get(alias);
      const holds = lease?.container === reaches.id || ownerOf(lease) === this.keys.get(reaches.id);
      // one that was renamed after a run that failed: nothing has changed but its name, until the next run
      const right = `${reaches.id} ${lease?.key} ${lease?.container}`;
      if (holds) this.#right.set(alias, right);
      else if (this.#right.get(alias) !== right)
        fail(
          `${alias} leads to ${reaches.name} ${reaches.id.slice(0, 12)}, its lease is ${JSON.stringify(lease)}`,
        );
    }
  }

  /** Clients connect to each alias. */
  connect(): void {
    for (const alias of ALIASES) {
      const { verdict, reaches } = this.#way(alias);
      if (reaches === undefined || typeof verdict !== "object") continue;
      const { flows } = this.#floor.kernel;
      flows.set(alias, new Set([...(flows.get(alias) ?? []), verdict.address]));
    }
  }

  /** What is on disk, after a run that was killed too. */
  checkLeases(now: number): void {
    const table = this.#table();
    if (table === undefined) return;
    const active = table.leases.filter((l) => l.releasedAt === null);
    unique(
      active.map((l) => l.address),
      "two active leases on one address",
    );
    unique(
      active.map((l) => l.key),
      "two active leases of one owner",
    );
    for (const l of active) {
      const last = this.#history.get(l.address);
      if (last !== undefined && last.key !== ownerOf(l) && now < last.until)
        fail(`${l.address} went from ${last.key} to ${l.key} while it was held`);
    }
    this.#history.clear();
    for (const lease of table.leases)
      this.#history.set(lease.address, {
        key: ownerOf(lease) ?? "",
        until: lease.releasedAt === null ? Number.POSITIVE_INFINITY : lease.releasedAt + LEAST_HOLD,
      });
  }

  /** After a successful run, on a host whose events have all arrived. */
  checkConverged(names: readonly string[]): void {
    this.#tampered = false;
    this.#right.clear();
    this.checkPackets();
    this.#checkForwards();
    this.#checkForeign();
    this.#checkZone(names);
    const { flows, unannounced } = this.#floor.kernel;
    for (const [alias, targets] of flows) {
      const { verdict } = this.#way(alias);
      const to = typeof verdict === "object" ? verdict.address : "";
      for (const target of targets)
        if (target !== to) fail(`a flow to ${alias} leads to ${target}, not ${to}`);
    }
    if (unannounced.size > 0) fail(`not announced: ${[...unannounced].join(" ")}`);
  }

  /** Every alias is forwarded, to its lease's owner only, reaches it, and every forward has its alias. */
  #checkForwards(): void {
    const { docker, kernel } = this.#floor;
    const leases = this.#table()?.leases ?? [];
    const owner = new Map(leases.filter((l) => l.releasedAt === null).map((l) => [l.address, l.container]));
    const target = new Map(docker.running().map((c) => [c.id, c.attachments[0]?.address]));
    const { rules, tables } = this.#forwards();
    if (rules.length > 0 && tables.length > 0) fail("both backends redirect");
    const forwards = [...rules, ...tables];
    for (const { alias, target: to, ...policy } of forwards) {
      const holder = owner.get(alias) ?? "";
      if (target.get(holder) !== to) fail(`${alias} leads to ${to}, not to its owner`);
      const open = policy.ports === null && policy.allow === null;
      if (open && this.#way(alias).reaches?.id !== holder) fail(`${alias} does not reach its owner`);
    }
    const aliases = kernel.addresses.filter((a) => a.label === "ens3:ocdd").map((a) => a.address);
    unique(aliases, "an alias twice");
    if (aliases.length === 0 && kernel.nft.list("bridge") !== undefined) fail("a guard for no alias");
    const forwarded = new Set(forwards.map((f) => f.alias));
    if (forwarded.size !== aliases.length || !aliases.every((a) => forwarded.has(a)))
      fail("aliases and forwards differ");
  }

  /** Of each backend. */
  #forwards(): Readonly<Record<"rules" | "tables", readonly Forward[]>> {
    const { rules, nft } = this.#floor.kernel;
    const listings = ["ip", "bridge"].map((family) => nft.list(family) ?? '{ "nftables": [] }');
    return {
      rules: parse(saved(rules) as never, POOL).dataPath.forwards,
      tables: forwardsOf(parseTables(listings)),
    };
  }

  #zone(): string {
    return readFileSync(join(this.#floor.directory, `dns/${ZONE}.zone`), "latin1");
  }

  #checkForeign(): void {
    const { kernel } = this.#floor;
    for (const a of this.foreign)
      if (!kernel.addresses.some((b) => JSON.stringify(a) === JSON.stringify(b)))
        fail(`foreign address ${a.address} is gone`);
    for (const rule of this.foreignRules)
      if (!kernel.rules.includes(`${rule}\n`)) fail(`foreign rule ${rule} is gone`);
    if (!this.#zone().endsWith(this.byHand)) fail("hand-written records are gone");
  }

  #checkZone(names: readonly string[]): void {
    unique(names, "a name twice");
    const { records, serial } = zoneOnDisk(this.#zone());
    const owned = new Set(records.map(({ owner }) => owner));
    for (const name of names) if (!owned.has(name)) fail(`${name} is not in the zone`);
    if (serial < this.#serial) fail(`serial ${serial} after ${this.#serial}`);
    this.#serial = serial;
  }
}

/** Reads a text again only when it has changed. */
function rememberLast<T>(read: (text: string) => T): (text: string) => T {
  let last: { readonly text: string; readonly value: T } | undefined;
  return (text) => {
    if (last?.text !== text) last = { text, value: read(text) };
    return last.value;
  };
}

export function unique(values: readonly string[], message: string): void {
  const twice = values.find((value, i) => values.indexOf(value) !== i);
  if (twice !== undefined) fail(`${message}: ${twice}`);
}
