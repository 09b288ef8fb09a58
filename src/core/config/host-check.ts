/** Mistakes in the configuration that only the host can show. */

import { type Ipv4, parseCidr, subtract } from "../addresses/ipv4.ts";
import { overlapsOf, reservedAddresses } from "../addresses/reserved.ts";
import { addressUse } from "../addresses/use.ts";
import { clip } from "../clip.ts";
import { ConfigError, type Problem } from "../errors.ts";
import type { DeviceAddress, Observation } from "../model.ts";
import { someOf } from "../text.ts";
import type { Config, KeyName } from "./config.ts";
import { outputProblems, outputsSeen } from "./outputs.ts";

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

/** Devices that lead to no network outside of the host: loopback, bridges of Docker and of virtual machines, their ports. */
const INTERNAL = /^(lo|docker\d+|docker_gwbridge|br-[0-9a-f]{12}|virbr\d+|veth.*)$/;

/** Throws a ConfigError that names everything the host contradicts; returns the host's own address. For every run. */
export function checkAgainstHost(config: Config, seen: Observation): Ipv4 {
  return checked(config, seen, []);
}

/**
 * The same for the first set-up, where a range that overlaps one of Docker's networks is an error too. Later any user
 * who may create a network could stop every run by that: then those addresses are only not handed out.
 */
export function checkForInitialize(config: Config, seen: Observation): Ipv4 {
  const key: KeyName = config.where.has("IP_RANGE") ? "IP_RANGE" : "IP_RANGE_START";
  const overlaps = seen.networks.flatMap((network) => overlapsOf(config.pool, network));
  return checked(
    config,
    seen,
    overlaps.map(({ network, subnet }) => ({
      where: config.where.get(key) ?? "default",
      key,
      message: `the range overlaps ${subnet.first}-${subnet.last} of the Docker network "${clip(network.name)}"`,
    })),
  );
}

/** What a run says of the settings. No error: an address may move here from another host, which runs the same until then. */
export function hostNotes(config: Config, { addresses }: Pick<Observation, "addresses">): string[] {
  const { hostIp, dnsListen, webEnabled, webListen } = config;
  if (hostIp === null || addresses.some(({ address }) => address === hostIp)) return [];
  if (!dnsListen.includes("HOST_IP") && !(webEnabled && webListen.includes("HOST_IP"))) return [];
  return [`HOST_IP ${hostIp} is no address of this host: name server and page are not reached there`];
}

/** Where part of the range is in no network of the device. No error: a router may lead clients there. */
export function rangeNotes(
  { device, pool }: Pick<Config, "device" | "pool">,
  { addresses }: Pick<Observation, "addresses">,
): string[] {
  const networks = addresses.flatMap((one) =>
    one.device === device && one.prefix < 32 ? (parseCidr(`${one.address}/${one.prefix}`) ?? []) : [],
  );
  const outside = subtract(pool, networks)[0];
  return outside === undefined
    ? []
    : [`${outside.first}-${outside.last} is in no network of ${device}: clients need a route to it`];
}

/** What helps where no address of the range can be handed out. */
export const GRANTED = "set IP_RANGE to the addresses that IT has granted for containers";

/** That no address of the range can be handed out, for the host uses each or it is reserved; null where one can. */
export function unusableRange(config: Config, seen: Observation): string | null {
  const hostIp = hostAddress(config, seen.addresses, seen.actual.aliases);
  if (hostIp === undefined) return null;
  const { pool, addressHold: hold } = config;
  const { excluded, avoided } = reservedAddresses(config, seen, hostIp, seen.neighbours);
  const all = new Set([...excluded, ...avoided]);
  // what is reserved is so at any time
  const { reserved, size } = addressUse({ pool, table: seen.actual.table, reserved: all, hold, now: 0 });
  return reserved < size
    ? null
    : "no address of the range can be handed out: it holds only the host's own and reserved ones";
}

/** What is to be said of the range, one line each. */
export function rangeWarnings(config: Config, seen: Observation): string[] {
  const unusable = unusableRange(config, seen);
  return [...(unusable === null ? [] : [`${unusable}; ${GRANTED}`]), ...rangeNotes(config, seen)];
}

/** Devices named in one line. */
const NAMED = 8;

/** Why NETWORK_DEVICE is not valid on this host, with what helps; null where it is a device of the host. */
export function deviceProblem(
  { device }: Pick<Config, "device">,
  { devices }: Pick<Observation, "devices">,
): string | null {
  if (devices.includes(device)) return null;
  const others = devices.filter((name) => !INTERNAL.test(name));
  const there = (others.length > 0 ? others : devices).map((name) => clip(name));
  return `"${device}" is no network device of this host; there are ${someOf(there, NAMED)}: set NETWORK_DEVICE to the one that clients are behind`;
}

function checked(config: Config, seen: Observation, more: readonly Problem[]): Ipv4 {
  const problems: Problem[] = outputProblems(config, outputsSeen(seen));
  const where = config.where.get("NETWORK_DEVICE") ?? "default";
  const problem = (message: string): void => void problems.push({ where, key: "NETWORK_DEVICE", message });
  const { device } = config;
  const host = hostAddress(config, seen.addresses, seen.actual.aliases);
  const unknown = deviceProblem(config, seen);
  if (unknown !== null) problem(unknown);
  else if (host === undefined) problem(`"${device}" has no IPv4 address; set one on it, or HOST_IP`);
  problems.push(...more);
  if (problems.length > 0 || host === undefined) throw new ConfigError(problems);
  return host;
}
