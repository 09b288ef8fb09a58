/** The zone file, parsed. */
import type { Ipv4 } from "../../core/addresses/ipv4.ts";
import type { Config } from "../../core/config/config.ts";
import { readZoneOnDisk, zoneSettings } from "../../core/zone/records.ts";
import { addressRecords } from "../../core/zone/service-records.ts";
import type { ZoneFile, ZoneOnDisk } from "../../core/zone/zone-file.ts";

/** The parsed zone file, parsed again only when its text has changed: 4 000 names take 60 ms. */
export function zoneReader(config: Config): {
  read(text: string, host: Ipv4 | undefined): ZoneOnDisk;
  /** The same for the host address of the last time. */
  again(text: string): ZoneOnDisk;
  /** The file is now what this process has rendered. */
  remember(zone: ZoneFile): void;
} {
  let last: { readonly host: Ipv4 | undefined; readonly zone: ZoneOnDisk } | undefined;
  const read = (text: string, host: Ipv4 | undefined): ZoneOnDisk => {
    if (last?.zone.text === text && last.host === host) return last.zone;
    const own = host === undefined ? [] : addressRecords([], config.hostName, host);
    last = { host, zone: readZoneOnDisk(text, zoneSettings(config), own) };
    return last.zone;
  };
  return {
    read,
    again: (text) => read(text, last?.host),
    remember(zone) {
      // invalid lines have become comments
      if (last !== undefined)
        last = { ...last, zone: { ...last.zone, ...zone, warnings: [], foreign: null } };
    },
  };
}
