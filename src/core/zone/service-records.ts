/** Services → the zone's records: addresses, and the ports that have names. */
import { compareIpv4, type Ipv4 } from "../addresses/ipv4.ts";
import type { Config } from "../config/config.ts";
import { perObject } from "../memo.ts";
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
  const all = services.flatMap(claimsOf).sort(inOrder);
  const records: AddressRecord[] = [];
  for (let first = 0; first < all.length; ) {
    const owner = all[first]?.record.owner;
    let after = first + 1;
    while (all[after]?.record.owner === owner) after += 1;
    records.push(...answersOf(all.slice(first, after)));
    first = after;
  }
  for (const owner of [hostName, ...also]) {
    const at = records.findIndex((record) => record.owner > owner);
    records.splice(at < 0 ? records.length : at, 0, { owner, address: hostIp });
  }
  return [{ owner: "@", address: hostIp }, ...records];
}

/** A service's address at one of its names. */
interface Claimed {
  readonly record: AddressRecord;
  /** Its own name always answers; a shared one leaves out unhealthy and starting ones while another is healthy. */
  readonly counts: boolean;
}

const claims = perObject<Service, readonly Claimed[]>();

const claimsOf = (service: Service): readonly Claimed[] =>
  claims(service, "", () => {
    const { names, sharedNames, address, health } = service;
    const fit = health === "none" || health === "healthy";
    return names.map((owner) => ({
      record: { owner, address },
      counts: fit || !sharedNames.includes(owner),
    }));
  });

const inOrder = ({ record: a }: Claimed, { record: b }: Claimed): number =>
  a.owner === b.owner ? compareIpv4(a.address, b.address) : a.owner < b.owner ? -1 : 1;

/** What one name answers, given all that claim it in the order of their addresses. */
function answersOf(all: readonly Claimed[]): AddressRecord[] {
  const fit = all.filter(({ counts }) => counts);
  const answering = fit.length > 0 ? fit : all;
  // two services have one address where a container shares another's network
  return answering.flatMap(({ record }, i) =>
    answering[i - 1]?.record.address === record.address ? [] : record,
  );
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
