/** OCDD's nftables tables in the kernel: the guard, and with the nft backend the redirection as well. */
import type { Ipv4 } from "../../core/addresses/ipv4.ts";
import { HostError } from "../../core/errors.ts";
import { type DataPath, type Frame, NO_DATA_PATH } from "../../core/forwards/forward.ts";
import {
  type Mode,
  type NftOptions,
  renderAll,
  renderRemoval,
  renderStamp,
  renderTables,
} from "../../core/forwards/nft.ts";
import {
  diffElements,
  type Element,
  elementsOf,
  isDevice,
  renderElements,
} from "../../core/forwards/nft-elements.ts";
import { parseTables, type TablesSeen } from "../../core/forwards/nft-parse.ts";
import { TABLE } from "../../core/forwards/nft-table-name.ts";
import { textVersion } from "../../core/text.ts";
import type { Loaded } from "../../platform/libc.ts";
import { type Netlink, NetlinkError } from "./netlink.ts";
import { commitElements } from "./nft-batch.ts";
import { run } from "./run.ts";

/** The tables as one look found them. */
export interface NftSeen {
  /** Null when the tables are or can be in force; else why not, in one line. */
  readonly unguarded: string | null;
  /** True when there is anything of OCDD's. */
  readonly present: boolean;
  /** True when the constant part differs from what was written. */
  readonly damaged: boolean;
  /** Bridge port of each alias that is in force; null where it has none yet. */
  readonly ports: ReadonlyMap<Ipv4, string | null>;
}

/** One writer; its calls are carried out one after another. Each throws HostError, but not because there is no nft. */
export interface NftTable {
  read(): Promise<NftSeen>;
  commit(desired: DataPath): Promise<void>;
  /** No alias is in force any more; tracked flows to them are refused. */
  refuseAll(): Promise<void>;
  /** Removes both tables. */
  remove(): Promise<void>;
  revoke(aliases: readonly Ipv4[]): Promise<void>;
  /** Lets the packets of an alias that is in force out through a bridge port. */
  admit(alias: Ipv4, bridgePort: string): Promise<void>;
  close(): void;
}

/** What the kernel holds, as far as this process knows. */
interface Known {
  /** Of the text of the constant part; empty when there are no tables. */
  readonly written: string;
  readonly elements: readonly Element[];
}

/** `loaded`: the way for changes of elements; without it they take a process. */
export function openNftTable(
  mode: Mode,
  loaded: Loaded<Netlink>,
  options: NftOptions = { markEarly: false },
): NftTable {
  const netlink = "calls" in loaded ? loaded.calls : undefined;
  let known: Known | undefined;
  /** Why there can be no tables; undefined while they can. */
  let unguarded: string | undefined;
  let last: Promise<unknown> = Promise.resolve();
  const inTurn = <T>(act: () => Promise<T>): Promise<T> => {
    const turn = last.then(act);
    last = turn.catch(() => undefined);
    return turn;
  };
  const versionOf = constantVersions((frame) => renderTables(frame, mode, options));
  const look = async (): Promise<{ readonly seen: TablesSeen | undefined; readonly damaged: boolean }> => {
    const seen = await readTables();
    const [written = "", listed = ""] = (seen?.stamp ?? "").split("x");
    const damaged = seen !== undefined && listed !== seen.fingerprint;
    known = { written: damaged ? "" : written, elements: seen?.elements ?? [] };
    return { seen, damaged };
  };
  const lay = async (desired: DataPath): Promise<void> => {
    const { frame, forwards } = desired;
    known = undefined;
    if (frame === null) await nft(renderRemoval());
    else {
      await nft(renderAll(frame, forwards, mode, options));
      const seen = await readTables();
      const written = versionOf(frame);
      if (seen !== undefined) await nft(renderStamp(`${written}x${seen.fingerprint}`));
      known = { written, elements: elementsOf(forwards, mode) };
      return;
    }
    known = { written: "", elements: [] };
  };
  const change = async (before: Known, after: readonly Element[]): Promise<void> => {
    const difference = diffElements(before.elements, after);
    if (difference.gone.length + difference.added.length === 0) return;
    known = undefined;
    await write(netlink, difference);
    known = { ...before, elements: after };
  };
  const commit = (desired: DataPath): Promise<void> =>
    inTurn(async () => {
      if (unguarded !== undefined) return;
      if (known === undefined) await look();
      const before = known as unknown as Known;
      const written = desired.frame === null ? "" : versionOf(desired.frame);
      const gone = desired.frame === null && before.written === "" && before.elements.length === 0;
      if (written === before.written && (written !== "" || gone)) {
        if (written !== "") await change(before, elementsOf(desired.forwards, mode));
        return;
      }
      try {
        await lay(desired);
      } catch (error) {
        // a kernel without the bridge family refuses the tables, whatever is in them
        if (!(error instanceof HostError) || error.fault !== "command") throw error;
        unguarded = error.message;
      }
    });
  return {
    read: () =>
      inTurn(async () => {
        const why = await whyNot();
        if (why !== undefined) {
          unguarded = why;
          return { unguarded: why, present: false, damaged: false, ports: new Map() };
        }
        const { seen, damaged } = await look();
        return {
          unguarded: unguarded ?? null,
          present: seen !== undefined,
          damaged,
          ports: portsOf(seen?.elements ?? []),
        };
      }),
    commit,
    refuseAll: () =>
      inTurn(async () => {
        if (unguarded !== undefined) return;
        if (known === undefined) await look();
        const before = known as unknown as Known;
        if (before.elements.length > 0) await change(before, []);
      }),
    remove: () => commit(NO_DATA_PATH),
    revoke: (aliases) =>
      inTurn(async () => {
        if (known === undefined || unguarded !== undefined) return;
        const gone = new Set(aliases);
        await change(
          known,
          known.elements.filter(({ alias }) => !gone.has(alias)),
        );
      }),
    admit: (alias, bridgePort) =>
      inTurn(async () => {
        if (known === undefined || unguarded !== undefined || !isDevice(bridgePort)) return;
        const { elements } = known;
        if (!elements.some((one) => one.set === "leased" && one.alias === alias)) return;
        const others = elements.filter((one) => one.set !== "bridge-ports" || one.alias !== alias);
        await change(known, [...others, { set: "bridge-ports", alias, value: bridgePort }]);
      }),
    close: () => netlink?.close(),
  };
}

function portsOf(elements: readonly Element[]): Map<Ipv4, string | null> {
  const ports = new Map<Ipv4, string | null>();
  for (const { set, alias } of elements) if (set === "leased") ports.set(alias, null);
  for (const { set, alias, value } of elements) if (set === "bridge-ports") ports.set(alias, value);
  return ports;
}

/** Why the tables cannot be read or written, in one line; undefined when they can. */
async function whyNot(): Promise<string | undefined> {
  try {
    await run(["nft", "list", "tables", "bridge"]);
    return undefined;
  } catch (error) {
    if (!(error instanceof HostError) || error.fault === "privilege") throw error;
    return error.message;
  }
}

/** Both tables; undefined when one of them is not there. Throws HostError. */
async function readTables(): Promise<TablesSeen | undefined> {
  const listings = await Promise.all(
    ["ip", "bridge"].map((family) => run(["nft", "-j", "list", "table", family, TABLE], { ok: [0, 1] })),
  );
  if (listings.some(({ code }) => code !== 0)) return undefined;
  try {
    return parseTables(listings.map(({ stdout }) => stdout));
  } catch (error) {
    throw new HostError("command", "nft -j printed no listing of OCDD's tables", { cause: error });
  }
}

/** One transaction: by netlink within 0.1 ms, else by a process. Chains are told by text alone. */
async function write(
  netlink: Netlink | undefined,
  difference: ReturnType<typeof diffElements>,
): Promise<void> {
  const { gone, added } = difference;
  const textual = [...gone, ...added].some(({ set }) => set === "chains");
  if (netlink === undefined || textual) {
    await nft(renderElements("delete", gone) + renderElements("add", added));
    return;
  }
  try {
    commitElements(netlink, difference);
  } catch (error) {
    if (!(error instanceof NetlinkError)) throw error;
    throw new HostError("command", `nf_tables refused a change of the guard: ${error.message}`, {
      cause: error,
    });
  }
}

async function nft(input: string): Promise<void> {
  await run(["nft", "-f", "-"], { input });
}

/** The version of a frame's text, which is rendered only when the frame is another: a large pool has a line for each alias. */
function constantVersions(render: (frame: Frame) => string): (frame: Frame) => string {
  let key = "";
  let version = "";
  return (frame) => {
    const now = JSON.stringify(frame);
    if (now !== key) version = textVersion(render(frame));
    key = now;
    return version;
  };
}
