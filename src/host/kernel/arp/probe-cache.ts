/** What the network has answered lately about addresses, so that the same address is not asked about twice. */
import type { Ipv4 } from "../../../core/addresses/ipv4.ts";

/** Milliseconds for which an address that nobody answered for is taken to be free. */
const STAYS_FREE = 120_000;

/** Asks about `addresses` and waits for the answer; asks about `ahead` as well, without waiting. Gives those taken. */
export type Probe = (addresses: readonly Ipv4[], ahead?: readonly Ipv4[]) => Promise<ReadonlySet<Ipv4>>;

/** A memory before `ask`, which asks the network about several addresses at once and takes its time. */
export function rememberProbes(ask: (addresses: readonly Ipv4[]) => Promise<ReadonlySet<Ipv4>>): Probe {
  const asked = new Map<Ipv4, { readonly since: number; readonly taken: Promise<boolean> }>();
  return async (addresses, ahead = []) => {
    const now = performance.now();
    for (const [address, { since }] of asked) if (now - since > STAYS_FREE) asked.delete(address);
    const unknown = [...addresses, ...ahead].filter((address) => !asked.has(address));
    if (unknown.length > 0) {
      const answer = ask(unknown);
      // what could not be asked, or is taken, is asked again when it is wanted again
      const forget = (which: (address: Ipv4) => boolean): void => {
        for (const address of unknown) if (which(address)) asked.delete(address);
      };
      answer.then(
        (them) => forget((address) => them.has(address)),
        () => forget(() => true),
      );
      for (const address of unknown) {
        const taken = answer.then((them) => them.has(address));
        // nobody may be waiting for this one; whoever does hears of the failure himself
        taken.catch(() => undefined);
        asked.set(address, { since: now, taken });
      }
    }
    const answers = await Promise.all(addresses.map(async (a) => ((await asked.get(a)?.taken) ? [a] : [])));
    return new Set(answers.flat());
  };
}
