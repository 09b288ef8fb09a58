/** What can still be done when nothing can be written: take down, and never put up. */
import { forwardOf } from "./firewall.ts";
import type { Firewall, State } from "./model.ts";

/**
 * `desired` without what would have to be remembered or published: no new lease, and all files as they are. What of it
 * concerns leases on disk stays, so that no rule leads to a container that has gone.
 */
export function withoutWriting(actual: State, desired: State): State {
  const owner = new Map(actual.table.leases.map((lease) => [lease.address, lease.key]));
  const onDisk = new Set(
    desired.table.leases
      .filter((lease) => owner.get(lease.address) === lease.key)
      .map((lease) => lease.address),
  );
  const { table, zone, page, services } = actual;
  return {
    ...desired,
    table,
    zone,
    page,
    services,
    firewall: keepRules(desired.firewall, (rule) => forwardOf(rule).every(({ alias }) => onDisk.has(alias))),
    aliases: desired.aliases.filter((alias) => onDisk.has(alias.address)),
  };
}

function keepRules(firewall: Firewall, keep: (rule: string) => boolean): Firewall {
  const chains = new Map([...firewall.chains].map(([name, rules]) => [name, rules.filter(keep)]));
  return { ...firewall, chains };
}
