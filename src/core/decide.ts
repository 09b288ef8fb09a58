/** (config, observation, now) → the state the containers ask for. Pure; an invalid container does not affect the others. */

import { type Addresses, giveAddresses } from "./addresses/assign.ts";
import { compareIpv4, type Ipv4, withoutAddresses } from "./addresses/ipv4.ts";
import { clip } from "./clip.ts";
import type { Config } from "./config/config.ts";
import { checkAgainstHost, hostNotes } from "./config/host-check.ts";
import { dataPathOf } from "./forwards/data-path.ts";
import { withAnswer } from "./lifecycle/port-check.ts";
import { gated, settingsFor } from "./lifecycle/sleep.ts";
import { withChecks } from "./methods/checks.ts";
import type {
  Decision,
  KeyHolder,
  Lease,
  LeaseTable,
  NameHold,
  Network,
  Observation,
  Service,
  State,
} from "./model.ts";
import { isHidden } from "./page/appearance.ts";
import { historyOf, type Listing, listingOf, renderListing } from "./page/listing.ts";
import { renderPage } from "./page/page.ts";
import { whyBarred } from "./services/barred.ts";
import { type Candidate, candidatesOf, claimOf } from "./services/candidates.ts";
import { heldNames, nameHoldsBefore, nameHoldsOf } from "./services/held-names.ts";
import { holdersOf } from "./services/key-holder.ts";
import { type Grant, grantNames } from "./services/names.ts";
import { withPort } from "./services/portless.ts";
import { renderSelves } from "./services/self.ts";
import { serviceOf, whyUnserved } from "./services/service.ts";
import { addressNotes, conflictNotes, guardNotes, labelNotes, withNotes } from "./services/service-notes.ts";
import type { Skipped } from "./services/skipped.ts";
import { nameServerNotes } from "./zone/name-servers.ts";
import { updateZone, zoneSettings } from "./zone/records.ts";
import { addressRecords, serverNames, srvRecords } from "./zone/service-records.ts";

/** Decides everything. `now` is in seconds since the epoch. Throws ConfigError when the host contradicts the config. */
export function decide(config: Config, seen: Observation, now: number): Decision {
  const hostIp = checkAgainstHost(config, seen);
  const holders = holdersOf(seen, config, now);
  const candidates = candidatesOf(config, seen, holders);
  const addresses = giveAddresses(config, seen, candidates, hostIp, now, seen.neighbours);
  const { allocation, addressOf } = addresses;
  const disk = seen.zone;
  const served = candidates.filter((c) => addressOf.has(c.container.id));
  const nameHolds = nameHoldsBefore(allocation.table, served, config.addressHold, now);
  // the leases as they will be: one that ends with this run keeps no name, or the next run would decide differently
  const held = heldNames({ ...allocation.table, nameHolds }, now, config.addressHold);
  const grants = grantNames(served.map(claimOf), held, (name) =>
    whyBarred(name, { zone: config.zone, hostName: config.hostName, handwritten: disk.owners }),
  );
  const bridgePortOf = bridgePortsOf(seen);
  const services = served.flatMap((candidate) => {
    const grant = grants.get(candidate.key);
    const address = addressOf.get(candidate.container.id);
    if (grant === undefined || address === undefined) return [];
    const settings = settingsFor(candidate.container, seen, config);
    const place = { zone: config.zone, bridgePort: bridgePortOf(candidate), settings };
    const service = gated(serviceOf(candidate, grant, address, place), candidate.container, seen);
    const answering = withAnswer(withChecks(service, seen.results), seen.unanswered);
    return [withPort(withNotes(answering, candidate, grant), seen, now)];
  });
  const skippedOf = (list: readonly Candidate[]): Skipped[] =>
    list.flatMap((candidate) => skip(candidate, addresses, config));
  const skipped = skippedOf(candidates);
  const listing = listingOf({
    title: config.webTitle,
    zone: config.zone,
    host: hostIp,
    services,
    skipped: skippedOf(candidates.filter(({ container }) => !isHidden(container.labels))),
    table: allocation.table,
    pool: config.pool,
    excluded: addresses.excluded,
    hold: config.addressHold,
    interval: config.syncInterval,
    now,
    history: seen.actual.history,
  });
  const names = { grants, nameHolds, holders: holders.kept, held };
  const decided = { addresses, served, services, listing, ...names, hostIp };
  const desired = desiredState(config, seen, now, decided);
  return {
    hostIp,
    handwritten: disk.addresses,
    services,
    skipped,
    warnings: [
      ...seen.notices,
      ...hostNotes(config, seen),
      ...candidates.flatMap(labelNotes),
      ...served.flatMap((candidate) => addressNotes(candidate, addresses)),
      ...addresses.reserved.notes,
      ...disk.warnings,
      ...nameServerNotes(disk.nameServers, desired.zone.records),
      ...served.flatMap((candidate) => namingNotes(candidate, grants.get(candidate.key))),
      ...services.flatMap(guardNotes),
      ...conflictNotes(services, allocation.table),
      ...skipped.map((s) => `container "${clip(s.container)}" is not served: ${s.reason}`),
      ...(seen.template?.problems ?? []),
    ],
    unserved: allocation.unserved.length,
    fresh: allocation.fresh,
    spare: allocation.spare,
    evicted: allocation.evicted,
    range: listing.range,
    desired,
  };
}

interface Decided {
  readonly addresses: Addresses;
  readonly served: readonly Candidate[];
  readonly services: readonly Service[];
  readonly listing: Listing;
  readonly grants: ReadonlyMap<string, Grant>;
  /** Those of before this decision. */
  readonly nameHolds: readonly NameHold[];
  readonly holders: readonly KeyHolder[];
  /** Names that leases keep. */
  readonly held: ReadonlyMap<string, string>;
  readonly hostIp: Ipv4;
}

/** Rules, aliases, zone and page for what has been decided. */
function desiredState(config: Config, seen: Observation, now: number, decided: Decided): State {
  const { addresses, services, listing, grants, hostIp } = decided;
  const forwards = services.flatMap((service) => service.forward ?? []);
  // a bridge may have the address of an alias that is not up yet
  const led = new Set(forwards.map(({ alias }) => alias));
  const networks = servedNetworks(decided.served);
  const bridges = new Set(networks.map((network) => network.bridge));
  // a switch gets its own broadcasts back from a network card in hairpin mode
  const ports = seen.bridgePorts.filter((port) => bridges.has(port.bridge) && port.foreign !== true);
  const switchedOn = ports.filter((port) => !port.hairpin).map((port) => port.name);
  const label = labelOf(config.device);
  const names = new Set([...decided.held.keys(), ...services.flatMap((service) => service.names)]);
  const also = serverNames(config, (name) => names.has(name), seen.zone.owners);
  const records = addressRecords(services, config.hostName, hostIp, also);
  const srv = srvRecords(services, records, config.zone, seen.zone.owners);
  return {
    table: {
      ...addresses.allocation.table,
      leases: withNames(addresses.allocation.table.leases, grants),
      hairpins: hairpinsOfOurs(addresses.before, seen, switchedOn),
      holders: decided.holders,
      nameHolds: nameHoldsOf(decided.nameHolds, decided.served, grants, now),
    },
    // an address of the host's own serves something else: neither refused nor redirected
    dataPath: dataPathOf(
      withoutAddresses(
        config.pool,
        addresses.reserved.own.filter((address) => !led.has(address)),
      ),
      networks,
      forwards,
      seen.gates,
    ),
    aliases: forwards.map(({ alias }) => ({ device: config.device, address: alias, prefix: 32, label })),
    zone: updateZone(seen.zone, zoneSettings(config), records, now, srv),
    page: { html: renderPage(listing, seen.template), services: renderListing(listing) },
    self: config.webEnabled ? renderSelves({ config, seen, services, listing, hostIp }) : "",
    history: historyOf(listing, services, seen.actual.history),
    hairpins: ports.map((port) => port.name),
  };
}

function servedNetworks(served: readonly Candidate[]): Network[] {
  return [
    ...new Set(
      served.flatMap(({ reach }) => (reach.kind === "alias" || reach.kind === "asleep" ? reach.network : [])),
    ),
  ];
}

/** Leases in the order of their addresses, each with the names granted with it. */
function withNames(leases: readonly Lease[], grants: ReadonlyMap<string, Grant>): Lease[] {
  return leases
    .map((lease) => {
      const kept = lease.releasedAt === null ? grants.get(lease.key)?.kept : undefined;
      const same = kept?.length === lease.names.length && kept.every((name, i) => name === lease.names[i]);
      return kept === undefined || same ? lease : { ...lease, names: kept };
    })
    .sort((a, b) => compareIpv4(a.address, b.address));
}

/** The bridge port that the guard lets an alias's packets out through; null where it is not known, or there is no guard. */
function bridgePortsOf(seen: Observation): (candidate: Candidate) => string | null {
  const ports = new Map(
    seen.bridgePorts.map(({ container, bridge, name }) => [`${container} ${bridge}`, name]),
  );
  return ({ container, reach }) =>
    reach.kind !== "alias" || seen.firewall.unguarded !== null
      ? null
      : (ports.get(`${container.id} ${reach.network.bridge}`) ?? null);
}

/** The mark of an alias; a device name that leaves no room for it (15 characters) is used alone. */
export function labelOf(device: string): string {
  return device.length + 5 <= 15 ? `${device}:ocdd` : device;
}

function skip(candidate: Candidate, addresses: Addresses, config: Config): Skipped[] {
  const { container, reach } = candidate;
  const { name } = container;
  if (reach.kind === "none") return [{ container: name, code: reach.code, reason: reach.reason }];
  if (addresses.addressOf.has(container.id)) return [];
  return [{ container: name, ...whyUnserved(candidate, addresses.allocation.table, config) }];
}

function namingNotes({ container }: Candidate, grant: Grant | undefined): string[] {
  if (grant === undefined) return [];
  const who = `container "${clip(container.name)}"`;
  const renamed = grant.renamed === null ? [] : [`${who} is renamed to "${grant.own}": ${grant.renamed}`];
  return [...renamed, ...grant.notes.map((note) => `${who} does not get a further name: ${note}`)];
}

/** Ports whose hairpin mode teardown must undo: those that OCDD switched on and that still exist. */
function hairpinsOfOurs(table: LeaseTable, seen: Observation, switchedOn: readonly string[]): string[] {
  const there = new Set(seen.bridgePorts.map((port) => port.name));
  return [...new Set([...table.hairpins.filter((name) => there.has(name)), ...switchedOn])].sort();
}
