/** A candidate with its address and its names → its service, or why it is not served. */

import { type Ipv4, sizeOf } from "../addresses/ipv4.ts";
import type { Config } from "../config/config.ts";
import { canonical, type Forward } from "../forwards/forward.ts";
import { portsToCheck } from "../lifecycle/port-check.ts";
import type { LifecycleSettings } from "../lifecycle/settings.ts";
import { perObject } from "../memo.ts";
import type { LeaseTable, Service } from "../model.ts";
import { readCard } from "../page/appearance.ts";
import type { Candidate } from "./candidates.ts";
import type { Grant } from "./names.ts";
import type { Skipped } from "./skipped.ts";

/**
 * The service of a candidate; the same value as long as nothing of it changes. A grant is that of one container, with its names; the
 * rest of what a service is made of is compared.
 */
export function serviceOf(candidate: Candidate, grant: Grant, address: Ipv4, place: Place): Service {
  const { zone, bridgePort, settings } = place;
  const { reach, container, wishes } = candidate;
  const target = "target" in reach ? reach.target : "";
  const network = "network" in reach ? reach.network.name : "";
  const { allow } = wishes;
  const rest = allow === null && settings === null ? "" : JSON.stringify([allow, settings]);
  const said = [reach.kind, target, address, zone, bridgePort, network, container.state, rest].join("\n");
  return services(grant, said, () => makeService(candidate, grant, address, place));
}

/** The parts of a service that do not come from its container. */
interface Place {
  readonly zone: string;
  readonly bridgePort: string | null;
  /** What its labels ask for where it may sleep. */
  readonly settings: LifecycleSettings | null;
}

const services = perObject<Grant, Service>();

function makeService(
  candidate: Candidate,
  grant: Grant,
  address: Ipv4,
  { zone, bridgePort, settings }: Place,
): Service {
  const { container, identity, reach, wishes, key } = candidate;
  const target = reach.kind === "alias" || reach.kind === "direct" ? reach.target : null;
  const forward: Forward | null =
    reach.kind === "alias" || reach.kind === "asleep"
      ? canonical({
          name: grant.own,
          alias: address,
          target,
          bridgePort,
          map: wishes.map,
          ports: wishes.ports,
          allow: wishes.allow,
        })
      : null;
  const fqdn = `${grant.own}.${zone}`;
  // the host does not reach containers with an address of their own on the LAN, as with macvlan
  const check =
    wishes.check && reach.kind === "alias"
      ? portsToCheck({ fqdn, forward, ports: container.ports }, container)
      : [];
  return {
    key,
    name: grant.own,
    names: grant.names,
    fqdn,
    address,
    kind: reach.kind === "none" || reach.kind === "asleep" ? "alias" : reach.kind,
    state: container.state,
    health: container.health,
    instances: [
      {
        id: container.id,
        name: container.name,
        image: container.image,
        address: target,
        network: "network" in reach ? reach.network.name : null,
      },
    ],
    project: identity.membership?.project ?? null,
    service: identity.membership?.service ?? null,
    ports: container.ports,
    srv: wishes.srv,
    forward,
    ...(check.length > 0 && { check }),
    sleep:
      forward === null || settings === null || !("network" in reach)
        ? null
        : { settings, open: forward, networkId: reach.network.id },
    created: container.created,
    started: container.started,
    card: readCard(container.labels, container.image),
    renamed: grant.renamed,
    sharedNames: grant.shared,
  };
}

/** Why a candidate that could be reached has no address. */
export function whyUnserved(
  candidate: Candidate,
  table: LeaseTable,
  config: Config,
): Pick<Skipped, "code" | "reason"> {
  if (candidate.reach.kind === "shared") {
    const reason = "it shares the network of a container that is not served";
    return { code: "shares-unserved", reason };
  }
  const size = config.pool.reduce((n, range) => n + sizeOf(range), 0);
  const inUse = table.leases.filter((lease) => lease.releasedAt === null).length;
  const rest = table.leases.length - inUse;
  const reason = `the address range is full: ${size} addresses, ${inUse} in use, ${rest} on hold, ${table.conflicts.length} conflicts`;
  return { code: "range-full", reason };
}
