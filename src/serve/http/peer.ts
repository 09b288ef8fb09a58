/** Which port of a bridge of Docker's an address is behind, by what the kernel sends packets to it by. Needs no privilege. */
import { readFileSync } from "node:fs";

/** Where the kernel shows its neighbours and devices. */
export interface KernelFiles {
  /** The neighbour table as text. */
  readonly arp: string;
  /** The directory of network devices. */
  readonly devices: string;
}

/** Those of this process's network namespace. Below /proc/self, which is all of /proc that the unit shows. */
export const KERNEL_FILES: KernelFiles = { arp: "/proc/self/net/arp", devices: "/sys/class/net" };

/**
 * Whether packets to an IPv4 address leave by this bridge port: its hardware address is in the neighbour table of a bridge, and
 * that bridge has learned the hardware address on this port, and on no other. The name of a veth is not used again, so that this
 * is never true of the container that has the address next.
 */
export function isBehind(address: string, port: string, files: KernelFiles = KERNEL_FILES): boolean {
  if (!DEVICE_NAME.test(port)) return false;
  try {
    const neighbour = neighbourOf(address, readFileSync(files.arp, "latin1"));
    if (neighbour === undefined || !DEVICE_NAME.test(neighbour.device)) return false;
    const bridge = `${files.devices}/${neighbour.device}`;
    const number = Number(readFileSync(`${bridge}/brif/${port}/port_no`, "latin1").trim());
    const learned = portsOf(neighbour.mac, readFileSync(`${bridge}/brforward`));
    return learned.length > 0 && learned.every((one) => one === number);
  } catch {
    // no such bridge, or no such port of it any more
    return false;
  }
}

/** As Docker names bridges and veths; a name with other characters is not looked for. */
const DEVICE_NAME = /^[\w-][\w.-]{0,14}$/;

/** A line: address, hardware type, flags, hardware address, mask, device. */
function neighbourOf(
  address: string,
  table: string,
): { readonly mac: string; readonly device: string } | undefined {
  for (const line of table.split("\n")) {
    const [at, , flags, mac, , device] = line.trim().split(/\s+/);
    if (at === address && mac !== undefined && device !== undefined && (Number(flags) & COMPLETE) !== 0)
      return { mac: mac.replaceAll(":", ""), device };
  }
  return undefined;
}

/** ATF_COM of <linux/if_arp.h>. */
const COMPLETE = 2;

/** Numbers of the ports on which a bridge has learned a hardware address: struct __fdb_entry of <linux/if_bridge.h>. */
function portsOf(mac: string, table: Buffer): number[] {
  const ports: number[] = [];
  for (let at = 0; at + ENTRY_OCTETS <= table.length; at += ENTRY_OCTETS) {
    const isLocal = table[at + 7] !== 0;
    if (!isLocal && table.toString("hex", at, at + 6) === mac)
      ports.push((table[at + 6] ?? 0) + 256 * (table[at + 12] ?? 0));
  }
  return ports;
}

const ENTRY_OCTETS = 16;
