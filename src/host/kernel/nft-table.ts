/** OCDD's nftables tables in the kernel: the guard, and with the nft backend the redirection as well. */
import type { Ipv4 } from "../../core/addresses/ipv4.ts";
import { HostError } from "../../core/errors.ts";
import type { DataPath, Forward, Frame } from "../../core/forwards/forward.ts";
import {
  type NftStyle,
  renderAll,
  renderRemoval,
  renderStamp,
  renderTrial,
} from "../../core/forwards/nft.ts";
import {
  changed,
  changeOf,
  inForce,
  isElementsAlone,
  isEmpty,
  renderChange,
  type TableChange,
} from "../../core/forwards/nft-change.ts";
import { type Element, isDevice } from "../../core/forwards/nft-elements.ts";
import { isWritten, parseTables, stampOf, type TablesSeen } from "../../core/forwards/nft-parse.ts";
import { TABLE } from "../../core/forwards/nft-table-name.ts";
import type { Loaded } from "../../platform/libc.ts";
import { commitMost, type Refused } from "./commit-most.ts";
import { type Netlink, NetlinkError } from "./netlink.ts";
import { commitElements } from "./nft-batch.ts";
import { run } from "./run.ts";

/** One look at nftables. */
export interface NftSeen {
  /** Null when the tables are or can be in force; else why not, in one line. */
  readonly unguarded: string | null;
  /** True when Docker itself filters with nftables (`firewall-backend`, from Docker 29 on). */
  readonly docker: boolean;
  /** Null when one of OCDD's tables is not there. */
  readonly tables: TablesSeen | null;
}

/** One writer; its calls are carried out one after another. Each throws HostError. */
export interface NftTable {
  /** That nft or the kernel cannot do it is told, not thrown. */
  read(): Promise<NftSeen>;
  /**
   * Writes what differs from the last look or write; nothing where the tables cannot be. Forwards that are refused are
   * left out and told.
   */
  commit(desired: DataPath, style: NftStyle): Promise<{ readonly refused: readonly Refused[] }>;
  /** No alias is in force any more; tracked flows to them are refused. */
  refuseAll(): Promise<void>;
  /** Removes both tables. */
  remove(): Promise<void>;
  /** Takes all elements of these aliases out: what comes for them from then on is refused or dropped. */
  revoke(aliases: readonly Ipv4[]): Promise<void>;
  /** Lets the packets of an alias that is in force out through a bridge port. */
  admit(alias: Ipv4, bridgePort: string): Promise<void>;
  close(): void;
}

/**
 * Opens the tables of this network namespace; nothing is read or written yet. `loaded`: the way for changes of elements;
 * without it they take a process.
 */
export function openNftTable(loaded: Loaded<Netlink>): NftTable {
  const netlink = "calls" in loaded ? loaded.calls : undefined;
  /** The tables as far as this process knows, null for none; undefined when they are to be looked at. */
  let known: TablesSeen | null | undefined;
  let usable: Usable | undefined;
  /** What the last look said; undefined before the first. */
  let unguarded: string | null | undefined;
  let last: Promise<unknown> = Promise.resolve();
  const inTurn = <T>(act: () => Promise<T>): Promise<T> => {
    const turn = last.then(act);
    last = turn.catch(() => undefined);
    return turn;
  };
  /** One of the two tables is there alone: another program has removed the other. */
  let half = false;
  const look = async (): Promise<TablesSeen | null> => {
    const seen = await readTables();
    half = seen === "half";
    known = seen === "half" ? null : seen;
    return known;
  };
  const observe = async (): Promise<NftSeen> => {
    try {
      const [docker, tables] = await Promise.all([dockerFilters(), look()]);
      // whether a kernel takes them is found out once, whether the program is there each time
      if (tables !== null) usable = { why: null };
      usable ??= await tryTables();
      unguarded = usable.why;
      return { unguarded, docker, tables };
    } catch (error) {
      if (!isRefusal(error)) throw error;
      unguarded = error.message;
      return { unguarded, docker: false, tables: null };
    }
  };
  /** Carries out a change, where there can be tables at all. */
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
  const lay = async (frame: Frame, forwards: readonly Forward[], style: NftStyle): Promise<void> => {
    known = undefined;
    await nft(renderAll(frame, forwards, style));
    const seen = await readTables();
    if (seen === null || seen === "half") return;
    const stamp = stampOf(frame, style, seen);
    await nft(renderStamp(stamp));
    known = { ...seen, stamp };
  };
  const bring = async (frame: Frame, forwards: readonly Forward[], style: NftStyle): Promise<void> => {
    const seen = known === undefined ? await look() : known;
    if (seen === null || !isWritten(seen, frame, style)) await lay(frame, forwards, style);
    else await change(seen, changeOf(seen, forwards, style.mode));
  };
  const remove = async (): Promise<void> => {
    if (known === null && !half) return;
    known = undefined;
    await nft(renderRemoval());
    known = null;
    half = false;
  };
  /** Changes elements of aliases that are in force. */
  const touch = async (of: (elements: readonly Element[]) => ElementLists): Promise<void> => {
    const once = async (seen: TablesSeen | null): Promise<void> => {
      if (seen !== null) await change(seen, { ...of(seen.elements), filled: [], removed: [] });
    };
    try {
      await once(known === undefined ? await look() : known);
    } catch (error) {
      if (!isRefusal(error)) throw error;
      // another program has changed the tables since the last look
      await once(await look());
    }
  };
  const commit = async ({ frame, forwards }: DataPath, style: NftStyle): Promise<Refused[]> => {
    if (frame === null) {
      await remove();
      return [];
    }
    const attempt = (some: readonly Forward[]): Promise<void> => bring(frame, some, style);
    // the second try looks first: another program may have changed the tables
    for (let tries = 1; tries <= 2; tries++) {
      try {
        await attempt(forwards);
        return [];
      } catch (error) {
        if (!isRefusal(error)) throw error;
      }
    }
    const seen = await look();
    const stands = seen === null ? () => false : inForce(seen, style.mode);
    const [kept, rest] = [forwards.filter(stands), forwards.filter((forward) => !stands(forward))];
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

/** Whether the kernel and the program take OCDD's tables; `why` they do not. */
interface Usable {
  readonly why: string | null;
}

/** A program or the kernel did not take it: nothing has changed. */
const isRefusal = (error: unknown): error is HostError =>
  error instanceof HostError && (error.fault === "command" || error.fault === "missing");

/** Lays the tables with another name, and takes them off in the same transaction. */
async function tryTables(): Promise<Usable> {
  try {
    await nft(renderTrial({ mode: "full", markEarly: true }));
    return { why: null };
  } catch (error) {
    if (!isRefusal(error)) throw error;
    return { why: error.message };
  }
}

/** Docker's table is there as long as its daemon has run with its nftables backend last. */
async function dockerFilters(): Promise<boolean> {
  const { stdout } = await run(["nft", "list", "tables", "ip"]);
  return /^table ip docker-bridges$/m.test(stdout);
}

/** Both tables; null when neither is there, "half" when one of them is. Throws HostError. */
async function readTables(): Promise<TablesSeen | "half" | null> {
  const listings = await Promise.all(
    // one family a run: nft 1.0.6 prints no more of it
    ["ip", "bridge"].map((family) => run(["nft", "-j", "list", "table", family, TABLE], { ok: [0, 1] })),
  );
  const absent = listings.filter(({ code, stderr }) => code !== 0 && /No such file/.test(stderr)).length;
  if (absent > 0) return absent === listings.length ? null : "half";
  for (const { code, stderr } of listings) {
    if (code === 0) continue;
    const denied = /not permitted|permission denied|must be root/i.test(stderr);
    throw new HostError(denied ? "privilege" : "command", `nft failed: ${stderr.trim().split("\n")[0]}`);
  }
  try {
    return parseTables(listings.map(({ stdout }) => stdout));
  } catch (error) {
    throw new HostError("command", "nft -j printed no listing of OCDD's tables", { cause: error });
  }
}

/** Elements of one change that netlink takes faster than a program. */
const BY_NETLINK = 256;

/** One transaction: elements by netlink within 0.1 ms, many of them or chains by a process. */
async function write(netlink: Netlink | undefined, wanted: TableChange): Promise<void> {
  const few = wanted.gone.length + wanted.added.length <= BY_NETLINK;
  if (netlink === undefined || !few || !isElementsAlone(wanted)) return await nft(renderChange(wanted));
  try {
    commitElements(netlink, wanted);
  } catch (error) {
    if (!(error instanceof NetlinkError)) throw error;
    throw new HostError("command", `nf_tables refused a change of elements: ${error.message}`, {
      cause: error,
    });
  }
}

async function nft(input: string): Promise<void> {
  await run(["nft", "-f", "-"], { input });
}
