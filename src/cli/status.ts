/** Collects what `status` shows; a part that does not answer leaves the others as they are. */

import type { Config } from "../core/config/config.ts";
import { hostAddress } from "../core/config/host-check.ts";
import { decide } from "../core/decide.ts";
import { HostError } from "../core/errors.ts";
import type { Observation } from "../core/model.ts";
import { pathsOf } from "../core/paths.ts";
import { plan } from "../core/plan.ts";
import type { StatusReport } from "../core/report/status.ts";
import { describeAll } from "../core/report/steps.ts";
import { lastRunOf } from "../host/disk/page.ts";
import { readWatchStats } from "../host/disk/watch-stats.ts";
import type { Docker } from "../host/docker/client.ts";
import type { Host } from "../host/host.ts";

/** What `status` reads from, and what it knows beforehand. */
export interface StatusOptions {
  readonly host: Host;
  readonly docker: Pick<Docker, "about">;
  /** False: the firewall cannot be read, so drift is not known. */
  readonly root: boolean;
  readonly version: string;
  /** Seconds since the epoch. */
  readonly now: number;
}

/**
 * Looks at everything. A Docker that does not answer is reported (`trouble`), with the state that is known without it. Throws
 * HostError for anything else that cannot be looked at, ConfigError when the host contradicts the configuration.
 */
export async function statusOf(
  config: Config,
  options: StatusOptions,
): Promise<{ readonly report: StatusReport; readonly notices: readonly string[] }> {
  const { host, docker, root, version, now } = options;
  const without: ("docker" | "firewall")[] = root ? [] : ["firewall"];
  const [[seen, trouble], engine, lastRun, stats] = await Promise.all([
    host.observe({ without }).then(
      (seen): [Observation, HostError | null] => [seen, null],
      async (error): Promise<[Observation, HostError | null]> => {
        if (!(error instanceof HostError && error.fault === "docker")) throw error;
        return [await host.observe({ without: ["docker", ...without] }), error];
      },
    ),
    docker.about().then(
      (about) => String(about.get("ServerVersion") ?? "unknown"),
      () => null,
    ),
    lastRunOf(pathsOf(config).lastRun),
    readWatchStats(pathsOf(config).watchStats),
  ]);
  const decision = trouble === null ? decide(config, seen, now) : null;
  const { actual } = seen;
  const report = {
    version,
    engine,
    lastRun,
    now,
    hostIp: hostAddress(config, seen.addresses, actual.aliases) ?? null,
    table: decision?.desired.table ?? actual.table,
    inForce: actual.aliases.length,
    decision,
    drift: root && decision !== null ? describeAll(plan(actual, decision.desired).steps) : null,
    unguarded: root ? seen.firewall.unguarded : undefined,
    trouble: trouble?.message ?? null,
    remedy: trouble?.remedy ?? null,
    stats,
  };
  return { report, notices: seen.notices };
}
