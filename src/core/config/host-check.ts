/** What only the host can show to be wrong with the configuration. */

import { contains, type Ipv4, overlaps, type Range } from "../addresses/ipv4.ts";
import { clip } from "../clip.ts";
import { ConfigError, type Problem } from "../errors.ts";
import type { DeviceAddress, Network, Observation } from "../model.ts";
import type { Config, KeyName } from "./config.ts";
import { outputProblems } from "./outputs.ts";

/** The address the host is known by: HOST_IP, else the device's own first IPv4 that is no alias. */
export function hostAddress(
  config: Config,
  addresses: readonly DeviceAddress[],
  aliases: readonly DeviceAddress[],
): Ipv4 | undefined {
  if (config.hostIp !== null) return config.hostIp;
  const ours = new Set(aliases.map((alias) => alias.address));
  const own = addresses.filter((a) => a.device === config.device && !ours.has(a.address));
  // a foreign /32 is hardly the address that IT gave the host
  return (own.find((a) => a.prefix < 32) ?? own[0])?.address;
}

/** Throws a ConfigError that names everything the host contradicts; returns the host's own address. */
export function checkAgainstHost(config: Config, seen: Observation): Ipv4 {
  const problems: Problem[] = outputProblems(config, seen.actual);
  const problem = (key: KeyName, message: string): void => {
    problems.push({ where: config.where.get(key) ?? "default", key, message });
  };
  const rangeKey: KeyName = config.where.has("IP_RANGE") ? "IP_RANGE" : "IP_RANGE_START";
  if (!seen.devices.includes(config.device)) {
    problem(
      "NETWORK_DEVICE",
      `"${config.device}" is no network device of this host; there are ${seen.devices.join(", ")}`,
    );
  }
  const host = hostAddress(config, seen.addresses, seen.actual.aliases);
  if (host === undefined) {
    problem("NETWORK_DEVICE", `"${config.device}" has no IPv4 address; set one on it, or HOST_IP`);
  } else if (config.pool.some((range) => contains(range, host))) {
    problem(rangeKey, `the range holds ${host}, the host's own address`);
  }
  for (const network of seen.networks) {
    const subnet = overlapping(network, config.pool);
    if (subnet !== undefined) {
      problem(
        rangeKey,
        `the range overlaps ${subnet.first}-${subnet.last} of the Docker network "${clip(network.name)}"`,
      );
    }
  }
  if (problems.length > 0 || host === undefined) throw new ConfigError(problems);
  return host;
}

/** A subnet that Docker routes by itself; those of macvlan and ipvlan are the LAN's own. */
function overlapping(network: Network, pool: readonly Range[]): Range | undefined {
  if (network.driver === "macvlan" || network.driver === "ipvlan") return undefined;
  return network.subnets.find((subnet) => pool.some((range) => overlaps(range, subnet)));
}
