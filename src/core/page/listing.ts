/** The services as the page and services.json show them: both are made from this one value. docs/services-json.md. */

import { compareIpv4, type Ipv4, type Range } from "../addresses/ipv4.ts";
import { isHeld } from "../addresses/lease.ts";
import { addressUse } from "../addresses/use.ts";
import { perObject } from "../memo.ts";
import type { Checks } from "../methods/results.ts";
import type { AddressUse, LeaseTable, Service } from "../model.ts";
import { iso } from "../moment.ts";
import type { Skipped } from "../services/skipped.ts";
import { field, textVersion } from "../text.ts";
import type { Remembered, ServiceHistory } from "./history.ts";
import type { Icon } from "./icon.ts";
import { type PortLink, portLinks, serviceLinks } from "./links.ts";
import type { Logo } from "./logo.ts";
import { reasonOf, type Status, statusOf, type Tone } from "./status.ts";
import { runningSince } from "./uptime.ts";

/** One service. Texts are one line of at most 256 octets and come from labels: untrusted. */
export interface Row {
  readonly name: string;
  readonly fqdn: string;
  /** Every further name of it, as a full name. */
  readonly names: readonly string[];
  readonly address: Ipv4;
  readonly status: Status;
  readonly tone: Tone;
  /** Why it needs attention, or what a run warns of about it. */
  readonly reason: string | null;
  readonly title: string | null;
  readonly description: string | null;
  readonly icon: Icon;
  /** The logo of a program, shown in place of the icon. */
  readonly logo: Logo | null;
  readonly group: string | null;
  readonly url: string | null;
  readonly elsewhere: string | null;
  readonly ports: readonly PortLink[];
  readonly image: string;
  readonly version: string | null;
  readonly about: string | null;
  readonly project: string | null;
  readonly container: string;
  readonly containerId: string;
  /** Seconds since the epoch. */
  readonly since: number | null;
  /** The last result of VALIDATE; absent where it has not been run. */
  readonly validate?: Checks["validate"];
  /** The same of MONITOR. */
  readonly monitor?: Checks["monitor"];
}

/** A service whose container has stopped; its address is on hold. */
export interface Stopped extends Omit<Remembered, "containerId" | "since"> {
  readonly address: string;
  /** Seconds since the epoch: until then no other service gets the address or the name. */
  readonly until: number;
}

export interface Listing {
  readonly schemaVersion: 1;
  /** Changes with the content; the page carries the same. */
  readonly version: string;
  readonly title: string;
  readonly zone: string;
  readonly host: string | null;
  /** Seconds after which a page that was not updated is out of date. */
  readonly staleAfter: number;
  readonly range: AddressUse;
  readonly services: readonly Row[];
  readonly stopped: readonly Stopped[];
  readonly skipped: readonly Skipped[];
  readonly conflicts: readonly string[];
}

export interface ListingInput {
  readonly title: string;
  readonly zone: string;
  readonly host: Ipv4 | undefined;
  readonly services: readonly Service[];
  readonly skipped: readonly Skipped[];
  readonly table: LeaseTable;
  readonly pool: readonly Range[];
  readonly excluded: ReadonlySet<Ipv4>;
  /** Seconds for which a released address is on hold. */
  readonly hold: number;
  /** Seconds between two full looks. */
  readonly interval: number;
  /** Seconds since the epoch. */
  readonly now: number;
  readonly history: ServiceHistory;
}

/** No page counts as out of date before so many seconds: a cron line may run every few minutes. */
const STALE_LEAST = 900;

/** web-2 before web-10. */
const byName = new Intl.Collator("en", { numeric: true });

/** Everything that the page says. It changes when a service changes, not with time. */
export function listingOf(input: ListingInput): Listing {
  const { title, zone, table, pool, hold, now } = input;
  const { history } = input;
  const shown = input.services.filter((service) => !service.card.hidden);
  const services = shown
    .map((service) => ({
      weight: service.card.weight,
      row: rowOf(service, zone, history.get(service.name)),
    }))
    .sort((a, b) => a.weight - b.weight || byName.compare(a.row.name, b.row.name))
    .map(({ row }) => row);
  const names = new Set(input.services.map((service) => service.name as string));
  const onHold = table.leases.filter((lease) => lease.releasedAt !== null && isHeld(lease, now, hold));
  const stopped = onHold.flatMap((lease): Stopped[] => {
    const name = lease.names[0];
    // only what was on the page: a hidden service must not appear there when it stops
    const was = name === undefined || names.has(name) ? undefined : history.get(name);
    if (was === undefined) return [];
    const { containerId: _, since: __, ...look } = was;
    return [{ ...look, address: lease.address, until: (lease.releasedAt ?? now) + hold }];
  });
  const content = {
    title,
    zone,
    host: input.host ?? null,
    staleAfter: Math.max(STALE_LEAST, 3 * input.interval),
    range: addressUse({ pool, table, reserved: input.excluded, hold, now }),
    services,
    stopped: stopped.sort((a, b) => byName.compare(a.name, b.name)),
    skipped: input.skipped.map((one) => ({
      container: field(one.container) ?? "?",
      code: one.code,
      reason: field(one.reason) ?? "?",
    })),
    conflicts: table.conflicts.map((conflict) => conflict.address).sort(compareIpv4),
  };
  const { services: _, ...rest } = content;
  const version = textVersion(JSON.stringify(rest) + services.map(rowVersion).join());
  return { schemaVersion: 1, version, ...content };
}

/** services.json. */
export function renderListing(listing: Listing): string {
  const { services, stopped, skipped, conflicts, ...head } = listing;
  const ended = stopped.map((one) => ({ ...one, until: iso(one.until) }));
  const before = `${JSON.stringify(head, null, 1).slice(0, -2)},\n "services": [`;
  const after = `],\n${JSON.stringify({ stopped: ended, skipped, conflicts }, null, 1).slice(2)}\n`;
  const last = services.length - 1;
  // joined once: the text of 1 000 services has a megabyte
  return [
    before,
    ...services.map((row, i) => `${i === 0 ? "\n" : ""}${rowJson(row)}${i === last ? "\n " : ",\n"}`),
    after,
  ].join("");
}

const jsonOf = perObject<Row, string>();

/** A row as written to services.json. */
const rowJson = (row: Row): string =>
  jsonOf(row, "", () => JSON.stringify({ ...row, since: iso(row.since) }, null, 1).replace(/^/gm, "  "));

const versionOf = perObject<Row, string>();

/** A row's content, as short as `textVersion` makes it: that of all rows together need not be read again for each change. */
const rowVersion = (row: Row): string => versionOf(row, "", () => textVersion(rowJson(row)));

const rowsOf = perObject<Service, Row>();

function rowOf(service: Service, zone: string, was: Remembered | undefined): Row {
  const before = was?.containerId === containerIdOf(service) ? was.since : null;
  const asleep = service.state === "asleep";
  const since = asleep ? null : runningSince(service.started, service.created, before);
  return rowsOf(service, `${zone} ${since}`, () => makeRow(service, zone, since));
}

function makeRow(service: Service, zone: string, since: number | null): Row {
  const { card, fqdn } = service;
  const [instance] = service.instances;
  const ports = portLinks(service);
  const links = serviceLinks(service, card, ports, zone);
  return {
    name: service.name,
    fqdn,
    names: service.names.map((name) => `${name}.${zone}`).filter((name) => name !== fqdn),
    address: service.address,
    ...statusOf(service),
    reason: field(reasonOf(service)),
    title: card.title,
    description: card.description,
    icon: card.icon,
    logo: card.logo,
    group: card.group ?? field(service.project),
    ...links,
    ports,
    image: field(instance?.image) ?? "?",
    version: card.version,
    about: card.about,
    project: field(service.project),
    container: field(instance?.name) ?? "?",
    containerId: containerIdOf(service),
    since,
    ...service.checks,
  };
}

/** The first twelve digits of its container's id, as Docker prints it. */
const containerIdOf = ({ instances }: Service): string => instances[0]?.id.slice(0, 12) ?? "";

/** The history to store once this listing is published: the services shown, and those whose addresses are on hold. */
export function historyOf(
  listing: Listing,
  services: readonly Service[],
  before: ServiceHistory,
): ServiceHistory {
  const sleeping = new Map(
    services.flatMap((one) => (one.sleep === null ? [] : [[one.name as string, one.ports]])),
  );
  const shown = listing.services.map(
    ({
      name,
      fqdn,
      title,
      icon,
      logo,
      group,
      image,
      container,
      containerId,
      since,
    }): [string, Remembered] => {
      const ports = sleeping.get(name);
      const look = { name, fqdn, title, icon, logo, group, image, container, containerId, since };
      return [name, ports === undefined ? look : { ...look, ports }];
    },
  );
  const kept = listing.stopped.flatMap(({ name }): [string, Remembered][] => {
    const was = before.get(name);
    return was === undefined ? [] : [[name, was]];
  });
  return new Map([...kept, ...shown]);
}
