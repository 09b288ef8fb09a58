/** Reads and changes nftables: by netlink where that is faster, else with the nft program. */
import { HostError } from "../../core/errors.ts";
import { renderTrial } from "../../core/forwards/nft.ts";
import { isElementsAlone, renderChange, type TableChange } from "../../core/forwards/nft-change.ts";
import { parseTables, type TablesSeen } from "../../core/forwards/nft-parse.ts";
import { TABLE } from "../../core/forwards/nft-table-name.ts";
import { type Netlink, NetlinkError } from "./netlink.ts";
import { commitElements } from "./nft-batch.ts";
import { run } from "./run.ts";

/** True when a program or the kernel refused: nothing has changed. */
export const isRefusal = (error: unknown): error is HostError =>
  error instanceof HostError && (error.fault === "command" || error.fault === "missing");

/** Creates and removes the tables with another name in one transaction. Throws HostError with the reason of a refusal. */
export async function tryTables(): Promise<void> {
  await nft(renderTrial({ mode: "full", markEarly: true, device: "lo", waits: true }));
}

/** What filters, by the names of its tables. */
export interface Filters {
  /** Docker's table exists when its daemon last ran with its nftables backend. */
  readonly docker: boolean;
  /** iptables-nft, also one that is not on the search path. */
  readonly iptables: boolean;
}

export async function readFilters(): Promise<Filters> {
  const { stdout } = await run(["nft", "list", "tables", "ip"]);
  const has = (name: string): boolean => new RegExp(`^table ip ${name}$`, "m").test(stdout);
  return { docker: has("docker-bridges"), iptables: has("filter") };
}

/** What exists of both tables; null when neither does. Throws HostError. */
export async function readTables(): Promise<TablesSeen | null> {
  const listings = await Promise.all(
    // one family a run: nft 1.0.6 prints no more of it
    ["ip", "bridge"].map((family) => run(["nft", "-j", "list", "table", family, TABLE], { ok: [0, 1] })),
  );
  const present = listings.filter(({ code, stderr }) => code === 0 || !/No such file/.test(stderr));
  if (present.length === 0) return null;
  for (const { code, stderr } of present) {
    if (code === 0) continue;
    const denied = /not permitted|permission denied|must be root/i.test(stderr);
    throw new HostError(denied ? "privilege" : "command", `nft failed: ${stderr.trim().split("\n")[0]}`);
  }
  try {
    return parseTables(present.map(({ stdout }) => stdout));
  } catch (error) {
    throw new HostError("command", "nft -j printed no listing of OCDD's tables", { cause: error });
  }
}

/** Elements of one change that netlink takes faster than a program. */
const BY_NETLINK = 256;

/** One transaction: elements by netlink within 0.1 ms, many of them or chains by a process. */
export async function write(netlink: Netlink | undefined, wanted: TableChange): Promise<void> {
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

/** Carries out input of `nft -f`, one transaction. Throws HostError; nothing has changed then. */
export async function nft(input: string): Promise<void> {
  await run(["nft", "-f", "-"], { input });
}
