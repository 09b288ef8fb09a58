/**
 * What a run that has changed rules still has to do: connections to flush, aliases to announce. A later run cannot see
 * this on the host, so it is recorded here for the case that the run is killed. Not fsynced: a kill loses nothing that was
 * written, and a crash of the machine ends the connections themselves.
 */
import { type Ipv4, parseIpv4 } from "../../core/addresses/ipv4.ts";
import { inTime } from "./deadline.ts";
import { readText, removeFile, writeWhole } from "./file.ts";

export interface Cleanup {
  /** Aliases whose tracked connections lead to another address than the rules. */
  readonly flushed: readonly Ipv4[];
  /** Aliases not announced on the network yet. */
  readonly announced: readonly Ipv4[];
}

const isEmpty = ({ flushed, announced }: Cleanup): boolean => flushed.length + announced.length === 0;

/** What an interrupted run has left; empty when there is nothing, or it cannot be read. */
export async function readCleanup(file: string): Promise<Cleanup> {
  return parseCleanup((await readText(file).catch(() => undefined)) ?? "");
}

/** Never throws: a full disk must not keep a rule in force. */
export async function recordCleanup(file: string, cleanup: Cleanup): Promise<void> {
  if (!isEmpty(cleanup))
    await writeWhole(file, renderCleanup(cleanup), { durability: "later" }).catch(() => undefined);
}

/** All of it has been done. Never throws. */
export async function removeCleanup(file: string, cleanup: Cleanup): Promise<void> {
  if (!isEmpty(cleanup)) await inTime(file, () => removeFile(file)).catch(() => undefined);
}

/** One line each. */
export function renderCleanup({ flushed, announced }: Cleanup): string {
  return [...flushed.map((a) => `flush ${a}\n`), ...announced.map((a) => `announce ${a}\n`)].join("");
}

/** Lines that cannot be read are left out. */
export function parseCleanup(text: string): Cleanup {
  const of = (what: string): Ipv4[] =>
    text.split("\n").flatMap((line) => {
      const [word, address = ""] = line.split(" ");
      return word === what ? (parseIpv4(address) ?? []) : [];
    });
  return { flushed: of("flush"), announced: of("announce") };
}
