/** OCDD's nftables tables in the kernel: the guard, and with the nft backend the redirection as well. */
import type { Ipv4 } from "../../core/addresses/ipv4.ts";
import type { DataPath, Forward, Frame } from "../../core/forwards/forward.ts";
import { type NftStyle, renderAll, renderRemoval, renderStamp } from "../../core/forwards/nft.ts";
import { changed, changeOf, inForce, isEmpty, type TableChange } from "../../core/forwards/nft-change.ts";
import { type Element, FAMILY_OF, isDevice } from "../../core/forwards/nft-elements.ts";
import { isWritten, stampOf, type TablesSeen, versionOf } from "../../core/forwards/nft-parse.ts";
import type { Loaded } from "../../platform/libc.ts";
import { commitMost, type Refused } from "./commit-most.ts";
import type { Netlink } from "./netlink.ts";
import { type Filters, isRefusal, nft, readFilters, readTables, tryTables, write } from "./nft-program.ts";

/** One reading of nftables. */
export interface NftSeen extends Filters {
  /** Null when the tables are or can be in force; else why not, in one line. */
  readonly unguarded: string | null;
  /** Null when one of OCDD's tables does not exist. */
  readonly tables: TablesSeen | null;
}

/** One writer; its calls are carried out one after another. Each throws HostError. */
export interface NftTable {
  /** When nft or the kernel cannot do it, that is reported, not thrown. */
  read(): Promise<NftSeen>;
  /**
   * Writes what differs from the last reading or write; nothing where the tables cannot be used. Forwards that are refused
   * are left out and reported.
   */
  commit(desired: DataPath, style: NftStyle): Promise<{ readonly refused: readonly Refused[] }>;
  /** No alias is in force any more; tracked flows to them are refused. */
  refuseAll(): Promise<void>;
  /** Removes both tables. */
  remove(): Promise<void>;
  /** Removes all elements of these aliases: later packets to them are refused or dropped. */
  revoke(aliases: readonly Ipv4[]): Promise<void>;
  /** Lets the packets of an alias that is in force out through a bridge port. */
  admit(alias: Ipv4, bridgePort: string): Promise<void>;
  close(): void;
}

/**
 * Opens the tables of this network namespace; nothing is read or written yet. `loaded`: netlink for changes of elements;
 * without it each takes a process.
 */
export function openNftTable(loaded: Loaded<Netlink>): NftTable {
  const netlink = "calls" in loaded ? loaded.calls : undefined;
  /** The tables as far as this process knows, null for none; undefined when they must be read. */
  let known: TablesSeen | null | undefined;
  /** The kernel has taken the tables once: no further trial is needed. */
  let usable = false;
  /** The result of the last reading; undefined before the first. */
  let unguarded: string | null | undefined;
  let last: Promise<unknown> = Promise.resolve();
  const inTurn = <T>(act: () => Promise<T>): Promise<T> => {
    const turn = last.then(act);
    last = turn.catch(() => undefined);
    return turn;
  };
  /** Only one of the two tables exists: another program has removed the other. */
  const version = rememberLast(versionOf);
  const look = async (): Promise<TablesSeen | null> => {
    known = await readTables();
    return known;
  };
  const observe = async (): Promise<NftSeen> => {
    try {
      const [filters, tables] = await Promise.all([readFilters(), look()]);
      // a refusal may be temporary: the next reading tries again
      if (tables === null && !usable) await tryTables();
      usable = true;
      unguarded = null;
      return { unguarded, ...filters, tables };
    } catch (error) {
      if (!isRefusal(error)) throw error;
      unguarded = error.message;
      return { unguarded, docker: false, iptables: false, tables: null };
    }
  };
  /** Carries out a change, where the tables can be used at all. */
  const where = async <T>(act: () => Promise<T>, otherwise: T): Promise<T> => {
    if (unguarded === undefined) await observe();
    return unguarded === null ? await act() : otherwise;
  };
  const change = async (before: TablesSeen, wanted: TableChange): Promise<void> => {
    if (isEmpty(wanted)) return;
    known = undefined;
    await write(netlink, wanted);
    known = changed(before, wanted);
  };
  const replace = async (frame: Frame, forwards: readonly Forward[], style: NftStyle): Promise<void> => {
    known = undefined;
    await nft(renderAll(frame, forwards, style));
    const seen = await readTables();
    if (seen === null) return;
    const stamp = stampOf(version(frame, style), seen);
    await nft(renderStamp(stamp));
    known = { ...seen, stamp };
  };
  const bring = async (frame: Frame, forwards: readonly Forward[], style: NftStyle): Promise<void> => {
    const seen = known === undefined ? await look() : known;
    if (seen === null || !isWritten(seen, version(frame, style))) await replace(frame, forwards, style);
    else await change(seen, changeOf(seen, forwards, style.mode));
  };
  const remove = async (): Promise<void> => {
    if (known === null) return;
    known = undefined;
    await nft(renderRemoval());
    known = null;
  };
  /** Changes elements of aliases that are in force. */
  const touch = async (of: (elements: readonly Element[]) => ElementLists): Promise<void> => {
    const once = async (seen: TablesSeen | null): Promise<void> => {
      if (seen === null) return;
      const { gone, added } = of(seen.elements);
      const exists = ({ set }: Element): boolean => seen.families.has(FAMILY_OF[set]);
      await change(seen, { gone, added: added.filter(exists), filled: [], removed: [] });
    };
    try {
      await once(known === undefined ? await look() : known);
    } catch (error) {
      if (!isRefusal(error)) throw error;
      // another program has changed the tables since the last reading
      await once(await look());
    }
  };
  const commit = async ({ frame, forwards }: DataPath, style: NftStyle): Promise<Refused[]> => {
    if (frame === null) {
      await remove();
      return [];
    }
    const attempt = (some: readonly Forward[]): Promise<void> => bring(frame, some, style);
    // the second try reads first: another program may have changed the tables
    for (let tries = 1; tries <= 2; tries++) {
      try {
        await attempt(forwards);
        return [];
      } catch (error) {
        if (!isRefusal(error)) throw error;
      }
    }
    const seen = await look();
    const isInForce = seen === null ? () => false : inForce(seen, style.mode);
    const [kept, rest] = [forwards.filter(isInForce), forwards.filter((forward) => !isInForce(forward))];
    return await commitMost({ attempt, isRefusal, culprit: () => undefined }, kept, rest);
  };
  return {
    read: () => inTurn(observe),
    commit: (desired, style) =>
      inTurn(async () => ({ refused: await where(() => commit(desired, style), []) })),
    refuseAll: () =>
      inTurn(() => where(() => touch((elements) => ({ gone: elements, added: [] })), undefined)),
    remove: () => inTurn(() => where(remove, undefined)),
    revoke: (aliases) => {
      const gone = new Set(aliases);
      const ofThem = (elements: readonly Element[]): Element[] =>
        elements.filter(({ alias }) => gone.has(alias));
      return inTurn(() =>
        where(() => touch((elements) => ({ gone: ofThem(elements), added: [] })), undefined),
      );
    },
    admit: (alias, bridgePort) =>
      inTurn(() => where(() => touch((elements) => admission(elements, alias, bridgePort)), undefined)),
    close: () => netlink?.close(),
  };
}

/** Replaces the bridge port of an alias that has a lease. */
function admission(elements: readonly Element[], alias: Ipv4, bridgePort: string): ElementLists {
  const own = elements.filter((one) => one.alias === alias);
  const ports = own.filter(({ set }) => set === "bridge-ports");
  const leased = own.some(({ set }) => set === "leased");
  const there = ports.length === 1 && ports[0]?.value === bridgePort;
  if (!leased || there || !isDevice(bridgePort)) return { gone: [], added: [] };
  return { gone: ports, added: [{ set: "bridge-ports", alias, value: bridgePort }] };
}

type ElementLists = Pick<TableChange, "gone" | "added">;

/** Computes a version only when the frame or the style has changed: a large pool has a line for each alias. */
function rememberLast(of: typeof versionOf): typeof versionOf {
  let key = "";
  let version = "";
  return (frame, style) => {
    const now = JSON.stringify([frame, style]);
    if (now !== key) version = of(frame, style);
    key = now;
    return version;
  };
}
