/** Devices and their addresses, as `ip` lists them. */

import { type Ipv4, parseIpv4 } from "../../core/addresses/ipv4.ts";
import { HostError } from "../../core/errors.ts";
import type { BridgePort, DeviceAddress } from "../../core/model.ts";
import { follow, type RunResult, run } from "./run.ts";

export interface Links {
  readonly devices: readonly string[];
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

/** Every device, IPv4 address and bridge port. Throws HostError. */
export async function readLinks(): Promise<Links> {
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
    if (link.linkinfo?.info_slave_kind === "bridge") {
      const hairpin = link.linkinfo.info_slave_data?.hairpin === true;
      const foreign = link.linkinfo.info_kind === "veth" ? {} : { foreign: true };
      bridgePorts.push({ name: device, bridge: link.master ?? "", hairpin, ...foreign, container: null });
    }
  }
  return { devices: links.flatMap((link) => link.ifname ?? []), addresses, bridgePorts };
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
