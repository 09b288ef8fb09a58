/** What can be done before something is known or when nothing can be written: take down, and never put up. */

import type { Ipv4 } from "../addresses/ipv4.ts";
import type { Firewall, Observation, State } from "../model.ts";
import { withoutAddresses } from "../zone/withdraw.ts";
import { forwardOf } from "./firewall.ts";

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
    // one switched on and not remembered would be nobody's to switch off
    hairpins: actual.hairpins,
    firewall: keepRules(desired.firewall, (rule) => forwardOf(rule).every(({ alias }) => onDisk.has(alias))),
    aliases: desired.aliases.filter((alias) => onDisk.has(alias.address)),
  };
}

/** Forwards in force that lead to a container which is not theirs: Docker has given the address to another. */
export function misledAliases(seen: Observation, desired: State): ReadonlySet<Ipv4> {
  const taken = holders(seen);
  const right = new Set(
    (desired.firewall.chains.get("nat/OCDD") ?? [])
      .flatMap(forwardOf)
      .map(({ alias, target }) => `${alias} ${target}`),
  );
  const misled = seen.forwards.filter(
    ({ alias, target }) => taken.has(target) && !right.has(`${alias} ${target}`),
  );
  return new Set(misled.map(({ alias }) => alias));
}

/**
 * The same when nothing can be decided, since the configuration and the host contradict each other: forwards whose
 * lease's container has died, as Docker announced, or whose target another container has by now.
 */
export function bereftAliases(seen: Observation): ReadonlySet<Ipv4> {
  const taken = holders(seen);
  const owners = new Map(seen.actual.table.leases.map((lease) => [lease.address, lease.container]));
  const bereft = seen.forwards.filter(({ alias, target }) => {
    const owner = owners.get(alias);
    const holder = taken.get(target);
    return owner !== undefined && (seen.dead?.has(owner) === true || (holder ?? owner) !== owner);
  });
  return new Set(bereft.map(({ alias }) => alias));
}

/** Whose the containers' addresses are: address → container id. */
function holders(seen: Observation): ReadonlyMap<Ipv4, string> {
  return new Map(
    seen.containers.flatMap(({ id, attachments }) =>
      attachments.flatMap(({ address }) => (address === undefined ? [] : [[address, id] as const])),
    ),
  );
}

/** What is, without these aliases and the names that lead there: nothing is put up, and nothing remembered. */
export function withoutAliases(actual: State, aliases: ReadonlySet<Ipv4>): State {
  return {
    ...actual,
    zone: withoutAddresses(actual.zone, aliases),
    firewall: keepRules(actual.firewall, (rule) => forwardOf(rule).every(({ alias }) => !aliases.has(alias))),
    aliases: actual.aliases.filter((alias) => !aliases.has(alias.address)),
  };
}

function keepRules(firewall: Firewall, keep: (rule: string) => boolean): Firewall {
  const chains = new Map([...firewall.chains].map(([name, rules]) => [name, rules.filter(keep)]));
  return { ...firewall, chains };
}
