/** The state in which nothing is served: what initialize starts from and teardown leaves. */

import { compareIpv4 } from "../addresses/ipv4.ts";
import { NO_LEASES } from "../addresses/lease.ts";
import type { Config } from "../config/config.ts";
import { hostAddress } from "../config/host-check.ts";
import { foreignOutputs, outputsSeen } from "../config/outputs.ts";
import { NO_DATA_PATH } from "../forwards/forward.ts";
import type { Lease, Observation, State } from "../model.ts";
import { updateZone, zoneSettings } from "../zone/records.ts";
import { addressRecords, serverNames } from "../zone/service-records.ts";
import { NO_HISTORY } from "./history.ts";
import { listingOf, renderListing } from "./listing.ts";
import { renderPage } from "./page.ts";

/** No alias, no rule; the zone holds the host and the hand-written records; every lease is on hold. Other files stay. */
export function emptyState(config: Config, seen: Observation, now: number): State {
  const { table } = seen.actual;
  const host = hostAddress(config, seen.addresses, seen.actual.aliases);
  const leases = onHold(seen, now);
  const taken = (name: string): boolean => leases.some(({ names }) => names.includes(name));
  const also = serverNames(config, taken, seen.zone.owners);
  const records = host === undefined ? [] : addressRecords([], config.hostName, host, also);
  const settings = zoneSettings(config);
  const listing = listingOf({
    title: config.webTitle,
    zone: config.zone,
    host,
    services: [],
    skipped: [],
    table: NO_LEASES,
    pool: config.pool,
    excluded: new Set(host === undefined ? [] : [host]),
    hold: config.addressHold,
    interval: config.syncInterval,
    now,
    history: NO_HISTORY,
  });
  const foreign = foreignOutputs(outputsSeen(seen), config.zone);
  const { zone, page } = seen.actual;
  return {
    table: { ...table, leases, hairpins: [], nameHolds: table.nameHolds.map((hold) => ended(hold, now)) },
    dataPath: NO_DATA_PATH,
    aliases: [],
    zone: foreign.has("zone") ? zone : updateZone(seen.zone, settings, records, now),
    page: {
      html: foreign.has("page") ? page.html : renderPage(listing, seen.template),
      services: foreign.has("services") ? page.services : renderListing(listing),
    },
    self: "",
    history: NO_HISTORY,
    hairpins: [],
  };
}

const ended = <T extends Pick<Lease, "releasedAt">>(kept: T, now: number): T => ({
  ...kept,
  releasedAt: kept.releasedAt ?? now,
});

/** Every lease on hold. Lost leases: the addresses that the host still shows, so that no new container gets one at once. */
function onHold(seen: Observation, now: number): Lease[] {
  const { table, aliases } = seen.actual;
  if (seen.leasesIntact) return table.leases.map((lease) => ended(lease, now));
  const addresses = new Set([
    ...aliases.map((a) => a.address),
    ...seen.actual.dataPath.forwards.map((f) => f.alias),
  ]);
  return [...addresses]
    .sort(compareIpv4)
    .map((address) => ({ key: "", address, names: [], container: "", releasedAt: now }));
}
