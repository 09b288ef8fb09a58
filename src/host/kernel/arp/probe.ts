/** Finds addresses that other machines on the network use (RFC 5227), and announces those that this host uses. */
import type { Arp } from "./arp.ts";

/**
 * By one packet socket, opened when it is first needed and kept: binding and closing one blocks for some 20 ms. Where the
 * C library cannot be called, or the device is no Ethernet device, by arping.
 */
export function openArp(device: string): Arp {
  let socket: Promise<Arp> | undefined;
  const open = async (): Promise<Arp> => {
    const { openPackets } = await import("./packet.ts");
    return openPackets(device) ?? (await import("./process.ts")).arping(device);
  };
  const used = async <T>(use: (arp: Arp) => Promise<T>): Promise<T> => {
    socket ??= open();
    const mine = socket;
    try {
      return await use(await mine);
    } catch (error) {
      // the device may have been replaced: the next use opens another socket
      if (socket === mine) socket = undefined;
      (await mine.catch(() => undefined))?.close();
      throw error;
    }
  };
  return {
    probe: async (addresses) => (addresses.length === 0 ? new Set() : used((arp) => arp.probe(addresses))),
    announce: async (addresses) => {
      if (addresses.length > 0) await used((arp) => arp.announce(addresses));
    },
    heard: (inForce) => used((arp) => arp.heard(inForce)),
    close: () => void socket?.then((arp) => arp.close()).catch(() => undefined),
  };
}
