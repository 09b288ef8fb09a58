/** First set-up of a host, and its removal. */

import { dirname } from "node:path";
import { takenOver } from "../core/addresses/assign.ts";
import { addressesOf, type Ipv4 } from "../core/addresses/ipv4.ts";
import { leftAliases } from "../core/addresses/leftover.ts";
import type { Config } from "../core/config/config.ts";
import { checkForInitialize, rangeWarnings } from "../core/config/host-check.ts";
import { decide } from "../core/decide.ts";
import type { LeaseTable, Observation } from "../core/model.ts";
import { emptyState } from "../core/page/empty.ts";
import { leftBefore, pathsOf } from "../core/paths.ts";
import { type Plan, plan } from "../core/plan.ts";
import { candidatesOf } from "../core/services/candidates.ts";
import { holdersOf } from "../core/services/key-holder.ts";
import { counted } from "../core/text.ts";
import { accepted, CONFIRMATION_MS } from "../director/confirm.ts";
import { reconcile } from "../director/reconcile.ts";
import { makeDirectory, removeFile, writeWhole } from "../host/disk/file.ts";
import { takeLock } from "../host/disk/lock.ts";
import { makeSelvesDirectory } from "../host/disk/selves.ts";
import { type Host, openHost } from "../host/host.ts";
import { requirePrivilege } from "../host/install/privilege.ts";
import { programsOf, requirePrograms } from "../host/install/programs.ts";
import { openLinkChanges } from "../host/kernel/link-changes.ts";
import { hasRun, isUntouched } from "./set-up.ts";

/** What `initialize` is told beside the configuration. */
export interface SetUp {
  /** Seconds since the epoch. */
  readonly now: number;
  /** Prints a step. */
  readonly say: (line: string) => void;
  /** Decides whether addresses are removed that the bash script has left without a rule. */
  readonly accept: (left: readonly Ipv4[]) => Promise<boolean>;
  /** Accepts that active leases end. */
  readonly yes: boolean;
}

/** The host's own address, and what to say of the settings. */
export interface Initialized {
  readonly hostIp: Ipv4;
  readonly notes: readonly string[];
}

/**
 * Prepares the host; safe to repeat: where services are in use already it removes only what no service uses, and interrupts no
 * connection. Leases stay, or are made of the bash script's rules: a container gets its address
 * back. Resolves with the host's own address, and what to say of the settings. Throws ConfigError and HostError before anything is changed, HostError after.
 */
export async function initialize(config: Config, how: SetUp): Promise<Initialized> {
  await requirePrivilege();
  await requirePrograms(programsOf(config.firewall === "iptables" ? "iptables" : null));
  const host = openHost(config);
  const seen = await host.observe();
  await requirePrograms(programsOf(seen.firewall.iptables ? "iptables" : "nft"));
  return setUp(config, host, seen, how);
}

/** The same for a host that has been observed, by a process that may change it. */
export async function setUp(
  config: Config,
  host: Host,
  seen: Observation,
  { now, say, accept, yes }: SetUp,
): Promise<Initialized> {
  const hostIp = checkForInitialize(config, seen);
  const inUse = isInUse(seen);
  const moved = inUse
    ? accepted({ decision: decide(config, seen, now) }, { yes }).decision.evicted.length
    : 0;
  const holders = holdersOf(seen, config, now);
  const leases = seen.legacy && takenOver(candidatesOf(config, seen, holders), seen.legacy, now);
  const left = leftAliases(config, seen);
  const cleared = left.length > 0 && (await accept(left.map(({ address }) => address)));
  say("Initializing OCDD ...");
  await makeDirectories(config);
  const release = await takeLock(pathsOf(config).lock);
  try {
    for (const file of leftBefore(config)) await removeFile(file);
    say("- Building fresh iplist.txt");
    await writeAddressList(config, hostIp);
    const steps = inUse ? keptSteps(config, seen, cleared ? left.length : 0, moved) : scriptSteps(config);
    for (const step of steps) say(step);
    if (cleared) await openLinkChanges().remove(left);
    if (inUse)
      await reconcile(config, host, { now: () => now, apply: true, yes, confirmationMs: CONFIRMATION_MS });
    else await clear(config, host, now, leases);
  } finally {
    await release();
  }
  return { hostIp, notes: rangeWarnings(config, seen) };
}

/** What is said where all of OCDD's is removed: the bash script's own words. */
const scriptSteps = ({ device }: Config): string[] => [
  "- Removing OCDD specific iptables rules ...",
  `- Removing additional IP addresses from the network interface - ${device} ...`,
  "- Removing services list from web server's index.html",
];

/** What is said where services are in use; `removed` addresses of the bash script are not, and `moved` services get other ones. */
export function keptSteps(
  { device }: Config,
  { actual }: Observation,
  removed: number,
  moved: number,
): string[] {
  const { aliases, dataPath } = actual;
  const kept = `${counted(aliases.length, "address", "addresses")}, the rules of ${counted(dataPath.forwards.length, "service")} and the index page`;
  return [
    moved === 0
      ? `- Keeping ${kept}: they are in use, and no connection is interrupted`
      : `- Moving ${counted(moved, "service")} to other addresses, which ends the connections to the former ones`,
    ...(removed === 0
      ? []
      : [
          `- Removing ${counted(removed, "address", "addresses")} of OctoCopDD from the network interface - ${device} ...`,
        ]),
  ];
}

/** Whether OCDD's own leases and forwards are in force: then a run like any other is enough. */
const isInUse = ({ actual, legacy, leasesIntact }: Observation): boolean =>
  legacy === undefined && leasesIntact && actual.dataPath.forwards.length > 0;

/**
 * The first part of a run without an `initialize` before it: the same, except that it starts no services and removes nothing.
 * Changes nothing where a run has been before, nor where rules of OCDD are in force without their leases: their storage
 * may be on a disk that is not mounted. Throws ConfigError and HostError before anything is changed, HostError after.
 */
export async function prepareFirstRun(config: Config, host: Pick<Host, "observe">): Promise<void> {
  if (await hasRun(config)) return;
  const seen = await host.observe();
  const hostIp = checkForInitialize(config, seen);
  if (!seen.leasesIntact) return;
  await makeDirectories(config);
  await writeAddressList(config, hostIp);
}

async function makeDirectories(config: Config): Promise<void> {
  for (const directory of [config.storageDir, dirname(config.zoneFile), dirname(config.indexFile)]) {
    await makeDirectory(directory);
  }
  await makeSelvesDirectory(pathsOf(config).self);
}

async function writeAddressList(config: Config, hostIp: Ipv4): Promise<void> {
  const addresses = config.pool
    .flatMap((range) => [...addressesOf(range)])
    .filter((address) => address !== hostIp);
  await writeWhole(pathsOf(config).addressList, `${addresses.join("\n")}\n`);
}

/**
 * Removes every alias, rule and chain of OCDD and nothing else. Needs no Docker. Resolves with an empty plan, and writes nothing, on
 * a host where OCDD has never run.
 */
export async function teardown(config: Config, now: number): Promise<Plan> {
  await requirePrivilege();
  // what is in force without this file belongs to a storage that is not mounted: taking the lock reports that
  if (!(await hasRun(config))) {
    const seen = await openHost(config).observe({ without: ["docker"] });
    if (isUntouched(seen)) return plan(seen.actual, seen.actual);
  }
  const release = await takeLock(pathsOf(config).lock);
  try {
    return await clear(config, openHost(config), now);
  } finally {
    await release();
  }
}

/** `leases` are used where none could be read. */
async function clear(config: Config, host: Host, now: number, leases?: LeaseTable): Promise<Plan> {
  const seen = await host.observe({ without: ["docker"] });
  const { actual } = seen;
  const known = leases === undefined ? seen : { ...seen, actual: { ...actual, table: leases } };
  const steps = plan(actual, emptyState(config, known, now));
  await host.apply(steps);
  return steps;
}
