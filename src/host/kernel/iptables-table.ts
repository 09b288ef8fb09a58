/** The data path in the kernel's iptables: read, committed, revoked, removed. */
import type { Ipv4, Range } from "../../core/addresses/ipv4.ts";
import { HostError } from "../../core/errors.ts";
import type { DataPath, Forward } from "../../core/forwards/forward.ts";
import { canonical } from "../../core/forwards/forward.ts";
import { parse, type SeenTables, type Snapshot } from "../../core/forwards/iptables-parse.ts";
import type { TableName } from "../../core/forwards/iptables-render.ts";
import { tableOf } from "../../core/forwards/iptables-saved.ts";
import {
  redirectedAlias,
  revocation,
  type Transaction,
  transaction,
} from "../../core/forwards/iptables-transaction.ts";
import { commitMost, type Refused } from "./commit-most.ts";
import { run } from "./run.ts";

/** One writer of OCDD's chains; its calls are carried out one after another. Each throws HostError. */
export interface IptablesTable {
  read(): Promise<SeenTables>;
  /** Writes what differs from the last reading or write. Forwards whose rules the kernel refuses are left out and reported. */
  commit(desired: DataPath): Promise<{ readonly refused: readonly Refused[] }>;
  /** Removes the forwards of these aliases, and waits for nothing but a write that is in progress. */
  revoke(aliases: readonly Ipv4[]): Promise<void>;
  /** Removes all chains, jumps and rules. */
  remove(): Promise<void>;
}

/** Waits up to 5 seconds for another program that writes. */
const RESTORE: [string, ...string[]] = ["iptables-restore", "--noflush", "-w", "5"];

/** The tables of this network namespace. `pool` distinguishes rules of the bash script OctoCopDD from others. */
export function openIptablesTable(pool: readonly Range[]): IptablesTable {
  let known: Snapshot | undefined;
  let last: Promise<unknown> = Promise.resolve();
  const inTurn = <T>(act: () => Promise<T>): Promise<T> => {
    const turn = last.then(act);
    last = turn.catch(() => undefined);
    return turn;
  };
  const look = async (): Promise<SeenTables> => {
    const seen = parse(await readTables(), pool);
    known = seen.snapshot;
    return seen;
  };
  const write = async (change: (before: Snapshot) => Transaction): Promise<void> => {
    const { text, after } = change(known ?? (await look()).snapshot);
    // after a write that failed the tables are read again
    known = undefined;
    if (text !== "") await restore(text);
    known = after;
  };
  return {
    read: () => inTurn(look),
    commit: (desired) =>
      inTurn(async () => {
        const attempt = (forwards: readonly Forward[]): Promise<void> =>
          write((before) => transaction(before, { ...desired, forwards }));
        try {
          await attempt(desired.forwards);
          return { refused: [] };
        } catch (error) {
          if (!(error instanceof RefusedLine)) throw error;
        }
        const { dataPath } = await look();
        const inForce = new Set(dataPath.forwards.map((forward) => JSON.stringify(forward)));
        const isInForce = (forward: Forward): boolean =>
          inForce.has(JSON.stringify({ ...canonical(forward), bridgePort: null }));
        const [kept, changed] = [
          desired.forwards.filter(isInForce),
          desired.forwards.filter((f) => !isInForce(f)),
        ];
        return { refused: await commitMost({ attempt, isRefusal, culprit }, kept, changed) };
      }),
    revoke: (aliases) => inTurn(() => write((before) => revocation(before, new Set(aliases)))),
    remove: () =>
      inTurn(() => write((before) => transaction(before, { frame: null, forwards: [], damaged: [] }))),
  };
}

/** iptables refuses a line of a transaction, or the whole transaction: nothing in that table has been changed. */
class RefusedLine extends HostError {
  readonly line: string;
  constructor(line: string, cause: HostError) {
    super("command", `iptables refused "${line}": ${cause.message}`, { cause: cause.cause });
    this.line = line;
  }
}

const isRefusal = (error: unknown): error is RefusedLine => error instanceof RefusedLine;

/** A refusal names a line, and so an alias, or the transaction alone (iptables-legacy). */
function culprit({ line }: RefusedLine, among: readonly Forward[]): Forward | undefined {
  const alias = redirectedAlias(line);
  return among.find((forward) => forward.alias === alias);
}

async function restore(text: string): Promise<void> {
  try {
    await run(RESTORE, { input: text });
  } catch (error) {
    if (!(error instanceof HostError) || error.fault !== "command") throw error;
    const number = /line:? (\d+)/i.exec((error.cause as { stderr?: string })?.stderr ?? "")?.[1];
    if (number === undefined) throw error;
    throw new RefusedLine(text.split("\n")[Number(number) - 1] ?? "", error);
  }
}

async function readTables(): Promise<ReadonlyMap<TableName, string>> {
  // one process for all tables: each takes as long to start as to read a thousand rules
  const { stdout } = await run(["iptables-save"]);
  return new Map((["filter", "nat"] as const).map((name) => [name, tableOf(stdout, name)]));
}
