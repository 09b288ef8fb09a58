/** Devices and their addresses, as the kernel lists them. */

import { fromNumber, type Ipv4, parseIpv4 } from "../../core/addresses/ipv4.ts";
import { HostError } from "../../core/errors.ts";
import type { BridgePort, DeviceAddress } from "../../core/model.ts";
import type { Loaded } from "../../platform/libc.ts";
import {
  ADDRESS_HEADER,
  addressQuestion,
  IFA_ADDRESS,
  IFA_LABEL,
  IFA_LOCAL,
  IFLA_BRPORT_MODE,
  IFLA_IFNAME,
  IFLA_INFO_KIND,
  IFLA_INFO_SLAVE_DATA,
  IFLA_INFO_SLAVE_KIND,
  IFLA_LINKINFO,
  IFLA_MASTER,
  LINK_HEADER,
  linkQuestion,
  listed,
} from "./link-message.ts";
import { NETLINK_ROUTE, type Netlink, NetlinkError, openNetlink } from "./netlink.ts";
import { DUMP, seek } from "./netlink-message.ts";
import { follow, type RunResult, run } from "./run.ts";

/** The kind of such a device, and of what is a port of one. */
const BRIDGE = "bridge";

export interface Links {
  readonly devices: readonly string[];
  /** Those of the devices that are bridges. */
  readonly bridges: readonly string[];
  readonly addresses: readonly DeviceAddress[];
  readonly bridgePorts: readonly BridgePort[];
}

interface IpLink {
  readonly ifname?: string;
  readonly master?: string;
  readonly linkinfo?: {
    readonly info_kind?: string;
    readonly info_slave_kind?: string;
    readonly info_slave_data?: { readonly hairpin?: boolean };
  };
  readonly addr_info?: readonly {
    readonly family?: string;
    readonly local?: string;
    readonly prefixlen?: number;
    readonly label?: string;
  }[];
}

/** Reads the devices; keeps one socket. */
export interface LinkReader {
  /** Every device, IPv4 address and bridge port. Throws HostError. */
  read(): Promise<Links>;
  close(): void;
}

/** By netlink where it loads: `ip` and its JSON take several times as long for some thousand aliases. Else by `ip`. */
export function openLinkReader(netlink: Loaded<Netlink> = openNetlink(NETLINK_ROUTE)): LinkReader {
  if ("reason" in netlink) return { read: readByProgram, close: () => undefined };
  const route = netlink.calls;
  return { read: () => readByNetlink(route), close: () => route.close() };
}

/** Every device, IPv4 address and bridge port, for once. Throws HostError. */
export async function readLinks(): Promise<Links> {
  const reader = openLinkReader();
  try {
    return await reader.read();
  } finally {
    reader.close();
  }
}

async function readByNetlink(route: Netlink): Promise<Links> {
  try {
    const links = (await listed(route, linkQuestion(DUMP))).map(linkOf);
    const names = new Map(links.map(({ index, name }) => [index, name]));
    const addresses = new Map<string, DeviceAddress[]>(links.map(({ name }) => [name, []]));
    for (const body of await listed(route, addressQuestion())) {
      const found = addressOf(body, names);
      if (found !== undefined) addresses.get(found.device)?.push(found);
    }
    const bridgePorts = links.flatMap(({ name, master, kind, hairpin }): BridgePort[] => {
      if (hairpin === undefined) return [];
      const foreign = kind === "veth" ? {} : { foreign: true };
      return [{ name, bridge: names.get(master) ?? "", hairpin, ...foreign, container: null }];
    });
    return {
      devices: links.map(({ name }) => name),
      bridges: links.flatMap(({ name, kind }) => (kind === BRIDGE ? name : [])),
      addresses: [...addresses.values()].flat(),
      bridgePorts,
    };
  } catch (error) {
    if (!(error instanceof NetlinkError)) throw error;
    throw new HostError("command", `the devices cannot be read: ${error.message}`, { cause: error });
  }
}

interface Link {
  readonly index: number;
  readonly name: string;
  readonly kind: string;
  readonly master: number;
  /** Undefined: it is no port of a bridge. */
  readonly hairpin: boolean | undefined;
}

function linkOf(body: Buffer): Link {
  const words = (path: readonly number[]): string => textAt(body, LINK_HEADER, path);
  const master = seek(body, LINK_HEADER, [IFLA_MASTER], 4);
  const mode = seek(body, LINK_HEADER, [IFLA_LINKINFO, IFLA_INFO_SLAVE_DATA, IFLA_BRPORT_MODE], 1);
  const isPort = words([IFLA_LINKINFO, IFLA_INFO_SLAVE_KIND]) === BRIDGE;
  return {
    index: body.readInt32LE(4),
    name: words([IFLA_IFNAME]),
    kind: words([IFLA_LINKINFO, IFLA_INFO_KIND]),
    master: master < 0 ? 0 : body.readInt32LE(master),
    hairpin: isPort ? mode >= 0 && body[mode] === 1 : undefined,
  };
}

/** Undefined for that of a device that has appeared since the devices were listed. */
function addressOf(body: Buffer, names: ReadonlyMap<number, string>): DeviceAddress | undefined {
  const device = names.get(body.readInt32LE(4));
  const local = seek(body, ADDRESS_HEADER, [IFA_LOCAL], 4);
  const at = local < 0 ? seek(body, ADDRESS_HEADER, [IFA_ADDRESS], 4) : local;
  if (device === undefined || at < 0) return undefined;
  const address = fromNumber(body.readUInt32BE(at));
  return { device, address, prefix: body[1] ?? 32, label: textAt(body, ADDRESS_HEADER, [IFA_LABEL]) };
}

/** A string without its final NUL; empty where there is none. */
function textAt(body: Buffer, start: number, path: readonly number[]): string {
  const at = seek(body, start, path, 1);
  return at < 0 ? "" : body.toString("latin1", at, body.indexOf(0, at));
}

async function readByProgram(): Promise<Links> {
  const look = (): Promise<RunResult> => run(["ip", "-json", "-details", "addr", "show"]);
  let { stdout, stderr } = await look();
  // a device that appears or disappears while the kernel lists them makes the list shorter, and is no failure
  for (let n = 0; n < 5 && stderr.includes("Dump was interrupted"); n++) ({ stdout, stderr } = await look());
  let links: IpLink[];
  try {
    links = JSON.parse(stdout || "[]") as IpLink[];
  } catch (error) {
    throw new HostError("command", "ip -json gave no JSON", {
      cause: error,
      remedy: "iproute2 5.0 or later is needed",
    });
  }
  const addresses: DeviceAddress[] = [];
  const bridgePorts: BridgePort[] = [];
  for (const link of links) {
    const device = link.ifname ?? "";
    for (const info of link.addr_info ?? []) {
      const address: Ipv4 | undefined = info.family === "inet" ? parseIpv4(info.local ?? "") : undefined;
      if (address !== undefined) {
        addresses.push({ device, address, prefix: info.prefixlen ?? 32, label: info.label ?? "" });
      }
    }
    if (link.linkinfo?.info_slave_kind === BRIDGE) {
      const hairpin = link.linkinfo.info_slave_data?.hairpin === true;
      const foreign = link.linkinfo.info_kind === "veth" ? {} : { foreign: true };
      bridgePorts.push({ name: device, bridge: link.master ?? "", hairpin, ...foreign, container: null });
    }
  }
  const named = (some: readonly IpLink[]): string[] => some.flatMap(({ ifname }) => ifname ?? []);
  const bridges = named(links.filter(({ linkinfo }) => linkinfo?.info_kind === BRIDGE));
  return { devices: named(links), bridges, addresses, bridgePorts };
}

/** Calls `lost` with each IPv4 address that is removed from a device of this name, until the signal is aborted. */
export async function followAddresses(
  device: string,
  signal: AbortSignal,
  opened: () => void,
  lost: (address: string) => void,
): Promise<void> {
  // not `dev`: that follows the present device only, not one that is created later with its name
  const streaming = follow(["ip", "-4", "monitor", "address"], signal, (line) => {
    const [deleted, , name, , address = ""] = line.split(/\s+/);
    if (deleted === "Deleted" && name === device) lost(address.split("/")[0] ?? "");
  });
  opened();
  await streaming;
}
