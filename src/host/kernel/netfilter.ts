/** iptables and connection tracking: look, replace in one transaction, forget flows. */
import { rm, writeFile } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import type { Ipv4 } from "../../core/addresses/ipv4.ts";
import { HostError } from "../../core/errors.ts";
import type { TableName } from "../../core/model.ts";
import { prepare, type RunResult, run } from "./run.ts";

/** What iptables-save prints of both tables; empty for one that is not there yet. Throws HostError. */
export async function readTables(): Promise<ReadonlyMap<TableName, string>> {
  // one process for all tables: each takes as long to start as to read a thousand rules
  const { stdout } = await run(["iptables-save"]);
  const table = (name: TableName): string =>
    new RegExp(`^\\*${name}\n[^]*?^COMMIT$`, "m").exec(stdout)?.[0] ?? "";
  return new Map([
    ["filter", table("filter")],
    ["nat", table("nat")],
  ]);
}

/** What applies a table's transaction. */
export const RESTORE = (table: TableName): [string, ...string[]] => [
  ...(["iptables-restore", "--noflush", "-w", "5", "-T"] as const),
  table,
];

/** Applies one table's transaction: all of it or nothing. Waits up to 5 seconds for another user of iptables. */
export function restoreTable(table: TableName, text: string): Promise<void> {
  return prepareRestore(table, text).restore();
}

/** The same in two steps: the program is started, and does nothing until `restore` or `leave`, whichever is first. */
export function prepareRestore(
  table: TableName,
  text: string,
): { readonly restore: () => Promise<void>; readonly leave: () => void } {
  const waiting = prepare(RESTORE(table));
  return { restore: () => restored(table, text, waiting.give(text)), leave: () => waiting.leave() };
}

async function restored(table: TableName, text: string, running: Promise<RunResult>): Promise<void> {
  try {
    await running;
  } catch (error) {
    if (!(error instanceof HostError) || error.fault !== "command") throw error;
    const line = /line:? (\d+)/i.exec((error.cause as { stderr?: string })?.stderr ?? "")?.[1];
    const rule = line === undefined ? "" : ` at "${text.split("\n")[Number(line) - 1] ?? ""}"`;
    throw new HostError("command", `iptables refused the ${table} table${rule}: ${error.message}`, {
      cause: error.cause,
    });
  }
}

/** For each address the kernel walks its whole table, some 5 ms; up to so many are not worth a look at what there is. */
const FEW = 8;

/** Up to so many have a process each: they need no file, which a busy disk may take its time for. */
const ALONE = 2;

/** Milliseconds that a disk has for the list; then there is a process each. */
const DISK = 10;

/** A list is being written or removed: whoever comes meanwhile leaves the file alone. */
let busy = false;

/**
 * Forgets tracked connections to these aliases, so that the next packet follows the rules in force. `file` is ours to
 * write meanwhile.
 */
export async function forgetFlows(changed: readonly Ipv4[], file: string): Promise<void> {
  const aliases = changed.length > FEW ? await trackedOf(changed) : changed;
  if (aliases.length <= ALONE || busy) return await forgetOneByOne(aliases);
  // One process for all reads what to do from a file, which it opens by name: a pipe of Node's, a socket, does not bear
  // that. Where there is no room for one, or no answer, a process each: no disk keeps a connection with a stranger.
  busy = true;
  const list = aliases.map((alias) => `-D -d ${alias}\n`).join("");
  const written = writeFile(file, list).then(
    () => true,
    () => false,
  );
  try {
    const timely = await Promise.race([written, sleep(DISK, false, { ref: false })]);
    if (timely && (await run(["conntrack", "-R", file], { ok: [0, 1, 2] })).code !== 2) return;
  } finally {
    void written
      .then(() => rm(file, { force: true }))
      .catch(() => undefined)
      .then(() => {
        busy = false;
      });
  }
  await forgetOneByOne(aliases);
}

/** Those of the addresses that a tracked connection was opened to. */
async function trackedOf(addresses: readonly Ipv4[]): Promise<Ipv4[]> {
  const { stdout } = await run(["conntrack", "-L", "-f", "ipv4"]);
  // a line holds both directions; the first destination is the one that was asked for
  const asked = new Set([...stdout.matchAll(/^.*?\bdst=(\S+)/gm)].map((match) => match[1]));
  return addresses.filter((address) => asked.has(address));
}

/** conntrack before 1.4.7 reads no commands from a file, and a full disk takes none. */
async function forgetOneByOne(aliases: readonly Ipv4[]): Promise<void> {
  const rest = [...aliases];
  const worker = async (): Promise<void> => {
    for (let alias = rest.pop(); alias !== undefined; alias = rest.pop()) {
      // 1: no such connection
      await run(["conntrack", "-D", "-d", alias], { ok: [0, 1] });
    }
  };
  await Promise.all(Array.from({ length: 16 }, worker));
}
