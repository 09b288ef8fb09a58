/** What a long-running process knows of the host between two observations. */
import type { Ipv4 } from "../core/addresses/ipv4.ts";
import type { Neighbours } from "../core/addresses/neighbours.ts";
import { type Forward, withForwards } from "../core/forwards/forward.ts";
import type { DeviceAddress, PageFiles, State } from "../core/model.ts";
import type { DataPathSeen, LeasesRead } from "../core/observation.ts";
import type { ServiceHistory } from "../core/page/history.ts";
import type { PageTemplate } from "../core/page/template.ts";
import { aliasChanges } from "../core/plan.ts";
import type { Links } from "./kernel/addresses.ts";

/** The part of the host's state that only this process, or an event that it follows, changes. */
export interface Known {
  readonly links: Links;
  readonly path: DataPathSeen;
  readonly leases: LeasesRead;
  /** OCDD's aliases among the addresses. */
  readonly aliases: readonly DeviceAddress[];
  readonly page: PageFiles;
  readonly lastRun: string;
  readonly self: string;
  readonly history: ServiceHistory;
  readonly template: PageTemplate;
  readonly neighbours: Neighbours;
}

/** What is known after a plan for `desired` was carried out. */
export function afterApply(known: Known, desired: State): Known {
  const { added, removed } = aliasChanges(known.aliases, desired.aliases);
  const gone = new Set(removed.map(({ device, address }) => `${device} ${address}`));
  const staying = known.links.addresses.filter(({ device, address }) => !gone.has(`${device} ${address}`));
  const hairpins = new Set(desired.hairpins);
  const bridgePorts = known.links.bridgePorts.map((port) =>
    port.hairpin || !hairpins.has(port.name) ? port : { ...port, hairpin: true },
  );
  return {
    ...known,
    links: { ...known.links, addresses: [...staying, ...added], bridgePorts },
    aliases: desired.aliases,
    path: { ...known.path, dataPath: desired.dataPath },
    leases: { status: "read", table: desired.table },
    page: desired.page,
    self: desired.self,
    history: desired.history,
  };
}

/** With other forwards in place of those of the same alias; `queue` is where packets wait. */
export function withGates(
  known: Known,
  changed: ReadonlyMap<Ipv4, Forward>,
  queue: number | undefined,
): Known {
  if (changed.size === 0) return known;
  return { ...known, path: { ...known.path, dataPath: withForwards(known.path.dataPath, changed, queue) } };
}

export function withoutAliases(known: Known, aliases: ReadonlySet<Ipv4>): Known {
  const { dataPath } = known.path;
  const forwards = dataPath.forwards.filter(({ alias }) => !aliases.has(alias));
  const staying = (list: readonly DeviceAddress[]): DeviceAddress[] =>
    list.filter(
      ({ address, device }) =>
        !(aliases.has(address) && known.aliases.some((a) => a.address === address && a.device === device)),
    );
  return {
    ...known,
    path: { ...known.path, dataPath: { ...dataPath, forwards } },
    aliases: staying(known.aliases),
    links: { ...known.links, addresses: staying(known.links.addresses) },
  };
}
