/** The one writer of the data path: rules and guard, read and written as data types. */
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import type { Ipv4, Range } from "../../core/addresses/ipv4.ts";
import { HostError } from "../../core/errors.ts";
import {
  type Backend,
  chooseBackend,
  type Firewall,
  joined,
  redirects,
} from "../../core/forwards/backend.ts";
import { type DataPath, type Forward, withForwards } from "../../core/forwards/forward.ts";
import type { SeenTables } from "../../core/forwards/iptables-parse.ts";
import { isDevice } from "../../core/forwards/nft-elements.ts";
import type { DataPathSeen } from "../../core/observation.ts";
import type { Loaded } from "../../platform/libc.ts";
import type { Refused } from "./commit-most.ts";
import { openIptablesTable } from "./iptables-table.ts";
import { NETLINK_NETFILTER, type Netlink, openNetlink } from "./netlink.ts";
import { openNftTable } from "./nft-table.ts";
import { together } from "./together.ts";

/** A forward that the kernel did not take; the others are in force. */
export type Refusal = Refused;

export interface ForwardTable {
  /** What is in force. Throws HostError. */
  read(): Promise<DataPathSeen>;
  /**
   * Brings the kernel to `desired` from what was read or committed last. Throws HostError; what was in force stays. When
   * nothing is to be in force the guard stays and refuses, until `removeGuard`.
   */
  commit(desired: DataPath): Promise<readonly Refusal[]>;
  /** To be called after the flows of all aliases have been flushed: until then a tracked flow continues without its rule. */
  removeGuard(): Promise<void>;
  /** Takes these aliases out of force at once; waits for nothing but a write that is under way. */
  revoke(aliases: readonly Ipv4[]): Promise<void>;
  /**
   * Puts other forwards in place of those of the same alias that were committed last; `queue` is where first packets wait
   * from then on. Waits for nothing but a write that is under way.
   */
  change(forwards: readonly Forward[], queue?: number): Promise<void>;
  /** Has first packets refused where they have waited, in what was committed last. */
  stopHolding(): Promise<void>;
  /** Another program has changed the kernel: what was committed last is put in force again, without asking Docker. */
  reassert(): Promise<void>;
  /** Lets the packets of an alias out through a bridge port, where there is a guard. */
  admit(alias: Ipv4, bridgePort: string): Promise<void>;
  close(): void;
}

/** The parts of the configuration that the data path depends on. */
export interface ForwardOptions {
  readonly pool: readonly Range[];
  readonly firewall: Firewall;
  readonly device?: string;
}

/** The last reading: what is written where, and what is in the other backend. */
interface Choice {
  readonly backend: Backend;
  /** OCDD has rules in iptables. */
  readonly rules: boolean;
  /** nftables redirects. */
  readonly redirects: boolean;
}

/** Opens both backends; each reading chooses again, because Docker may have been started with another one. */
export function openForwardTable(
  { pool, firewall, device }: ForwardOptions,
  netlink: Loaded<Netlink> = openNetlink(NETLINK_NETFILTER),
): ForwardTable {
  const iptables = openIptablesTable(pool);
  const nft = openNftTable(netlink);
  let choice: Choice | undefined;
  /** Null where iptables is not installed: whether it must be is known after nftables has been read. */
  const readRules = async (): Promise<SeenTables | null> => {
    try {
      return await iptables.read();
    } catch (error) {
      if (error instanceof HostError && error.fault === "missing") return null;
      throw error;
    }
  };
  const read = async (): Promise<DataPathSeen> => {
    const [first, guard] = await Promise.all([readRules(), nft.read()]);
    const filters = first !== null || guard.iptables || (await legacyFilters());
    const backend = chooseBackend(firewall, { ...guard, iptables: filters }, unlessBridge(device));
    if (first === null && guard.unguarded !== null && firewall !== "iptables")
      throw noFirewall(guard.unguarded);
    // an error when iptables is needed and not installed
    const rules = backend.rules ? (first ?? (await iptables.read())) : first;
    const there = rules !== null && hasRules(rules);
    choice = { backend, rules: there, redirects: redirects(guard.tables) };
    return {
      dataPath: joined({ ...guard, rules: rules?.dataPath ?? null }, backend),
      firewall: {
        backend: backend.redirect,
        unguarded: guard.unguarded,
        obstacles: backend.rules ? (rules?.obstacles ?? []) : [],
        iptables: backend.rules,
      },
      legacy: rules?.legacy ?? [],
    };
  };
  const chosen = async (): Promise<Choice> => {
    if (choice === undefined) await read();
    return choice as Choice;
  };
  /** What was committed last, less what has been revoked since. */
  let committed: DataPath | undefined;
  const commit = async (desired: DataPath): Promise<readonly Refusal[]> => {
    committed = desired;
    const { backend, rules, redirects } = await chosen();
    const { style } = backend;
    if (desired.frame === null) {
      await nft.refuseAll();
      if (backend.rules || rules) await iptables.commit(desired);
      choice = { backend, rules: false, redirects: false };
      return [];
    }
    const refused: Refused[] = [];
    // read for each write: an alias revoked between two of them is not written by the second
    const now = (): DataPath => committed as DataPath;
    if (backend.redirect === "nft") {
      // where both redirect for a moment, both lead to the same container, and nftables comes first
      refused.push(...(await nft.commit(now(), style)).refused);
      // nftables leaves packets that are to wait to iptables
      const waiting = now().forwards.filter((forward) => forward.waits === true);
      if (backend.rules) await iptables.commit({ ...now(), forwards: waiting });
      else if (rules) await iptables.remove();
    } else {
      // an alias without its rule leads nowhere, one without its guard to any container that gets the address
      const before = redirects ? ({ ...style, mode: "full" } as const) : style;
      refused.push(...(await nft.commit(now(), before)).refused);
      refused.push(...(await iptables.commit(now())).refused);
      if (redirects) refused.push(...(await nft.commit(now(), style)).refused);
    }
    choice = { backend, rules: backend.rules, redirects: backend.redirect === "nft" };
    return [...new Map(refused.map((one) => [one.alias, one])).values()];
  };
  // each write compares all forwards: of many that wake at once not each needs its own
  const commitChanges = together(async () => committed && (await commit(committed)));
  return {
    read,
    commit,
    async reassert() {
      if (committed === undefined) return;
      await read();
      await commit(committed);
    },
    async change(forwards, queue) {
      if (committed?.frame == null || forwards.length === 0) return;
      const changed = new Map(forwards.map((forward) => [forward.alias, forward]));
      committed = withForwards(committed, changed, queue);
      await commitChanges();
    },
    async stopHolding() {
      if (committed?.frame?.queue === undefined) return;
      const { pool, subnets } = committed.frame;
      const forwards = committed.forwards.map(({ page: _, ...forward }) => forward);
      await commit({ ...committed, frame: { pool, subnets }, forwards });
    },
    removeGuard: () => nft.remove(),
    async revoke(aliases) {
      if (aliases.length === 0) return;
      const gone = new Set(aliases);
      if (committed !== undefined)
        committed = { ...committed, forwards: committed.forwards.filter(({ alias }) => !gone.has(alias)) };
      const unused = choice !== undefined && !choice.rules && !choice.backend.rules;
      await Promise.all([nft.revoke(aliases), unused ? undefined : iptables.revoke(aliases)]);
    },
    admit: (alias, bridgePort) => nft.admit(alias, bridgePort),
    close: () => nft.close(),
  };
}

/** The frames that a bridge passes on are seen by the same rules. */
const unlessBridge = (device = ""): string | undefined =>
  isDevice(device) && !existsSync(`/sys/class/net/${device}/bridge`) ? device : undefined;

/** Tables of iptables-legacy are in the kernel: a program that is not on the search path has created them. */
const legacyFilters = async (): Promise<boolean> =>
  (await readFile("/proc/net/ip_tables_names", "utf8").catch(() => "")).includes("filter");

const noFirewall = (unguarded: string): HostError =>
  new HostError("missing", `iptables is not installed, and nftables cannot be used: ${unguarded}`, {
    remedy: "apt-get install nftables",
  });

const hasRules = ({ dataPath, legacy }: SeenTables): boolean =>
  dataPath.frame !== null || dataPath.damaged.length > 0 || legacy.length > 0;
