/** The host behind one interface: observe it, carry out a plan. */
import { setTimeout as sleep } from "node:timers/promises";
import type { Ipv4 } from "../core/addresses/ipv4.ts";
import type { Config } from "../core/config/config.ts";
import type { DataPath, Forward } from "../core/forwards/forward.ts";
import type { Observation } from "../core/model.ts";
import { pathsOf } from "../core/paths.ts";
import type { Plan } from "../core/plan.ts";
import { apply, named } from "./apply.ts";
import { noteRun } from "./disk/page.ts";
import { zoneWriter } from "./disk/zone-writer.ts";
import { connectDocker, type Docker } from "./docker/client.ts";
import type { Exits } from "./docker/exits.ts";
import { type LinkReader, openLinkReader } from "./kernel/addresses.ts";
import type { Arp } from "./kernel/arp/arp.ts";
import { openArp } from "./kernel/arp/probe.ts";
import { rememberProbes } from "./kernel/arp/probe-cache.ts";
import { type BridgePorts, openBridgePorts } from "./kernel/bridge-ports.ts";
import { type Conntrack, openConntrack } from "./kernel/conntrack.ts";
import { type ForwardTable, openForwardTable, type Refusal } from "./kernel/forwards.ts";
import { type LinkChanges, openLinkChanges } from "./kernel/link-changes.ts";
import { type FallenAsleep, type GatesOf, makeObserver, type Scope, type Unanswered } from "./observe.ts";

export interface Host {
  /** Reads Docker, devices, firewall and files. Throws HostError; nothing is changed. */
  observe(scope?: Scope): Promise<Observation>;
  /**
   * Those of the addresses that another machine on the network answers for. `ahead` is probed as well but not waited
   * for; recent results are used again.
   */
  probe(addresses: readonly Ipv4[], ahead?: readonly Ipv4[]): Promise<ReadonlySet<Ipv4>>;
  /** Carries out a plan. Throws HostError that names the step; the steps before it stay done. */
  apply(plan: Plan): Promise<readonly Refusal[]>;
  /**
   * Takes the forwards of a container out of force at once; waits for no run and not for Docker. `first` is called before:
   * it is waited for, but not for a busy disk.
   */
  revoke(containerId: string, first: () => Promise<void>): Promise<void>;
  /**
   * Takes the names of containers that were revoked since the last observation began out of the zone file, and does not
   * wait for a run: Docker may keep it waiting. Only while this process holds the lock. Throws HostError.
   */
  withdraw(): Promise<void>;
  /**
   * Has an alias lead to its container, or its first packets wait, at once: in force when it resolves. No run that is in
   * progress undoes it; the next one decides by what the lifecycle tells. `networkId`: where the container is reached.
   * Throws HostError.
   */
  gate(containerId: string, forward: Forward, networkId: string): Promise<void>;
  /** Opens the guard for a container that has just started, as soon as its bridge port is known. */
  admit(containerId: string): Promise<void>;
  /** Containers of which Docker's list showed another state than its events or networks in the last observation. */
  unsettled(): readonly string[];
  /** Whether an address is an alias in force, as far as this process knows. */
  holds(address: string): boolean;
  /** Another process has changed the kernel's state: the next observation reads all of it. */
  invalidate(): void;
  /**
   * Puts the rules committed last in force again, also while Docker does not answer; not where another `ocdd` has run
   * since. Throws HostError.
   */
  reassert(): Promise<void>;
  /**
   * Has first packets refused from now on instead of waiting: nothing will read their queue. Not where another `ocdd` has run
   * since. Throws HostError.
   */
  stopHolding(): Promise<void>;
  /** Records that a run has just succeeded. */
  noteRun(): Promise<void>;
  close(): void;
}

/** A client for Docker whose events are followed, and the containers that have ended by them. */
export interface Followed {
  readonly docker: Docker;
  readonly exits: Exits;
  /** What the lifecycle of this process tells. */
  readonly gates?: GatesOf;
  readonly unanswered?: Unanswered;
  /** An observation begins: what the lifecycle is told later is newer than what it sees. */
  readonly observing?: () => void;
}

/** Access to the kernel. */
export interface KernelAccess {
  readonly table: ForwardTable;
  readonly bridgePorts: BridgePorts;
  readonly arp: Arp;
  readonly devices: LinkReader;
  readonly links: LinkChanges;
  readonly conntrack: Conntrack;
}

const kernelOf = (config: Config): KernelAccess => ({
  table: openForwardTable(config),
  bridgePorts: openBridgePorts(),
  arp: openArp(config.device),
  devices: openLinkReader(),
  links: openLinkChanges(),
  conntrack: openConntrack(),
});

/**
 * For how long a rule waits for its name to be withdrawn: what a process that is killed leaves leads nowhere. In turns of the
 * event loop, so that the time is the disk's: writing a file takes some ten of them, which are long while a run is working.
 */
const WITHDRAWAL = { turns: 20, ms: 10 } as const;

/** Resolves when the promise is settled, or when that time is over. */
async function patiently(promise: Promise<unknown>): Promise<void> {
  let settled = false;
  const over = promise
    .catch(() => undefined)
    .finally(() => {
      settled = true;
    });
  for (let n = 0; n < WITHDRAWAL.turns && !settled; n++)
    await Promise.race([over, sleep(WITHDRAWAL.ms, undefined, { ref: false })]);
}

/** The real host, with a client of its own for Docker, or with one whose events are followed. */
export function openHost(config: Config, followed?: Followed, kernel: KernelAccess = kernelOf(config)): Host {
  const docker = followed?.docker ?? connectDocker({ socket: config.dockerSocket, ...config.api });
  const { table, bridgePorts, arp, devices, links, conntrack } = kernel;
  const observer = makeObserver({
    config,
    docker,
    table,
    bridgePorts,
    devices,
    exits: followed?.exits,
    gates: followed?.gates,
    unanswered: followed?.unanswered,
  });
  const zone = zoneWriter(config, observer.revokedAliases);
  /** Names of containers that have ended are being withdrawn. */
  let withdrawal: Promise<unknown> = Promise.resolve();
  const portOf = async (containerId: string, bridge: string): Promise<string | null> => {
    const pid = await docker.pid(containerId);
    const found = pid === undefined ? undefined : await bridgePorts.find([{ id: containerId, pid, bridge }]);
    const port = found?.get(containerId);
    if (port === undefined) return null;
    observer.learned({ name: port, bridge, hairpin: false, container: containerId });
    return port;
  };
  /** Has first packets wait to containers that have ended and are started again by a visit. */
  const holdBack = async (asleep: readonly FallenAsleep[]): Promise<void> => {
    await table.change(
      asleep.map(({ forward }) => forward),
      observer.queue(),
    );
    for (const { forward, target, written } of asleep) {
      // one that has been started again meanwhile has new connections
      if (!written()) continue;
      await conntrack.flushTo(forward.alias, target);
      observer.flushed.add(forward.alias);
    }
  };
  return {
    async observe(scope = {}) {
      followed?.observing?.();
      const seen = await observer.observe(scope);
      if (followed === undefined) return seen;
      const inForce = seen.actual.aliases.map(({ address }) => address);
      // a failure here occurs again when an address is probed, and is reported then
      const claimed = await arp.heard(inForce).catch(() => new Set<Ipv4>());
      return { ...seen, claimed };
    },
    probe: rememberProbes((addresses) => arp.probe(addresses)),
    async apply(plan) {
      observer.applying(plan);
      const { flushed } = observer;
      /** Also of one that ended before this process knew its lease, so that `revoke` could not withdraw its name. */
      const namesWithdrawn = async (): Promise<void> => {
        await withdrawal;
        if (observer.revokedAliases().size > 0) await patiently(zone.withdraw(observer.readZone));
      };
      const means = {
        config,
        table,
        links,
        conntrack,
        zone,
        asOfNow: (path: DataPath) => namesWithdrawn().then(() => observer.asOfNow(path)),
        revokedAliases: () => namesWithdrawn().then(observer.revokedAliases),
        flushed,
        opened: observer.opened,
        announce: (aliases: readonly Ipv4[]) => arp.announce(aliases),
      };
      const refused = await apply(means, plan);
      await observer.applied(plan);
      return refused;
    },
    async revoke(containerId, first) {
      const { gone, asleep } = observer.revoke(containerId);
      if (asleep.length > 0) await holdBack(asleep);
      if (gone.length === 0) return;
      const aliases = gone.map(({ address }) => address);
      withdrawal = patiently(first());
      await withdrawal;
      await table.revoke(aliases);
      // until the address is removed from the device, no service of the host answers on it: INPUT refuses
      await links.remove(gone);
      await conntrack.flush(aliases);
      for (const address of aliases) observer.flushed.add(address);
    },
    withdraw: () => zone.withdraw(observer.readZone),
    async gate(containerId, forward, networkId) {
      const bridge = forward.waits === true ? undefined : observer.bridgeOf(networkId);
      // a container that has just started has a port that no observation has seen
      const bridgePort = bridge === undefined ? forward.bridgePort : await portOf(containerId, bridge);
      const changed = { ...forward, bridgePort };
      const written = observer.gate(changed);
      await table.change([changed], observer.queue());
      written();
    },
    async admit(containerId) {
      // a container on several networks is left to the next run, which knows the right one
      const way = observer.wayTo(containerId);
      const port = way === undefined ? null : await portOf(containerId, way.bridge);
      if (way !== undefined && port !== null) await table.admit(way.alias, port);
    },
    unsettled: observer.unsettled,
    holds: observer.holds,
    invalidate: observer.forget,
    async reassert() {
      if (!(await observer.overtaken())) await table.reassert();
    },
    async stopHolding() {
      if (!(await observer.overtaken())) await table.stopHolding();
    },
    async noteRun() {
      try {
        await noteRun(pathsOf(config).lastRun);
      } catch (error) {
        throw named("record the time of the run", error);
      }
    },
    close() {
      table.close();
      bridgePorts.close();
      arp.close();
      devices.close();
      links.close();
      conntrack.close();
    },
  };
}
