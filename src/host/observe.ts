/** Observes the host, whole or only what has changed since the last observation. */
import { stat } from "node:fs/promises";
import type { Ipv4 } from "../core/addresses/ipv4.ts";
import type { Config } from "../core/config/config.ts";
import { labelOf } from "../core/decide.ts";
import type { BridgePort, DeviceAddress, LeaseTable, Observation } from "../core/model.ts";
import { NOTHING_SEEN, observationOf } from "../core/observation.ts";
import { readHistory } from "../core/page/history.ts";
import { pathsOf } from "../core/paths.ts";
import type { Plan } from "../core/plan.ts";
import type { ZoneFile } from "../core/zone/zone-file.ts";
import { readOctets, readText } from "./disk/file.ts";
import { readLeases } from "./disk/leases.ts";
import { readTemplate } from "./disk/page.ts";
import { readResolvers } from "./disk/resolvers.ts";
import { zoneReader } from "./disk/zone-reader.ts";
import type { Docker } from "./docker/client.ts";
import type { Exits } from "./docker/exits.ts";
import type { DockerEvent } from "./docker/json.ts";
import { type DockerView, followedView, lookOnce } from "./docker/view.ts";
import { readLinks } from "./kernel/addresses.ts";
import type { BridgePorts } from "./kernel/bridge-ports.ts";
import type { ForwardTable } from "./kernel/forwards.ts";
import { readNextHops } from "./kernel/routes.ts";
import { afterApply, type Known, withoutAliases } from "./known.ts";
import { bridgesOf, lostUnowned, ownersOfPorts, withOwners, withPorts } from "./port-owners.ts";

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
  /** Undefined where Docker's events are not followed. */
  readonly exits: Exits | undefined;
}

export interface Observer {
  /** Throws HostError. */
  observe(scope: Scope): Promise<Observation>;
  /** A plan is about to be carried out: what is known of the host is not used until `applied`. */
  applying(plan: Plan): void;
  /** The zone file as it is now. Throws HostError. */
  readZone(): Promise<ZoneFile>;
  /** Aliases whose tracked flows have been flushed since a plan was last carried out. */
  readonly flushed: Set<Ipv4>;
  /** Aliases of containers that were revoked since the last observation began. */
  revokedAliases(): ReadonlySet<Ipv4>;
  /** The plan has been carried out: the host is in its desired state. */
  applied(plan: Plan): Promise<void>;
  /** The container's aliases; no plan made before this call puts them in force again. */
  revoke(containerId: string): DeviceAddress[];
  /** The container's alias and the bridge its packets leave by; undefined where it has none, or several bridges. */
  wayTo(containerId: string): { readonly alias: Ipv4; readonly bridge: string } | undefined;
  /** Containers of which Docker's list showed another state than its events or networks in the last observation. */
  unsettled(): readonly string[];
  /** Whether an address is an alias in force, as far as it is known. */
  holds(address: string): boolean;
  /** Whether another process has written the leases since this one did, and so may have changed the host. */
  overtaken(): Promise<boolean>;
  /** The bridge port of a container that has just started. */
  learned(port: BridgePort): void;
  forget(): void;
}

/** Actions of events after which a container may have another bridge port. */
const REPLACING: ReadonlySet<string> = new Set(["connect", "disconnect", "die", "destroy", ""]);

export function makeObserver(parts: ObserverParts): Observer {
  const { config, docker, table, bridgePorts, exits } = parts;
  const paths = pathsOf(config);
  const followed = exits && followedView(docker, exits.ended);
  const zones = zoneReader(config);
  let known: Known | undefined;
  /** What was known before the plan that is being carried out. */
  let before: Known | undefined;
  let observations = 0;
  let view: DockerView = { containers: [], networks: [], notices: [] };
  let leased: LeaseTable["leases"] = [];
  let leasedBy = "";
  const flushed = new Set<Ipv4>();
  /** Ports of containers that have started since the last observation. */
  const learned: BridgePort[] = [];
  /** Container id → number of the observation that had begun when its forwards were revoked. */
  const revoked = new Map<string, number>();

  const leasesId = async (): Promise<string> => {
    const found = await stat(paths.leases, { bigint: true }).catch(() => undefined);
    return found === undefined ? "" : `${found.ino} ${found.mtimeNs} ${found.size}`;
  };
  const overtaken = async (): Promise<boolean> => leasedBy !== (await leasesId());
  const readAll = async (without: Scope["without"] = []): Promise<Known> => {
    leasedBy = await leasesId();
    learned.length = 0;
    const [links, path, leases, html, services, history, template, nextHops, resolvers] = await Promise.all([
      readLinks(),
      without.includes("firewall") ? NOTHING_SEEN : table.read(),
      readLeases(paths.leases),
      readText(config.indexFile),
      readText(paths.services),
      readText(paths.history),
      readTemplate(config.templateDir),
      readNextHops(),
      readResolvers(),
    ]);
    const page = { html: html ?? "", services: services ?? "" };
    return {
      links,
      path,
      leases,
      page,
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
      ? withOwners(await readLinks(), before.links)
      : before.links;
    return { ...before, links: withPorts(links, learned.splice(0)) };
  };
  const revokedAliases = (): ReadonlySet<Ipv4> =>
    new Set(
      leased.flatMap(({ container, address }) => (revoked.get(container) === observations ? address : [])),
    );

  return {
    async observe({ without = [], events }) {
      observations += 1;
      const left = events === undefined ? undefined : await stillKnown(events);
      const look = without.includes("docker")
        ? { containers: [], networks: [], notices: [] }
        : followed === undefined
          ? lookOnce(docker)
          : left === undefined
            ? followed.whole()
            : followed.refresh(events ?? []);
      const [seen, now, text] = await Promise.all([
        look,
        left ?? readAll(without),
        readOctets(config.zoneFile),
      ]);
      view = seen;
      const replaced = events?.filter(({ action }) => REPLACING.has(action)) ?? [];
      const changed = left === undefined ? undefined : new Set(replaced.map(({ container }) => container));
      const links = await ownersOfPorts({ bridgePorts, docker, view, known: now, changed });
      const current = { ...now, links };
      const observation = observationOf(config, {
        ...current,
        ...view,
        ended: exits?.ended(),
        leasesFile: paths.leases,
        readZone: (host) => zones.read(text ?? "", host),
      });
      if (without.length === 0) known = { ...current, aliases: observation.actual.aliases };
      leased = observation.actual.table.leases;
      return observation;
    },
    applying(plan) {
      before = known;
      known = undefined;
      leased = plan.desired.table.leases;
    },
    readZone: async () => zones.again((await readOctets(config.zoneFile)) ?? ""),
    flushed,
    revokedAliases,
    async applied({ desired }) {
      leased = desired.table.leases;
      zones.remember(desired.zone);
      flushed.clear();
      leasedBy = await leasesId();
      if (before !== undefined) known = withoutAliases(afterApply(before, desired), revokedAliases());
    },
    revoke(containerId) {
      // Docker announces the loss of the endpoint and the end: once is enough
      if (revoked.get(containerId) === observations) return [];
      revoked.set(containerId, observations);
      const aliases = leased.flatMap(({ container, address, releasedAt }) =>
        container === containerId && releasedAt === null ? address : [],
      );
      if (known !== undefined) known = withoutAliases(known, new Set(aliases));
      const label = labelOf(config.device);
      return aliases.map((address) => ({ device: config.device, address, prefix: 32, label }));
    },
    wayTo(containerId) {
      const alias = leased.find(
        ({ container, releasedAt }) => container === containerId && releasedAt === null,
      );
      const container = view.containers.find(({ id }) => id === containerId);
      const [bridge, ...others] = container === undefined ? [] : bridgesOf(container, view.networks);
      return alias === undefined || bridge === undefined || others.length > 0
        ? undefined
        : { alias: alias.address, bridge };
    },
    overtaken,
    unsettled: () => view.unsettled ?? [],
    holds: (address) => known?.aliases.some((alias) => alias.address === address) === true,
    learned: (port) => void learned.push(port),
    forget() {
      known = undefined;
      before = undefined;
    },
  };
}
