/** The one writer of the data path: rules and guard, read as nouns and written as nouns. */
import type { Ipv4, Range } from "../../core/addresses/ipv4.ts";
import type { DataPath, Forward, Part } from "../../core/forwards/forward.ts";
import type { DataPathSeen } from "../../core/observation.ts";
import type { Loaded } from "../../platform/libc.ts";
import { openIptablesTable } from "./iptables-table.ts";
import { NETLINK_NETFILTER, type Netlink, openNetlink } from "./netlink.ts";
import { type NftSeen, openNftTable } from "./nft-table.ts";

/** A forward that the kernel did not take; the others are in force. */
export interface Refusal {
  readonly alias: Ipv4;
  readonly message: string;
}

export interface ForwardTable {
  /** What is in force. Throws HostError. */
  read(): Promise<DataPathSeen>;
  /**
   * Brings the kernel to `desired` from what was read or committed last. Throws HostError; what was in force stays. Where
   * nothing shall be in force the guard stays and refuses, until `removeGuard`.
   */
  commit(desired: DataPath): Promise<readonly Refusal[]>;
  /** To be called once the flows of all aliases have been flushed: until then a tracked flow outlives its rule. */
  removeGuard(): Promise<void>;
  /** Takes these aliases out of force at once; waits for nothing but a write that is under way. */
  revoke(aliases: readonly Ipv4[]): Promise<void>;
  /** Lets the packets of an alias out through a bridge port, where there is a guard. */
  admit(alias: Ipv4, bridgePort: string): Promise<void>;
  close(): void;
}

/** Rules by iptables, the guard by nftables. */
export function openForwardTable(
  pool: readonly Range[],
  netlink: Loaded<Netlink> = openNetlink(NETLINK_NETFILTER),
): ForwardTable {
  const iptables = openIptablesTable(pool);
  const nft = openNftTable("guard", netlink);
  return {
    async read() {
      const [rules, guard] = await Promise.all([iptables.read(), nft.read()]);
      return {
        dataPath: withGuard(rules.dataPath, guard),
        firewall: { backend: "iptables", unguarded: guard.unguarded, obstacles: rules.obstacles },
        legacy: rules.legacy,
      };
    },
    async commit(desired) {
      // an alias without its rule leads nowhere, one without its guard to any container that gets the address
      if (desired.frame === null) await nft.refuseAll();
      else await nft.commit(desired);
      return (await iptables.commit(desired)).refused;
    },
    removeGuard: () => nft.remove(),
    async revoke(aliases) {
      if (aliases.length === 0) return;
      await Promise.all([nft.revoke(aliases), iptables.revoke(aliases)]);
    },
    admit: (alias, bridgePort) => nft.admit(alias, bridgePort),
    close: () => nft.close(),
  };
}

/** The rules with the bridge ports that the guard has for them; a guard for other aliases, or for none, is damaged. */
function withGuard(rules: DataPath, guard: NftSeen): DataPath {
  if (guard.unguarded !== null) return rules;
  const { ports } = guard;
  const forwards = rules.forwards.map(
    (forward): Forward => ({ ...forward, bridgePort: ports.get(forward.alias) ?? null }),
  );
  const same = ports.size === forwards.length && forwards.every(({ alias }) => ports.has(alias));
  const wanted = rules.frame !== null;
  const damaged: readonly Part[] = same && wanted === guard.present && !guard.damaged ? [] : ["guard"];
  return { ...rules, forwards, damaged: [...rules.damaged, ...damaged] };
}
