/** A cache of recent probes, so that the same address is not probed twice. */
import type { Ipv4 } from "../../../core/addresses/ipv4.ts";

/** Milliseconds for which an address without an answer counts as free. */
const STAYS_FREE = 120_000;

/** Probes `addresses` and waits for the answer; probes `ahead` as well, without waiting. Gives those in use. */
export type Probe = (addresses: readonly Ipv4[], ahead?: readonly Ipv4[]) => Promise<ReadonlySet<Ipv4>>;

/** A cache in front of `ask`, which probes several addresses at once and takes some seconds. */
export function rememberProbes(ask: (addresses: readonly Ipv4[]) => Promise<ReadonlySet<Ipv4>>): Probe {
  const asked = new Map<Ipv4, { readonly since: number; readonly taken: Promise<boolean> }>();
  return async (addresses, ahead = []) => {
    const now = performance.now();
    for (const [address, { since }] of asked) if (now - since > STAYS_FREE) asked.delete(address);
    const unknown = [...addresses, ...ahead].filter((address) => !asked.has(address));
    if (unknown.length > 0) {
      const answer = ask(unknown);
      // an address that could not be probed, or is in use, is probed again when it is needed again
      const forget = (which: (address: Ipv4) => boolean): void => {
        for (const address of unknown) if (which(address)) asked.delete(address);
      };
      answer.then(
        (them) => forget((address) => them.has(address)),
        () => forget(() => true),
      );
      for (const address of unknown) {
        const taken = answer.then((them) => them.has(address));
        // perhaps no call waits for this one; one that waits gets the failure itself
        taken.catch(() => undefined);
        asked.set(address, { since: now, taken });
      }
    }
    const answers = await Promise.all(addresses.map(async (a) => ((await asked.get(a)?.taken) ? [a] : [])));
    return new Set(answers.flat());
  };
}
