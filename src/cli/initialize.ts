/** First set-up of a host, and its removal. */

import { dirname } from "node:path";
import { addressesOf, type Ipv4 } from "../core/addresses/ipv4.ts";
import type { Config } from "../core/config/config.ts";
import { checkForInitialize } from "../core/config/host-check.ts";
import { emptyState } from "../core/page/empty.ts";
import { pathsOf } from "../core/paths.ts";
import { type Plan, plan } from "../core/plan.ts";
import { makeDirectory, writeWhole } from "../host/disk/file.ts";
import { takeLock } from "../host/disk/lock.ts";
import { type Host, openHost } from "../host/host.ts";
import { requirePrivilege } from "../host/install/privilege.ts";
import { PROGRAMS, requirePrograms } from "../host/install/programs.ts";

/**
 * Prepares the host; safe to repeat. Leases stay: a container gets its address back. `say` prints a step. Resolves with
 * the host's own address. Throws ConfigError and HostError before anything is changed, HostError after.
 */
export async function initialize(config: Config, now: number, say: (line: string) => void): Promise<Ipv4> {
  await requirePrivilege();
  await requirePrograms(PROGRAMS);
  const host = openHost(config);
  const hostIp = checkForInitialize(config, await host.observe());
  say("Initializing OCDD ...");
  for (const directory of [config.storageDir, dirname(config.zoneFile), dirname(config.indexFile)]) {
    await makeDirectory(directory);
  }
  const release = await takeLock(pathsOf(config).lock);
  try {
    say("- Building fresh iplist.txt");
    const addresses = config.pool
      .flatMap((range) => [...addressesOf(range)])
      .filter((address) => address !== hostIp);
    await writeWhole(pathsOf(config).addressList, `${addresses.join("\n")}\n`);
    say("- Removing OCDD specific iptables rules ...");
    say(`- Removing additional IP addresses from the network interface - ${config.device} ...`);
    say("- Removing services list from web server's index.html");
    await clear(config, host, now);
  } finally {
    await release();
  }
  return hostIp;
}

/** Removes every alias, rule and chain of OCDD and nothing else. Needs no Docker. */
export async function teardown(config: Config, now: number): Promise<Plan> {
  await requirePrivilege();
  const release = await takeLock(pathsOf(config).lock);
  try {
    return await clear(config, openHost(config), now);
  } finally {
    await release();
  }
}

async function clear(config: Config, host: Host, now: number): Promise<Plan> {
  const seen = await host.observe({ without: ["docker"] });
  const steps = plan(seen.actual, emptyState(config, seen, now));
  await host.apply(steps);
  return steps;
}
