/** (config, observation, now) → the state the containers ask for. Pure and total: a strange container harms no other. */

import { type Compose, composeOf, groupOf, keyOf, type Reach, reachOf, wishOf } from "./candidate.ts";
import { readCard } from "./card.ts";
import { checkAgainstHost } from "./check.ts";
import type { Config } from "./config.ts";
import { compareIpv4, contains, fromNumber, type Ipv4, sizeOf, toNumber } from "./ipv4.ts";
import { clip, isShown, readLabels, type Wishes } from "./labels.ts";
import { allocate, isHeld, type Owner, rebuildTable } from "./lease.ts";
import { listingOf, renderListing } from "./listing.ts";
import type { Container, Decision, Forward, LeaseTable, Observation, Service, Skipped } from "./model.ts";
import { isReserved, type Name, toName } from "./name.ts";
import { type Claim, type Grant, grantNames } from "./names.ts";
import { renderPage } from "./page.ts";
import { addressRecords, handwrittenBar, readZoneOnDisk, updateZone, type ZoneSettings } from "./records.ts";
import { NO_FIREWALL, renderFirewall } from "./rules.ts";

interface Candidate {
  readonly container: Container;
  readonly wishes: Wishes;
  readonly compose: Compose | null;
  readonly reach: Reach;
  readonly key: string;
}

/** Decides everything. `now` is in seconds since the epoch. Throws ConfigError when the host contradicts the config. */
export function decide(config: Config, seen: Observation, now: number): Decision {
  const hostIp = checkAgainstHost(config, seen);
  const candidates = candidatesOf(config, seen);
  const table = seen.leasesIntact ? seen.actual.table : rebuilt(candidates, seen, config, now);
  const skipped: Skipped[] = [];
  const warnings: string[] = [...seen.notices];
  const skip = (container: Container, reason: string): void => {
    skipped.push({ container: container.name, reason });
  };

  const wantsLease = (c: Candidate): boolean =>
    c.reach.kind === "alias" || (c.reach.kind === "none" && c.reach.keeps);
  const known = new Set(table.leases.map((lease) => lease.key));
  const owners: Owner[] = candidates
    // one that cannot be reached just now keeps the lease it has, and gets no new one
    .filter((c) => wantsLease(c) && (c.reach.kind === "alias" || known.has(c.key)))
    .map((c) => ({ key: c.key, container: c.container.id }));
  const excluded = excludedAddresses(hostIp, seen);
  const avoided = addressesOfContainers(seen);
  const hold = config.addressHold;
  const allocation = allocate({ table, owners, pool: config.pool, excluded, avoided, now, hold });
  const leaseOf = new Map(
    allocation.table.leases.filter((l) => l.releasedAt === null).map((l) => [l.key, l]),
  );

  const addressOf = new Map<string, Ipv4>();
  for (const { container, reach, key } of candidates) {
    if (reach.kind === "host") addressOf.set(container.id, hostIp);
    if (reach.kind === "direct") addressOf.set(container.id, reach.target);
    const lease = leaseOf.get(key);
    if (reach.kind === "alias" && lease !== undefined) addressOf.set(container.id, lease.address);
  }
  const sharedWith = new Map(
    candidates.flatMap(({ container, reach }) =>
      reach.kind === "shared" ? [[container.id, reach.with]] : [],
    ),
  );
  for (const id of sharedWith.keys()) {
    // a container may share with one that shares itself; bounded, since labels of a list can lie in a circle
    let last = id;
    for (let n = 0; n < 8; n++) last = sharedWith.get(last) ?? last;
    const address = addressOf.get(last);
    if (address !== undefined) addressOf.set(id, address);
  }
  const served = candidates.filter((c) => addressOf.has(c.container.id));
  for (const c of candidates) {
    if (c.reach.kind === "none") skip(c.container, c.reach.reason);
    else if (!addressOf.has(c.container.id)) skip(c.container, whyUnserved(c, allocation.table, config));
    for (const note of c.wishes.notes) warnings.push(`container "${clip(c.container.name)}": ${note}`);
    if (c.reach.kind === "alias" && c.reach.note)
      warnings.push(`container "${clip(c.container.name)}": ${c.reach.note}`);
  }

  const settings = zoneSettings(config);
  const disk = readZoneOnDisk(seen.actual.zone, settings, addressRecords([], config.hostName, hostIp));
  warnings.push(...disk.warnings);
  const held = new Map<string, string>();
  for (const lease of table.leases) {
    if (lease.key === "" || !isHeld(lease, now, config.addressHold)) continue;
    for (const name of lease.names) if (!held.has(name)) held.set(name, groupOf(lease.key));
  }
  const barred = (name: string): string | null => {
    if (isReserved(name as Name, config.hostName)) return `"${name}" is reserved`;
    // RFC 1035 §2.3.4: 255 octets on the wire, two more than in text; one name too long is the whole zone refused
    if (name.length + 1 + config.zone.length > 253) return `"${name}" is too long for the zone`;
    return handwrittenBar(name, disk.owners);
  };
  const grants = grantNames(served.map(claimOf), held, barred);

  const services: Service[] = [];
  for (const candidate of served) {
    const grant = grants.get(candidate.key);
    const address = addressOf.get(candidate.container.id);
    if (grant === undefined || address === undefined) continue;
    services.push(serviceOf(candidate, grant, address, config.zone));
    const who = `container "${clip(candidate.container.name)}"`;
    if (grant.renamed !== null) warnings.push(`${who} is renamed to "${grant.own}": ${grant.renamed}`);
    for (const note of grant.notes) warnings.push(`${who} does not get a further name: ${note}`);
  }
  for (const s of skipped) warnings.push(`container "${clip(s.container)}" is not served: ${s.reason}`);

  const forwards = services.flatMap((service) => (service.forward === null ? [] : [service.forward]));
  const usedNetworks = new Set(served.flatMap((c) => (c.reach.kind === "alias" ? [c.reach.network] : [])));
  const bridges = new Set([...usedNetworks].map((network) => network.bridge));
  const ports = seen.bridgePorts.filter((port) => bridges.has(port.bridge));
  const subnets = [...usedNetworks].flatMap((network) => network.subnets);
  const records = addressRecords(services, config.hostName, hostIp);
  const pool = config.pool;
  const listing = listingOf({
    title: config.webTitle,
    zone: config.zone,
    host: hostIp,
    services,
    skipped,
    table: allocation.table,
    pool,
    excluded,
    hold: config.addressHold,
    interval: config.syncInterval,
    now,
    before: seen.actual.services,
  });
  warnings.push(...(seen.template?.problems ?? []));
  return {
    hostIp,
    services,
    skipped,
    warnings,
    unserved: allocation.unserved.length,
    fresh: allocation.fresh,
    spare: allocation.spare,
    evicted: allocation.evicted,
    desired: {
      table: {
        ...allocation.table,
        leases: allocation.table.leases
          .map((lease) => {
            const kept = lease.releasedAt === null ? grants.get(lease.key)?.kept : undefined;
            return kept === undefined ? lease : { ...lease, names: kept };
          })
          .sort((a, b) => compareIpv4(a.address, b.address)),
        hairpins: hairpinsOfOurs(
          table,
          seen,
          ports.filter((port) => !port.hairpin).map((port) => port.name),
        ),
      },
      firewall: forwards.length > 0 ? renderFirewall(forwards, pool, subnets, seen.dockerUser) : NO_FIREWALL,
      aliases: forwards.map(({ alias }) => ({
        device: config.device,
        address: alias,
        prefix: 32,
        label: labelOf(config.device),
      })),
      zone: updateZone(seen.actual.zone, disk, settings, records, now),
      page: renderPage(listing, seen.template),
      services: renderListing(listing),
      hairpins: ports.map((port) => port.name),
    },
  };
}

export function zoneSettings(config: Config): ZoneSettings {
  return { zone: config.zone, hostName: config.hostName, soaEmail: config.soaEmail, ttl: config.ttl };
}

/** The mark of an alias; a device name that leaves no room for it (15 characters) stands alone. */
export function labelOf(device: string): string {
  return device.length + 5 <= 15 ? `${device}:ocdd` : device;
}

/** Every container that may be seen, newest first, each with a key of its own. */
function candidatesOf(config: Config, seen: Observation): Candidate[] {
  const networks = new Map(seen.networks.map((network) => [network.name, network]));
  const shown = seen.containers.filter((container) => isShown(container.labels, config.expose));
  const lastSeen = new Map(seen.actual.table.leases.map((lease) => [lease.key, lease.container]));
  // labels are anybody's to write: of two that claim one key the one last seen with it keeps it, else the oldest
  const keyHolder = new Map<string, Container>();
  for (const container of shown) {
    const key = keyOf(container, composeOf(container));
    const rival = keyHolder.get(key);
    const last = lastSeen.get(key);
    const wins =
      rival === undefined ||
      (rival.id !== last &&
        (container.id === last ||
          container.created < rival.created ||
          (container.created === rival.created && container.id < rival.id)));
    if (wins) keyHolder.set(key, container);
  }
  return [...shown]
    .sort((a, b) => b.created - a.created)
    .map((container) => {
      const compose = composeOf(container);
      const key = keyOf(container, compose);
      const wishes = readLabels(container.labels);
      return {
        container,
        wishes,
        compose,
        reach: reachOf(container, wishes, networks),
        key:
          keyHolder.get(key) === container ? key : `${keyOf(container, null)}#${container.id.slice(0, 12)}`,
      };
    });
}

function claimOf(candidate: Candidate): Claim {
  const { container, wishes, compose, key } = candidate;
  return {
    key,
    group: groupOf(key),
    wish: wishOf(container, wishes, compose),
    aliases: wishes.aliases,
    project: toName(compose?.project ?? "") ?? null,
    service: toName(compose?.service ?? "") ?? null,
    number: compose?.number ?? 0,
    created: container.created,
  };
}

function serviceOf(candidate: Candidate, grant: Grant, address: Ipv4, zone: string): Service {
  const { container, compose, reach, wishes, key } = candidate;
  const target = reach.kind === "alias" || reach.kind === "direct" ? reach.target : null;
  const forward: Forward | null =
    reach.kind === "alias"
      ? {
          name: grant.own,
          alias: address,
          target: reach.target,
          map: wishes.map,
          ports: wishes.ports,
          allow: wishes.allow,
        }
      : null;
  return {
    key,
    name: grant.own,
    names: grant.names,
    fqdn: `${grant.own}.${zone}`,
    address,
    kind: reach.kind === "none" ? "alias" : reach.kind,
    state: container.state,
    health: container.health,
    container: {
      id: container.id,
      name: container.name,
      image: container.image,
      address: target,
      network: reach.kind === "alias" || reach.kind === "direct" ? reach.network.name : null,
    },
    project: compose?.project ?? null,
    service: compose?.service ?? null,
    ports: container.ports,
    forward,
    created: container.created,
    up: container.up,
    card: readCard(container.labels, container.image),
    renamed: grant.renamed,
    sharedNames: grant.shared,
  };
}

function whyUnserved(candidate: Candidate, table: LeaseTable, config: Config): string {
  if (candidate.reach.kind === "shared") return "it shares the network of a container that is not served";
  const size = config.pool.reduce((n, range) => n + sizeOf(range), 0);
  const living = table.leases.filter((lease) => lease.releasedAt === null).length;
  const rest = table.leases.length - living;
  return `the address range is full: ${size} addresses, ${living} in use, ${rest} at rest, ${table.conflicts.length} used by others`;
}

/** Addresses that are never handed out, whatever the range says. */
function excludedAddresses(hostIp: Ipv4, seen: Observation): Set<Ipv4> {
  const ours = new Set(seen.actual.aliases.map((alias) => alias.address));
  const excluded = new Set<Ipv4>([hostIp]);
  for (const { address, prefix } of seen.addresses) {
    if (!ours.has(address)) excluded.add(address);
    if (prefix >= 31) continue;
    const size = 2 ** (32 - prefix);
    const net = Math.floor(toNumber(address) / size) * size;
    excluded.add(fromNumber(net)).add(fromNumber(net + size - 1));
  }
  return excluded;
}

/** macvlan and ipvlan containers have addresses of the LAN itself, which whoever starts them may choose. */
function addressesOfContainers(seen: Observation): Set<Ipv4> {
  return new Set(seen.containers.flatMap((c) => c.attachments.flatMap(({ address }) => address ?? [])));
}

function rebuilt(
  candidates: readonly Candidate[],
  seen: Observation,
  config: Config,
  now: number,
): LeaseTable {
  const owners = new Map<Ipv4, Owner>();
  for (const { container, key, reach } of candidates) {
    if (reach.kind === "alias") owners.set(reach.target, { key, container: container.id });
  }
  const inPool = seen.forwards.filter(({ alias }) => config.pool.some((range) => contains(range, alias)));
  const { conflicts } = seen.actual.table;
  return { ...rebuildTable(inPool, owners, config.pool, now), conflicts };
}

/** Ports whose hairpin mode teardown must undo: those we switched on and that still exist. */
function hairpinsOfOurs(table: LeaseTable, seen: Observation, switchedOn: readonly string[]): string[] {
  const there = new Set(seen.bridgePorts.map((port) => port.name));
  return [...new Set([...table.hairpins.filter((name) => there.has(name)), ...switchedOn])].sort();
}
