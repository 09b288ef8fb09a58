/** ARP by arping(8), a process an address: where no packet socket can be opened. */

import type { Ipv4 } from "../../../core/addresses/ipv4.ts";
import { HostError } from "../../../core/errors.ts";
import { run } from "../run.ts";
import type { Arp } from "./arp.ts";

/** A process an address: enough at once that a range is done in one wait, few enough for a small host. */
const IN_PARALLEL = 256;

/** ARP by arping. */
export function arping(device: string): Arp {
  return {
    probe: (addresses) => probe(device, addresses),
    announce: (addresses) => announce(device, addresses),
    heard: async () => new Set(),
    close: () => undefined,
  };
}

async function probe(device: string, addresses: readonly Ipv4[]): Promise<Set<Ipv4>> {
  const taken = new Set<Ipv4>();
  await inParallel(addresses, async (address) => {
    // -D: status 0 free, 1 in use; 1 for a wrong argument as well, but with a message on stderr
    const { code, stderr } = await run(["arping", "-D", "-q", "-c", "2", "-w", "2", "-I", device, address], {
      ok: [0, 1, 2],
    });
    if (code === 2 || stderr.trim() !== "") {
      const said = stderr.trim().split("\n")[0] ?? "";
      const denied = /permitted|denied/i.test(said);
      throw new HostError(denied ? "privilege" : "command", `arping -D failed for ${address}: ${said}`, {
        remedy: denied ? "run as root, or with CAP_NET_RAW" : "try it by hand",
      });
    }
    if (code === 1) taken.add(address);
  });
  return taken;
}

async function announce(device: string, addresses: readonly Ipv4[]): Promise<void> {
  await inParallel(addresses, async (address) => {
    await run(["arping", "-U", "-q", "-c", "1", "-w", "1", "-I", device, "-s", address, address], {
      ok: [0, 1],
    });
  });
}

async function inParallel<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
  const rest = [...items].reverse();
  const worker = async (): Promise<void> => {
    for (let item = rest.pop(); item !== undefined; item = rest.pop()) await work(item);
  };
  await Promise.all(Array.from({ length: Math.min(IN_PARALLEL, items.length) }, worker));
}
