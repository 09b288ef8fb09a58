/** What the bash script OctoCopDD has left on the host. */

import type { Config } from "../config/config.ts";
import { hostAddress } from "../config/host-check.ts";
import type { DeviceAddress, Observation } from "../model.ts";
import { contains } from "./ipv4.ts";

/**
 * Addresses of the range that are on the device as the script put them there (/32), but are no alias of OCDD's, lead nowhere
 * and are not the host's own. They might be the operator's: OCDD does not hand them out, and removes them only with consent.
 */
export function leftAliases(config: Config, seen: Observation): DeviceAddress[] {
  const own = [
    hostAddress(config, seen.addresses, seen.actual.aliases),
    ...config.dnsListen,
    ...config.webListen,
  ];
  const ours = seen.actual.aliases.map(({ address }) => address);
  return seen.addresses.filter(
    ({ address, device, prefix }) =>
      device === config.device &&
      prefix === 32 &&
      config.pool.some((range) => contains(range, address)) &&
      !own.includes(address) &&
      !ours.includes(address),
  );
}
