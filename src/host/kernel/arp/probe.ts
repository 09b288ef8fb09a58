/** Who else on the network has an address (RFC 5227), and telling everyone that we have it now. */
import type { Ipv4 } from "../../../core/addresses/ipv4.ts";

/** Two ways to do the same: one socket for all addresses, or a process for each. */
interface Engine {
  probe(device: string, addresses: readonly Ipv4[]): Promise<Set<Ipv4>>;
  announce(device: string, addresses: readonly Ipv4[]): Promise<void>;
}

/** Those of `addresses` that somebody answers for. Takes 2 seconds at most when nobody does. Throws HostError. */
export async function probe(device: string, addresses: readonly Ipv4[]): Promise<Set<Ipv4>> {
  if (addresses.length === 0) return new Set();
  return (await engineFor(device)).probe(device, addresses);
}

/** Gratuitous ARP (RFC 5227 §3): clients that remember another owner's hardware address learn ours. */
export async function announce(device: string, addresses: readonly Ipv4[]): Promise<void> {
  if (addresses.length > 0) await (await engineFor(device)).announce(device, addresses);
}

/** The packet socket where the C library can be called and the device has Ethernet's addresses, else arping. */
async function engineFor(device: string): Promise<Engine> {
  const { openPackets } = await import("./packet.ts");
  return openPackets(device) ?? (await import("./process.ts"));
}
