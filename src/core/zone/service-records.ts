/** Services → the zone's records: addresses, and the ports that have names. */
import { compareIpv4, type Ipv4 } from "../addresses/ipv4.ts";
import type { Config } from "../config/config.ts";
import type { Service } from "../model.ts";
import { barredByHand } from "../services/barred.ts";
import type { AddressRecord, SrvRecord } from "./zone-file.ts";

/**
 * The names `dns` and `www` for the name server and the index page, where OCDD runs them and nothing else has the name: a
 * service, a lease that is on hold (`taken`), or a hand-written record (`owners`).
 */
export function serverNames(
  config: Pick<Config, "services" | "webEnabled" | "hostName">,
  taken: (name: string) => boolean,
  owners: ReadonlyMap<string, string>,
): string[] {
  if (config.services === "none") return [];
  return ["dns", ...(config.webEnabled ? ["www"] : [])].filter(
    (name) => name !== config.hostName && !taken(name) && barredByHand(name, owners) === null,
  );
}

/**
 * The host's own records and those of the services: apex first, then by name, then by address. `also`: names of the
 * host's beside `hostName`.
 */
export function addressRecords(
  services: readonly Service[],
  hostName: string,
  hostIp: Ipv4,
  also: readonly string[] = [],
): AddressRecord[] {
  const byName = new Map<string, Map<Ipv4, boolean>>();
  for (const service of services) {
    const fit = service.health === "none" || service.health === "healthy";
    for (const name of service.names) {
      const addresses = byName.get(name) ?? new Map<Ipv4, boolean>();
      byName.set(name, addresses);
      // its own name always answers; a shared one leaves out unhealthy and starting ones while another is healthy
      const counts = fit || !service.sharedNames.includes(name);
      addresses.set(service.address, counts || addresses.get(service.address) === true);
    }
  }
  const records: AddressRecord[] = [];
  for (const [owner, addresses] of [...byName].sort((a, b) => (a[0] < b[0] ? -1 : 1))) {
    const fit = [...addresses].filter(([, counts]) => counts);
    for (const [address] of (fit.length > 0 ? fit : [...addresses]).sort((a, b) => compareIpv4(a[0], b[0]))) {
      records.push({ owner, address });
    }
  }
  for (const owner of [hostName, ...also]) {
    const at = records.findIndex((record) => record.owner > owner);
    records.splice(at < 0 ? records.length : at, 0, { owner, address: hostIp });
  }
  return [{ owner: "@", address: hostIp }, ...records];
}

/**
 * An SRV record for each named port of a service at each name that leads to it: the target of a shared name is each
 * container's own name. None where a hand-written record is, nor where the owner would be too long for the zone.
 */
export function srvRecords(
  services: readonly Service[],
  addresses: readonly AddressRecord[],
  zone: string,
  owners: ReadonlyMap<string, string>,
): SrvRecord[] {
  const offering = services.filter(({ srv }) => srv.length > 0);
  if (offering.length === 0) return [];
  const leads = new Set(addresses.map(({ owner, address }) => `${owner} ${address}`));
  const records = offering.flatMap(({ srv, names, name, address }) =>
    names
      .filter((one) => leads.has(`${one} ${address}`))
      .flatMap((one) =>
        srv.map(({ service, protocol, port }) => ({
          owner: `_${service}._${protocol}.${one}`,
          port,
          target: name,
        })),
      ),
  );
  const key = (r: SrvRecord): string => `${r.owner} ${r.target} ${String(r.port).padStart(5, "0")}`;
  const unique = new Map(records.map((record) => [key(record), record]));
  return [...unique]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([, record]) => record)
    .filter(
      // RFC 1035 §2.3.4, as for every name
      ({ owner }) => owner.length + 1 + zone.length <= 253 && barredByHand(owner, owners) === null,
    );
}
