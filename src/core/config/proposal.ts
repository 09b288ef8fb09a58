/** A first configuration that fits a host, from what its devices, its resolver and the network show. */

import { compareIpv4, contains, fromNumber, type Ipv4, type Range, toNumber } from "../addresses/ipv4.ts";
import { commandLine } from "../methods/words.ts";
import type { DeviceAddress } from "../model.ts";
import { readConfFile } from "./conf-file.ts";
import type { KeyName } from "./keys.ts";
import type { Settled } from "./settled.ts";
import { Bad, isDomain, ranges } from "./values.ts";

/** What a proposal is made of. */
export interface Surroundings {
  /** That of the default route; undefined where there is none. */
  readonly device: string | undefined;
  /** IPv4 addresses of all devices. */
  readonly addresses: readonly DeviceAddress[];
  /** Next hops and name servers, which may be silent when they are asked by ARP. */
  readonly avoided: readonly Ipv4[];
  /** What is not to be proposed, and what the range must fit. */
  readonly settled: Settled;
}

/** The host's own address, and the addresses beside it that might be free. */
export interface Outlook {
  readonly device: string;
  readonly hostIp: Ipv4;
  /** In order, at most 253: the host's network, or of a larger one the 256 addresses around the host's own. */
  readonly candidates: readonly Ipv4[];
}

/** Addresses in a proposed range, at most and at least. */
const MOST = 20;
const LEAST = 4;

/** What can be asked for on the network, or the reason in one line why nothing can be proposed. */
export function outlook({ device, addresses, avoided, settled }: Surroundings): Outlook | string {
  const own = ownAddress({ device, addresses, settled });
  if (typeof own === "string") return own;
  const network = blockOf(own.address, own.prefix);
  const { first, last } = own.prefix < 24 ? blockOf(own.address, 24) : network;
  const others = addresses.flatMap((one) =>
    one.device === own.device || one.prefix > 30 ? [] : [blockOf(one.address, one.prefix)],
  );
  const hostIp = settled.hostIp ?? own.address;
  const used = new Set([...addresses.map(({ address }) => address), ...avoided, hostIp]);
  const candidates: Ipv4[] = [];
  // first and last address of the network, and of each /24, are avoided by some devices
  for (let n = toNumber(first) + 1; n < toNumber(last); n++) {
    const address = fromNumber(n);
    if (!used.has(address) && !others.some((range) => contains(range, address))) candidates.push(address);
  }
  return { device: own.device, hostIp, candidates };
}

/** The address in whose network a range is looked for: HOST_IP where it is settled, on the device that is settled or is to be proposed. */
function ownAddress({ device, addresses, settled }: Omit<Surroundings, "avoided">): DeviceAddress | string {
  const networks = addresses.filter(({ prefix }) => prefix < 31);
  const { hostIp } = settled;
  const hosts = networks.filter(({ address }) => address === hostIp);
  if (settled.device === undefined && hostIp !== undefined)
    return (
      hosts.find((one) => one.device === device) ??
      hosts[0] ??
      `no device has HOST_IP, ${hostIp}, with a network around it: set NETWORK_DEVICE too`
    );
  const wanted = settled.device ?? device;
  if (wanted === undefined) return "this host has no default route: set NETWORK_DEVICE";
  if (settled.device === undefined && !/^[\w.@+-]+$/.test(wanted))
    return "the default route's device has an unusual name";
  return (
    // HOST_IP may be an address that moves here from another host
    hosts.find((one) => one.device === wanted) ??
    networks.find((one) => one.device === wanted) ??
    `"${wanted}" has no IPv4 address with a network around it`
  );
}

function blockOf(address: Ipv4, prefix: number): Range {
  const size = 2 ** (32 - prefix);
  const first = Math.floor(toNumber(address) / size) * size;
  return { first: fromNumber(first), last: fromNumber(first + size - 1) };
}

/**
 * The first run of 20 addresses that no machine has answered for, else the longest one; null where none has four. `taken` are
 * the candidates that a machine uses.
 */
export function freeRange({ candidates }: Outlook, taken: ReadonlySet<Ipv4>): Range | null {
  let best: Ipv4[] = [];
  let run: Ipv4[] = [];
  for (const address of candidates.toSorted(compareIpv4)) {
    if (taken.has(address)) continue;
    const before = run.at(-1);
    run = before !== undefined && toNumber(address) === toNumber(before) + 1 ? [...run, address] : [address];
    if (run.length > best.length) best = run;
    if (best.length === MOST) break;
  }
  const [first, last] = [best[0], best.at(-1)];
  return first === undefined || last === undefined || best.length < LEAST ? null : { first, last };
}

/** The zone that a host of this domain might be given; undefined where the domain says nothing. `names`: the host's own name, then its search domains. */
export function proposedZone(hostName: string, searched: readonly string[]): string | undefined {
  const own = hostName.includes(".") ? [hostName.slice(hostName.indexOf(".") + 1)] : [];
  const domain = [...own, ...searched]
    .map((name) => name.toLowerCase().replace(/\.$/, ""))
    .find(
      (name) =>
        isDomain(name) && name.includes(".") && !/(^|\.)(local|localdomain|internal|arpa)$/.test(name),
    );
  return domain === undefined ? undefined : `toolbox.${domain}`;
}

/** Domains of resolv.conf(5), in the order in which they are searched. */
export function searchDomains(text: string): string[] {
  return text
    .split("\n")
    .flatMap((line) => /^(?:search|domain)\s+(.*)$/.exec(line.trim())?.[1]?.split(/\s+/) ?? []);
}

/** The values of a proposal, with what is settled. */
export interface Proposal extends Settled {
  readonly device: string;
  readonly hostIp: Ipv4;
  readonly pool: readonly Range[];
  /** Whether the range is the one that was found free; else it is what IT has granted. */
  readonly isFound: boolean;
  readonly zone: string;
}

const HEAD = "# Configuration of OCDD: see ocdd.conf(5) and the README. Proposed by `ocdd initialize`.";

/** Ranges in the form of IP_RANGE. */
export const poolText = (pool: readonly Range[]): string =>
  pool.map(({ first, last }) => `${first}-${last}`).join(", ");

/** Reads an answer as IP_RANGE; a text says what is wrong with it. */
export function readPool(answer: string): readonly Range[] | string {
  try {
    const pool = ranges(answer);
    return pool.length === 0 ? "is empty" : pool;
  } catch (error) {
    if (error instanceof Bad) return error.message;
    throw error;
  }
}

/** The file's whole text; `before` is the text of one that sets neither range nor zone, which stays, and so does all that it sets. */
export function proposedConf(proposal: Proposal, before: string): string {
  const { device, hostIp, pool, isFound, zone, storageDir = "/var/lib/ocdd" } = proposal;
  const { assignments, unread } = readConfFile(before, "", new Map());
  const there = new Set([...assignments.map(({ key }) => key), ...unread]);
  const missing = (key: KeyName, value: string, ...comment: readonly string[]): string[] =>
    there.has(key) ? [] : [...comment, `${key}=${commandLine([value])}`];
  return [
    ...(before === "" ? [HEAD] : [before.trimEnd(), "", "# Proposed by `ocdd initialize`:"]),
    ...missing("NETWORK_DEVICE", device),
    ...missing("HOST_IP", hostIp),
    `# ${isFound ? "free when it was proposed: " : ""}IT must keep it out of DHCP and give it to no other machine`,
    `IP_RANGE=${commandLine([poolText(pool)])}`,
    "# IT delegates it to this host by an NS record",
    `TOOLBOX_SUBDOMAIN_NAME=${zone}`,
    ...missing("STORAGE_DIR", storageDir),
    ...missing("WEB_TITLE", proposal.title ?? `Services of ${zone}`, "# title of the index page"),
    "",
  ].join("\n");
}
