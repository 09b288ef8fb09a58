/**
 * What replaced rules have left to do: tracked connections to forget, aliases to announce. No later look at the host
 * shows either, so that a run killed between the two leaves word of it for the next. Not fsynced: a kill loses nothing
 * that was written, and a crash of the machine loses the connections themselves.
 */
import { unlink } from "node:fs/promises";
import { networkInterfaces } from "node:os";
import { type Ipv4, parseIpv4 } from "../../core/addresses/ipv4.ts";
import { readText, writeWhole } from "../disk/file.ts";

export interface Owed {
  /** Aliases whose tracked connections lead to somebody else than the rules do. */
  readonly flushed: readonly Ipv4[];
  /** Aliases that the network has not been told of. */
  readonly announced: readonly Ipv4[];
}

/**
 * Joins what is to be done now with what an earlier run has left. Not what this process has `done` and the disk does not
 * know yet: who has come since keeps his connections. Announced is only what this host has or is about to get: by now an
 * address may be another machine's. Never throws.
 */
export async function joinOwed(
  file: string,
  now: Owed,
  coming: ReadonlySet<Ipv4>,
  done: ReadonlySet<Ipv4>,
): Promise<Owed> {
  const before = parseOwed((await readText(file).catch(() => undefined)) ?? "");
  // not asked for nothing: the kernel tells it only when it has ended what it does to its devices, 20 ms after a death
  const here: ReadonlySet<string> = before.announced.length > 0 ? ownAddresses() : coming;
  return {
    flushed: [...new Set([...before.flushed.filter((address) => !done.has(address)), ...now.flushed])],
    announced: [...new Set([...before.announced, ...now.announced])].filter(
      (address) => coming.has(address) || here.has(address),
    ),
  };
}

/** Leaves word of it all. Never throws: a full disk keeps nobody from being taken down. */
export async function owe(file: string, owed: Owed): Promise<void> {
  if (owed.flushed.length + owed.announced.length > 0)
    await writeWhole(file, renderOwed(owed), "utf8", "later").catch(() => undefined);
}

function ownAddresses(): ReadonlySet<string> {
  return new Set(
    Object.values(networkInterfaces()).flatMap((device) => device?.map(({ address }) => address) ?? []),
  );
}

/** All of it has been done. */
export async function settle(file: string, { flushed, announced }: Owed): Promise<void> {
  if (flushed.length + announced.length > 0) await unlink(file).catch(() => undefined);
}

/** A line each. */
export function renderOwed({ flushed, announced }: Owed): string {
  return [...flushed.map((a) => `flush ${a}\n`), ...announced.map((a) => `announce ${a}\n`)].join("");
}

/** What cannot be read is left out. */
export function parseOwed(text: string): Owed {
  const of = (what: string): Ipv4[] =>
    text.split("\n").flatMap((line) => {
      const [word, address = ""] = line.split(" ");
      return word === what ? (parseIpv4(address) ?? []) : [];
    });
  return { flushed: of("flush"), announced: of("announce") };
}
