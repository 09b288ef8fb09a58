/**
 * Observes the host, whole or only what has changed since the last observation. Longer than most files: what is known
 * between two observations is one state.
 */
import { stat } from "node:fs/promises";
import type { Ipv4 } from "../core/addresses/ipv4.ts";
import type { Config } from "../core/config/config.ts";
import { labelOf } from "../core/decide.ts";
import { type DataPath, type Forward, waiting } from "../core/forwards/forward.ts";
import { type Gates, NO_GATES } from "../core/lifecycle/gates.ts";
import { mayWake } from "../core/lifecycle/sleep.ts";
import type { BridgePort, Container, DeviceAddress, LeaseTable, Observation } from "../core/model.ts";
import { NOTHING_SEEN, observationOf } from "../core/observation.ts";
import { readHistory } from "../core/page/history.ts";
import { pathsOf } from "../core/paths.ts";
import type { Plan } from "../core/plan.ts";
import type { ZoneFile } from "../core/zone/zone-file.ts";
import { readFailures } from "./disk/failures.ts";
import { readOctets, readText } from "./disk/file.ts";
import { readLeases } from "./disk/leases.ts";
import { resultsReader } from "./disk/method-results.ts";
import { outputText } from "./disk/output.ts";
import { readTemplate } from "./disk/page.ts";
import { readResolvers } from "./disk/resolvers.ts";
import { readFound } from "./disk/watch-stats.ts";
import { zoneReader } from "./disk/zone-reader.ts";
import type { Docker } from "./docker/client.ts";
import type { Exits } from "./docker/exits.ts";
import type { DockerEvent } from "./docker/json.ts";
import { type DockerView, followedView, lookOnce } from "./docker/view.ts";
import type { LinkReader } from "./kernel/addresses.ts";
import type { BridgePorts } from "./kernel/bridge-ports.ts";
import type { ForwardTable } from "./kernel/forwards.ts";
import { QUEUE_NUMBER, queueHasReader } from "./kernel/queue/queue.ts";
import { readNextHops } from "./kernel/routes.ts";
import { afterApply, type Known, withGates, withoutAliases } from "./known.ts";
import { bridgesOf, lostUnowned, ownersOfPorts, withOwners, withoutPort, withPorts } from "./port-owners.ts";
import { asOfNow, makeSince } from "./since.ts";

/** How much of the host an observation reads. */
export interface Scope {
  /** Parts that count as empty: teardown needs no Docker, and reading the firewall takes root. */
  readonly without?: readonly ("docker" | "firewall")[];
  /** Only what these events are about has changed since the last observation; the rest is as this process left it. */
  readonly events?: readonly DockerEvent[];
}

/** What an observation needs. */
export interface ObserverParts {
  readonly config: Config;
  readonly docker: Docker;
  readonly table: ForwardTable;
  readonly bridgePorts: BridgePorts;
  readonly devices: LinkReader;
  /** Undefined where Docker's events are not followed. */
  readonly exits: Exits | undefined;
  /** What this process's lifecycle tells; undefined where it has none. */
  readonly gates?: GatesOf | undefined;
  /** The containers that do not answer, as this process has found; undefined where it tries none. */
  readonly unanswered?: Unanswered | undefined;
}

/** Ids. */
export type Unanswered = () => ReadonlySet<string>;

/** What the lifecycle tells about the containers seen. */
export type GatesOf = (seen: Pick<Observation, "containers" | "stopped">) => Gates;

export interface Observer {
  /** Throws HostError. */
  observe(scope: Scope): Promise<Observation>;
  /** A plan is about to be carried out: what is known of the host is not used until `applied`. */
  applying(plan: Plan): void;
  /** The zone file as it is now. Throws HostError. */
  readZone(): Promise<ZoneFile>;
  /** Aliases that have been led to their container since the last observation began. */
  opened(): ReadonlySet<Ipv4>;
  /** Aliases whose tracked flows have been flushed since a plan was last carried out, and that have led nowhere since. */
  readonly flushed: Set<Ipv4>;
  /** Aliases of containers that were revoked since the last observation began. */
  revokedAliases(): ReadonlySet<Ipv4>;
  /**
   * The forward takes the place of its alias's own; no plan made before this call undoes that. To be told when it is
   * written: an observation that began meanwhile may have seen the rules from before. That tells whether it is still the
   * alias's newest.
   */
  gate(forward: Forward): () => boolean;
  /** A data path that was planned, with what was revoked or gated since its observation began. */
  asOfNow(path: DataPath): DataPath;
  /** The plan has been carried out: the host is in its desired state. */
  applied(plan: Plan): Promise<void>;
  /**
   * The container's aliases to remove, which no plan made before this call puts in force again; and the forwards of those
   * that stay, because the first visit starts it again, each with what `gate` gives.
   */
  revoke(containerId: string): { readonly gone: DeviceAddress[]; readonly asleep: FallenAsleep[] };
  /** The container's alias and the bridge its packets leave by; undefined where it has none, or several bridges. */
  wayTo(containerId: string): { readonly alias: Ipv4; readonly bridge: string } | undefined;
  /** Name of a network's bridge; undefined where it has none. */
  bridgeOf(networkId: string): string | undefined;
  /**
   * Containers of which Docker's list showed another state than its events or networks in the last observation, and those of its
   * events whose bridge port was not found.
   */
  unsettled(): readonly string[];
  /** Whether an address is an alias in force, as far as it is known. */
  holds(address: string): boolean;
  /** Whether another process has written the leases since this one did, and so may have changed the host. */
  overtaken(): Promise<boolean>;
  /** Number of the queue in which first packets wait, as the last observation found it. */
  queue(): number | undefined;
  /** The bridge port of a container that has just started. */
  learned(port: BridgePort): void;
  forget(): void;
}

/** A forward whose container has ended, and that stays. */
export interface FallenAsleep {
  /** Its packets wait from now on. */
  readonly forward: Forward;
  /** Where it led before. */
  readonly target: Ipv4;
  readonly written: () => boolean;
}

/**
 * Another process may read the queue, and serve the page: as its rules tell. Where they are not read it is not known which
 * aliases wait: a container that runs counts as awake then.
 */
async function gatesOfOthers(failures: string, rules: DataPath | undefined): Promise<Gates> {
  if ((await queueHasReader(QUEUE_NUMBER)) !== true) return NO_GATES;
  const gates = { ...NO_GATES, failed: await readFailures(failures) };
  if (rules === undefined) return gates;
  const page = rules.frame?.page;
  const paged = new Set(rules.forwards.flatMap((one) => (one.page === undefined ? [] : one.alias)));
  return { ...gates, queue: QUEUE_NUMBER, ...(page === undefined ? {} : { page, paged }) };
}

/** Actions of events after which a container may have another bridge port. */
const REPLACING: ReadonlySet<string> = new Set(["connect", "disconnect", "die", "destroy", ""]);

export function makeObserver(parts: ObserverParts): Observer {
  const { config, docker, table, bridgePorts, devices, exits, gates } = parts;
  const paths = pathsOf(config);
  const followed = exits && followedView(docker, exits.ended);
  const zones = zoneReader(config);
  const readMethodResults = resultsReader(paths.results);
  let known: Known | undefined;
  /** What was known before the plan that is being carried out. */
  let before: Known | undefined;
  /** Containers that an event of the last observation is about, and whose bridge port was not found. */
  let portless: readonly string[] = [];
  let view: DockerView = { containers: [], networks: [], notices: [] };
  let leased: LeaseTable["leases"] = [];
  let leasedBy = "";
  const flushed = new Set<Ipv4>();
  /** Ports of containers that have started since the last observation. */
  const learned: BridgePort[] = [];
  const since = makeSince();
  let queue: number | undefined;

  const leasesId = async (): Promise<string> => {
    const found = await stat(paths.leases, { bigint: true }).catch(() => undefined);
    return found === undefined ? "" : `${found.ino} ${found.mtimeNs} ${found.size}`;
  };
  const overtaken = async (): Promise<boolean> => leasedBy !== (await leasesId());
  const readAll = async (without: Scope["without"] = []): Promise<Known> => {
    leasedBy = await leasesId();
    learned.length = 0;
    const [links, path, leases, html, services, lastRun, self, history, template, nextHops, resolvers] =
      await Promise.all([
        devices.read(),
        without.includes("firewall") ? NOTHING_SEEN : table.read(),
        readLeases(paths.leases),
        outputText(readText(config.indexFile)),
        outputText(readText(paths.services)),
        outputText(readText(paths.lastRun)),
        // only root enters its directory: without it the file counts as absent
        readText(paths.self).catch(() => undefined),
        readText(paths.history),
        readTemplate(config.templateDir),
        readNextHops(),
        readResolvers(),
      ]);
    const page = { html, services };
    return {
      links,
      path,
      leases,
      page,
      lastRun,
      self: self ?? "",
      history: readHistory(history ?? ""),
      template,
      neighbours: { nextHops, resolvers },
      aliases: [],
    };
  };
  const stillKnown = async (events: readonly DockerEvent[]): Promise<Known | undefined> => {
    const before = known;
    if (before === undefined || (await overtaken())) return undefined;
    // the port of a restarted container says nothing about its port before the restart
    const links = lostUnowned(before.links, events)
      ? withOwners(await devices.read(), before.links)
      : before.links;
    return { ...before, links: withPorts(links, learned.splice(0)) };
  };
  const revokedAliases = (): ReadonlySet<Ipv4> =>
    new Set(leased.flatMap(({ container, address }) => (since.isRevoked(container) ? address : [])));
  /** The newest of each alias. */
  const newest = new Map<Ipv4, Forward>();
  const note = (forward: Forward): void => {
    since.gate(forward);
    if (known !== undefined) known = withGates(known, new Map([[forward.alias, forward]]), queue);
  };
  const gate = (forward: Forward): (() => boolean) => {
    newest.set(forward.alias, forward);
    note(forward);
    return () => {
      const stays = newest.get(forward.alias) === forward;
      if (stays) note(forward);
      return stays;
    };
  };
  const find = (id: string): Container | undefined =>
    [...view.containers, ...(view.stopped ?? [])].find((container) => container.id === id);

  return {
    async observe({ without = [], events }) {
      since.begin();
      const left = events === undefined ? undefined : await stillKnown(events);
      const look = without.includes("docker")
        ? { containers: [], networks: [], notices: [] }
        : followed === undefined
          ? lookOnce(docker)
          : left === undefined
            ? followed.whole()
            : followed.refresh(events ?? []);
      const [seen, now, text, results, found] = await Promise.all([
        look,
        left ?? readAll(without),
        outputText(readOctets(config.zoneFile)),
        readMethodResults(),
        parts.unanswered === undefined
          ? readFound(paths.watchStats)
          : { unanswered: await parts.unanswered() },
      ]);
      view = seen;
      const replaced = events?.filter(({ action }) => REPLACING.has(action)) ?? [];
      const changed = left === undefined ? undefined : new Set(replaced.map(({ container }) => container));
      const links = await ownersOfPorts({ bridgePorts, docker, view, known: now, changed });
      // once for each event: one that is not found again is looked for by the next full run
      const told = new Set(replaced.flatMap(({ action, container }) => (action === "" ? [] : container)));
      portless = withoutPort(told, view, links);
      const current = { ...now, links };
      const own = gates?.(view);
      // where this process reads no queue, another may: its rules stay
      const others =
        own?.queue === undefined
          ? await gatesOfOthers(paths.failures, without.includes("firewall") ? undefined : now.path.dataPath)
          : NO_GATES;
      const gatesNow = own === undefined || others.queue !== undefined ? others : own;
      queue = gatesNow.queue;
      const observation = observationOf(config, {
        ...current,
        ...view,
        gates: gatesNow,
        results,
        ...found,
        ended: exits?.ended(),
        leasesFile: paths.leases,
        readZone: (host) => zones.read(text, host),
      });
      if (without.length === 0) known = { ...current, aliases: observation.actual.aliases };
      leased = observation.actual.table.leases;
      return observation;
    },
    applying(plan) {
      before = known;
      known = undefined;
      leased = plan.desired.table.leases;
      // an alias in force gets new flows, which were not flushed yet; also when the plan fails after its rules
      for (const { dataPath } of [plan.actual, plan.desired])
        for (const { alias } of dataPath.forwards) flushed.delete(alias);
    },
    gate,
    asOfNow: (path) => asOfNow(path, revokedAliases(), since.gated(), queue),
    opened: () =>
      new Set([...since.gated()].flatMap(([alias, forward]) => (forward.waits === true ? [] : alias))),
    readZone: async () => zones.again((await readOctets(config.zoneFile)) ?? ""),
    flushed,
    revokedAliases,
    async applied({ desired }) {
      leased = desired.table.leases;
      zones.remember(desired.zone);
      flushed.clear();
      leasedBy = await leasesId();
      if (before !== undefined)
        known = withGates(
          withoutAliases(afterApply(before, desired), revokedAliases()),
          since.gated(),
          queue,
        );
    },
    revoke(containerId) {
      const aliases = leased.flatMap(({ container, address, releasedAt }) =>
        container === containerId && releasedAt === null ? address : [],
      );
      const container = find(containerId);
      if (container !== undefined && mayWake(container, config)) {
        const { forwards } = (known ?? before)?.path.dataPath ?? { forwards: [] };
        const gated = since.gated();
        const own = forwards
          .map((forward) => gated.get(forward.alias) ?? forward)
          .filter(({ alias, target }) => target !== null && aliases.includes(alias));
        // where the page is shown, it stays
        const asleep = own.map((forward) => waiting({ ...forward, target: null, bridgePort: null }));
        return {
          gone: [],
          asleep: asleep.flatMap((forward, i) => {
            const target = own[i]?.target ?? null;
            const written = gate(forward);
            return target === null ? [] : [{ forward, target, written }];
          }),
        };
      }
      // Docker announces the loss of the endpoint and the end: once is enough
      if (!since.revoke(containerId)) return { gone: [], asleep: [] };
      if (known !== undefined) known = withoutAliases(known, new Set(aliases));
      const label = labelOf(config.device);
      const gone = aliases.map((address) => ({ device: config.device, address, prefix: 32, label }));
      return { gone, asleep: [] };
    },
    wayTo(containerId) {
      const alias = leased.find(
        ({ container, releasedAt }) => container === containerId && releasedAt === null,
      );
      const container = find(containerId);
      const [bridge, ...others] = container === undefined ? [] : bridgesOf(container, view.networks);
      return alias === undefined || bridge === undefined || others.length > 0
        ? undefined
        : { alias: alias.address, bridge };
    },
    bridgeOf: (networkId) => view.networks.find(({ id }) => id === networkId)?.bridge || undefined,
    overtaken,
    queue: () => queue,
    unsettled: () => [...(view.unsettled ?? []), ...portless],
    holds: (address) => known?.aliases.some((alias) => alias.address === address) === true,
    learned: (port) => void learned.push(port),
    forget() {
      known = undefined;
      before = undefined;
    },
  };
}
