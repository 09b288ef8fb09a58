/** `ocdd initialize` on a host that is not configured: proposes a configuration, and writes it when that is accepted. */

import { hostname } from "node:os";
import { dirname } from "node:path";
import type { Ipv4, Range } from "../core/addresses/ipv4.ts";
import type { Outside } from "../core/config/assigned.ts";
import {
  freeRange,
  type Outlook,
  outlook,
  poolText,
  proposedConf,
  proposedZone,
  readPool,
  searchDomains,
} from "../core/config/proposal.ts";
import { settled } from "../core/config/settled.ts";
import { firstSteps, isUnfilled } from "../core/config/unfilled.ts";
import { isDomain } from "../core/config/values.ts";
import { ConfigError } from "../core/errors.ts";
import { makeDirectory, readText, writeNew, writeWhole } from "../host/disk/file.ts";
import { readResolvers } from "../host/disk/resolvers.ts";
import { readTrustedSync } from "../host/disk/trusted-file.ts";
import { requirePrivilege } from "../host/install/privilege.ts";
import { requirePrograms } from "../host/install/programs.ts";
import { readLinks } from "../host/kernel/addresses.ts";
import { openArp } from "../host/kernel/arp/probe.ts";
import { defaultDevice } from "../host/kernel/default-device.ts";
import { readNextHops } from "../host/kernel/routes.ts";

/** The person at the terminal. */
export interface Questions {
  /** An answer without its blanks; empty at the end of input. */
  ask(question: string): Promise<string>;
  close(): void;
}

interface Terminal extends Pick<Questions, "ask"> {
  say(line: string): void;
}

/** A configuration file that is to be filled in; `text` is undefined where it does not exist. */
export interface Unfilled {
  readonly file: string;
  readonly text: string | undefined;
}

/**
 * The file that is to be written first; undefined on a host that is configured. `given`: what is set outside of a file, by
 * the name of its key. Throws ConfigError for a file that another user may write.
 */
export function unconfigured(places: readonly string[], given: readonly string[]): Unfilled | undefined {
  if (given.some((name) => !isUnfilled(name))) return undefined;
  for (const file of places) {
    try {
      const text = readTrustedSync(file);
      return isUnfilled(text) ? { file, text } : undefined;
    } catch (error) {
      if (error instanceof ConfigError) throw error;
      if ((error as NodeJS.ErrnoException).code !== "ENOENT") return undefined; // the next reading reports it
    }
  }
  return { file: places.at(-1) ?? "", text: undefined };
}

/**
 * Has a configuration written by the person at the terminal, and says elsewhere (`questions` is undefined) how to write one. Resolves
 * with whether it was written; throws as offerConf does.
 */
export async function firstConf(
  unfilled: Unfilled,
  outside: Outside,
  say: (line: string) => void,
  questions: Questions | undefined,
): Promise<boolean> {
  if (questions === undefined) {
    const { file, text } = unfilled;
    say(`ocdd: ${file}: ${text === undefined ? "there is no such file" : "sets neither range nor zone"}`);
    say(firstSteps(file));
    return false;
  }
  try {
    const written = await offerConf(unfilled, outside, { say, ask: questions.ask });
    if (!written) say("ocdd: nothing has been written");
    return written;
  } finally {
    questions.close();
  }
}

/** A question of yes or no; Enter means no, and what means neither is asked again. */
export async function agreed(ask: Questions["ask"], question: string): Promise<boolean> {
  for (;;) {
    const answer = (await ask(`${question} [y/N] `)).toLowerCase();
    if (["y", "yes"].includes(answer)) return true;
    if (["", "n", "no"].includes(answer)) return false;
  }
}

/** Times that zone and range are asked for. */
const TRIES = 3;

/**
 * Proposes what the file does not set, in keeping with what is set there and outside of it. Resolves with whether it was
 * written. Throws ConfigError for a mistake in what is set and where nothing can be proposed, and HostError; nothing has been changed then.
 */
async function offerConf(
  { file, text: before }: Unfilled,
  outside: Outside,
  { say, ask }: Terminal,
): Promise<boolean> {
  await requirePrivilege();
  const known = settled({ file, text: before ?? "", ...outside });
  await requirePrograms(["ip"]);
  const nothing = (why: string): ConfigError =>
    new ConfigError([{ where: file, message: `no configuration can be proposed: ${why}` }]);
  const [{ addresses }, nextHops, resolvers] = await Promise.all([
    readLinks(),
    readNextHops(),
    readResolvers(),
  ]);
  const seen = outlook({
    device: defaultDevice(),
    addresses,
    avoided: [...nextHops, ...resolvers],
    settled: known,
  });
  if (typeof seen === "string") throw nothing(seen);
  say(`This host is not configured. Looking for free addresses on ${seen.device}, by ARP ...`);
  const range = freeRange(seen, await inUse(seen));
  if (range === null) throw nothing(`no four addresses in a row are free beside ${seen.hostIp}`);
  const zone = await askForZone(
    { say, ask },
    proposedZone(hostname(), searchDomains((await readText("/etc/resolv.conf")) ?? "")),
  );
  if (zone === undefined) throw nothing("no zone was given");
  const pool = await askForRange({ say, ask }, range);
  if (pool === undefined) throw nothing("no range was given");
  const isFound = poolText(pool) === poolText([range]);
  const proposal = { ...known, device: seen.device, hostIp: seen.hostIp, pool, isFound, zone };
  const text = proposedConf(proposal, before ?? "");
  say(`\n${text}`);
  if (!(await agreed(ask, `Write this to ${file}, and set up this host with it?`))) return false;
  await makeDirectory(dirname(file));
  if (before === undefined) await writeNew(file, text);
  else await writeWhole(file, text, { over: [before] });
  say(`Written: ${file}\n`);
  return true;
}

async function inUse({ device, candidates }: Outlook): Promise<ReadonlySet<Ipv4>> {
  const arp = openArp(device);
  try {
    return await arp.probe(candidates);
  } finally {
    arp.close();
  }
}

async function askForZone({ say, ask }: Terminal, proposed: string | undefined): Promise<string | undefined> {
  const hint = proposed === undefined ? "(such as toolbox.example.com)" : `[${proposed}]`;
  for (let n = 0; n < TRIES; n++) {
    const answer = (await ask(`The zone that IT delegates to this host ${hint}: `)) || (proposed ?? "");
    const zone = answer.toLowerCase().replace(/\.$/, "");
    if (zone.includes(".") && isDomain(zone)) return zone;
    say("This is no name of a zone: labels of letters, digits and hyphens, with dots between them.");
  }
  return undefined;
}

/** The range that is to be used; undefined where no answer can be read. Enter takes the proposed one. */
export async function askForRange(
  { say, ask }: Terminal,
  proposed: Range,
): Promise<readonly Range[] | undefined> {
  for (let n = 0; n < TRIES; n++) {
    const answer = await ask(
      `The range that IT has granted, kept out of DHCP [${poolText([proposed])}] (found free, not granted): `,
    );
    const pool = answer === "" ? [proposed] : readPool(answer);
    if (typeof pool !== "string") return pool;
    say(`The range ${pool}.`);
  }
  return undefined;
}
