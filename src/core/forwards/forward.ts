/** The data path as data types: where each alias leads, and what the constant rules depend on. */
import { compareIpv4, type Ipv4, parseCidr, type Range, sizeOf, toCidrs } from "../addresses/ipv4.ts";
import type { Port, PortMap } from "../ports.ts";

import type { Name } from "../services/name.ts";

/** One alias, the container it leads to, and which traffic is forwarded. */
export interface Forward {
  readonly name: Name;
  readonly alias: Ipv4;
  /** The container's address; null while it does not run. */
  readonly target: Ipv4 | null;
  /** Present where first packets wait in the kernel: the container is stopped, or must not be reached yet. */
  readonly waits?: true;
  /** While it waits: port of this host to which TCP port 80 of the alias leads, where a page says what is going on. */
  readonly page?: number;
  /**
   * Name of the bridge port (the host's end of the veth pair) of the container that holds the lease; null while it is
   * not known: the guard lets nothing through then.
   */
  readonly bridgePort: string | null;
  readonly map: readonly PortMap[];
  /** Only these ports are forwarded; null is every port and protocol. */
  readonly ports: readonly Port[] | null;
  /** Only these may connect, as CIDRs; null is everyone. */
  readonly allow: readonly string[] | null;
}

/** A rule of the bash script OctoCopDD, as it wrote it: only the alias in it has been checked. */
export interface LegacyForward {
  /** An address of the range. */
  readonly alias: Ipv4;
  readonly name: string;
  /** The container's address. */
  readonly target: string;
}

/** What the constant rules depend on. */
export interface Frame {
  readonly pool: readonly Range[];
  /** Subnets of the Docker networks served, for the way back to a container's own bridge (hairpin). */
  readonly subnets: readonly Range[];
  /** Number of the kernel's queue in which first packets wait; absent: they are refused, or nothing waits. */
  readonly queue?: number;
  /** Port of this host that answers for aliases whose packets wait; absent where no server of the page runs. */
  readonly page?: number;
}

/** Each network by itself: nothing is masqueraded between two of them, even if they are adjacent. */
export function subnetCidrs({ subnets }: Frame): string[] {
  const sorted = [...subnets].sort((a, b) => compareIpv4(a.first, b.first) || sizeOf(a) - sizeOf(b));
  return [...new Set(sorted.flatMap((subnet) => toCidrs([subnet])))];
}

/**
 * Parts of the data path: the accept of forwarded traffic, the refusal of traffic that no container takes, the masquerade for a
 * container's way to its own bridge, the redirection of aliases to containers, the guard.
 */
export type Part = "accept" | "refusal" | "hairpin" | "redirect" | "guard";

/** The data path; the same type for the actual and the desired state. */
export interface DataPath {
  /** Null when OCDD has no rules. */
  readonly frame: Frame | null;
  readonly forwards: readonly Forward[];
  /** Parts in force that differ from what OCDD writes for `frame` and `forwards`. Empty in the desired state. */
  readonly damaged: readonly Part[];
}

/** Nothing of OCDD's: what teardown leaves. */
export const NO_DATA_PATH: DataPath = { frame: null, forwards: [], damaged: [] };

/**
 * The data path with these forwards in place of those of the same alias. `queue` is where packets wait: a frame that has been
 * decided while none waited names no queue, and they would be refused.
 */
export function withForwards(
  { frame, forwards, damaged }: DataPath,
  changed: ReadonlyMap<Ipv4, Forward>,
  queue: number | undefined,
): DataPath {
  const all = forwards.map((forward) => changed.get(forward.alias) ?? forward);
  const others = all.filter((forward) => changed.get(forward.alias) === forward);
  const waits = queue !== undefined && others.some((forward) => forward.waits === true);
  const page = others.find((forward) => forward.page !== undefined)?.page;
  const more = { ...(waits ? { queue } : {}), ...(page === undefined ? {} : { page }) };
  return { frame: frame && { ...frame, ...more }, forwards: all, damaged };
}

/** True when both lead the same packets to the same place. */
export function sameRedirection(a: Forward, b: Forward): boolean {
  if (a === b) return true;
  if (a.alias !== b.alias || a.name !== b.name || a.waits !== b.waits) return false;
  if (a.page !== b.page || (a.waits !== true && a.target !== b.target)) return false;
  const policy = ({ map, ports, allow }: Forward): string => JSON.stringify([map, ports, allow]);
  return policy(a) === policy(b);
}

/** The same forward for a container that is not to be reached yet. */
export const waiting = (forward: Forward): Forward => canonical({ ...forward, waits: true });

/** True when the guard lets the packets of both out through the same bridge port. */
export function sameBridgePort(a: Forward, b: Forward): boolean {
  return a.bridgePort === b.bridgePort;
}

/** True for the same protocol and number. */
export const samePort = (a: Port, b: Port): boolean => a.protocol === b.protocol && a.port === b.port;

const PROTOCOLS = ["tcp", "udp", "sctp"];
const comparePorts = (a: Port, b: Port): number =>
  PROTOCOLS.indexOf(a.protocol) - PROTOCOLS.indexOf(b.protocol) || a.port - b.port;

/** Sorted, and only the first of each. */
export function distinctPorts<T extends Port>(ports: readonly T[]): T[] {
  return ports
    .filter((port, i) => ports.findIndex((other) => samePort(other, port)) === i)
    .sort(comparePorts);
}

const HTTP: Port = { protocol: "tcp", port: 80 };

/** One form for forwards that do the same; reading them back from the rules gives it too. */
export function canonical(forward: Forward): Forward {
  const ports = forward.ports === null ? null : distinctPorts(forward.ports);
  // while packets wait, none is sent to another port
  const mapped = forward.waits === true ? [] : distinctPorts(forward.map);
  const map = mapped.filter((m) => ports === null || ports.some((p) => samePort(p, m)));
  const allow =
    forward.allow === null ? null : toCidrs(forward.allow.flatMap((cidr) => parseCidr(cidr) ?? []));
  const { name, alias, target, waits, page, bridgePort } = forward;
  const shown = page !== undefined && (ports === null || ports.some((port) => samePort(port, HTTP)));
  // always in this order: forwards are also compared as text
  return {
    name,
    alias,
    target,
    ...(waits === true ? { waits } : {}),
    ...(shown ? { page } : {}),
    bridgePort,
    map,
    ports,
    // iptables cannot express "from everywhere"
    allow: allow?.includes("0.0.0.0/0") ? null : allow,
  };
}
